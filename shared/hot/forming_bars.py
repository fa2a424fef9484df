"""Bars built from trades, in Redis: the forming minute and the one before; only bars from REST are stored."""

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

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
