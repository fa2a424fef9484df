"""The end of the newest closed minute of market time."""

from datetime import datetime


def closed_minute(market_now: datetime) -> datetime:
    """Return the newest whole minute that is not after `market_now`."""
    return market_now.replace(second=0, microsecond=0)
