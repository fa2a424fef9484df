"""One bar of a contract: open, high, low, close in ticks, and volume, over [start, start + timeframe)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

MINUTE = timedelta(minutes=1)
MOST = 2**30  # so that the difference of two prices still has 31 bits


class Bar(msgspec.Struct, frozen=True, gc=False):
    """A closed bar. Prices are whole ticks: price = ticks * contract.tick_size.

    Garbage collection ignores bars, of which there may be a hundred thousand: they refer to nothing.
    """

    start: datetime
    open: int
    high: int
    low: int
    close: int
    volume: int

    def __post_init__(self) -> None:
        if not (self.low <= self.open <= self.high and self.low <= self.close <= self.high):
            raise ValueError(f"bar of {self.start:%Y-%m-%d %H:%M} has low {self.low}, high {self.high} that do not "
                             f"enclose open {self.open} and close {self.close}")  # fmt: skip
        if max(-self.low, self.high, self.volume) > MOST:
            raise ValueError(f"bar of {self.start:%Y-%m-%d %H:%M} has high {self.high}, low {self.low} and volume "
                             f"{self.volume}: expected at most {MOST:,}")  # fmt: skip
        if self.volume < 0:
            raise ValueError(f"bar of {self.start:%Y-%m-%d %H:%M} has negative volume {self.volume}")


class RejectedBar(msgspec.Struct, frozen=True):
    """A record of the venue that cannot be a bar: `record` is its text, `reason` says why; `start` may be unknown."""

    start: datetime | None
    reason: str
    record: str


def minute_of(at: datetime) -> datetime:
    """Return the start of the minute that contains `at`."""
    return at.replace(second=0, microsecond=0)


def to_ticks(price: Decimal, tick_size: Decimal) -> int:
    """Return `price` in whole ticks; raise ValueError if it lies between two ticks."""
    ticks = price / tick_size
    whole = int(ticks.to_integral_value())
    if whole * tick_size != price:
        raise ValueError(f"price {price} is not a multiple of the tick {tick_size}")
    return whole


def sort_bars(bars: Iterable[Bar]) -> list[Bar]:
    """Return the bars oldest first, one per start; a later duplicate wins."""
    return [bar for _, bar in sorted({bar.start: bar for bar in bars}.items())]
