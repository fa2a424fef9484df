"""One bar of a contract: open, high, low, close in ticks, and volume, over [start, start + timeframe)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

MINUTE = timedelta(minutes=1)


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
        if self.volume < 0:
            raise ValueError(f"bar of {self.start:%Y-%m-%d %H:%M} has negative volume {self.volume}")


class RejectedBar(msgspec.Struct, frozen=True):
    """A record of the venue that cannot be a bar: `record` is its text, `reason` says why; `start` may be unknown."""

    start: datetime | None
    reason: str
    record: str


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
