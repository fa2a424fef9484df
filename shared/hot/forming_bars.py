"""Bars made of trades, in Redis: of the minute under way and the one before; REST alone gives those that count."""

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
import redis

KEPT_FOR = timedelta(minutes=3)


class FormingBar(msgspec.Struct, frozen=True, kw_only=True):
    """Prices in money. One that began while nobody listened is not complete: its open and volume are a part's."""

    start: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int
    is_complete: bool


def forming_bar_key(contract_id: str) -> str:
    """Return where the contract's forming bar is kept."""
    return f"tickwork:forming_bar:{contract_id}"


def ended_bar_key(contract_id: str) -> str:
    """Return where the bar before it is kept."""
    return f"tickwork:ended_bar:{contract_id}"


def read_forming_bar(client: "redis.Redis", contract_id: str) -> FormingBar | None:
    """Return the bar of the newest minute that saw a trade, or None; redis.RedisError when Redis does not answer."""
    return _read(client, forming_bar_key(contract_id))


def read_ended_bar(client: "redis.Redis", contract_id: str) -> FormingBar | None:
    """Return the bar of the minute with trades before that one, or None; redis.RedisError when Redis is away."""
    return _read(client, ended_bar_key(contract_id))


def _read(client: "redis.Redis", key: str) -> FormingBar | None:
    found = client.get(key)
    return None if found is None else msgspec.json.decode(str(found), type=FormingBar)
