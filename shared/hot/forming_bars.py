"""Bars built from trades, in Redis: the forming minute and the one before; only bars from REST are stored."""

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
import redis

BAR_EXPIRES_AFTER = timedelta(minutes=3)


class FormingBar(msgspec.Struct, frozen=True, kw_only=True):
    """A bar with prices in money. It is incomplete if the feed missed its start: open and volume are then partial."""

    start: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int
    is_complete: bool


def forming_bar_key(contract_id: str) -> str:
    """Return the Redis key of the contract's forming bar."""
    return f"tickwork:forming_bar:{contract_id}"


def ended_bar_key(contract_id: str) -> str:
    """Return the Redis key of the contract's last ended bar."""
    return f"tickwork:ended_bar:{contract_id}"


def read_ended_bar(client: "redis.Redis", contract_id: str) -> FormingBar | None:
    """Return the bar of the last ended minute with trades, or None; redis.RedisError if Redis does not answer."""
    found = client.get(ended_bar_key(contract_id))
    return None if found is None else msgspec.json.decode(str(found), type=FormingBar)
