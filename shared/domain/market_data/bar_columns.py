"""The bars of one contract and timeframe as arrays, oldest first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.domain.market_data.bar import Bar
from shared.domain.market_data.calendar import trading_day_at, trading_day_begins
from shared.domain.market_data.coverage import Span

Integers = NDArray[np.int64]
_SATURDAY = 5


@dataclass(frozen=True, slots=True, eq=False)
class BarColumns:
    """Arrays of one length, an element per bar, oldest first and no two of one start.

    `seconds` is the start of each bar in seconds since 1970 (UTC, market time); prices are whole ticks.
    """

    seconds: Integers
    open: Integers
    high: Integers
    low: Integers
    close: Integers
    volume: Integers

    def __len__(self) -> int:
        return len(self.seconds)

    def __getitem__(self, chosen: "slice | NDArray[np.bool_] | Integers") -> "BarColumns":
        """Return the bars that a slice, a mask or indices choose, oldest first."""
        return BarColumns(*(column[chosen] for column in self.arrays))

    @property
    def arrays(self) -> tuple[Integers, Integers, Integers, Integers, Integers, Integers]:
        """All columns: seconds, open, high, low, close, volume."""
        return self.seconds, self.open, self.high, self.low, self.close, self.volume

    @property
    def starts(self) -> "NDArray[np.datetime64]":
        """The start of each bar as datetime64[s], in UTC."""
        return self.seconds.astype("datetime64[s]")

    def within(self, span: Span) -> "BarColumns":
        """Return the bars that start in `span`."""
        first, last = np.searchsorted(self.seconds, [seconds_of(span.start), seconds_of(span.end)])
        return self[first:last]

    def to_bars(self) -> list[Bar]:
        """Return each bar by itself."""
        starts = [time_of(seconds) for seconds in self.seconds.tolist()]
        return [Bar(*values) for values in zip(starts, *(column.tolist() for column in self.arrays[1:]), strict=True)]


def columns_of(rows: "NDArray[Any]") -> BarColumns:
    """Return the columns of an array with a row per column, in the order of `BarColumns.arrays`."""
    return BarColumns(*rows.astype(np.int64, copy=False))


def no_bars() -> BarColumns:
    """Return columns without a bar."""
    return columns_of(np.empty((6, 0), dtype=np.int64))


def from_bars(bars: Sequence[Bar]) -> BarColumns:
    """Return the columns of bars, which are oldest first and no two of one start."""
    rows = [
        [seconds_of(bar.start) for bar in bars],
        *([getattr(bar, name) for bar in bars] for name in ("open", "high", "low", "close", "volume")),
    ]
    return columns_of(np.array(rows, dtype=np.int64))


def join(several: Iterable[BarColumns]) -> BarColumns:
    """Return the bars of all, oldest first; of two that start at one time that of the later columns."""
    given = [one for one in several if len(one)]
    if not given:
        return no_bars()
    joined = columns_of(np.concatenate([np.vstack(one.arrays) for one in given], axis=1)) if given[1:] else given[0]
    if np.all(np.diff(joined.seconds) > 0):
        return joined
    order = np.argsort(joined.seconds, kind="stable")
    seconds = joined.seconds[order]
    return joined[order[np.append(seconds[1:] != seconds[:-1], True)]]


def split_by_trading_day(bars: BarColumns) -> list[tuple[date, BarColumns]]:
    """Return the bars of each trading day that has some, oldest first. As `trading_day_at`."""
    if not len(bars):
        return []
    first, last = (trading_day_at(time_of(int(at))) for at in (bars.seconds[0], bars.seconds[-1]))
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    days = [day for day in days if day.weekday() < _SATURDAY]
    ends = np.array([seconds_of(trading_day_begins(day + timedelta(days=1))) for day in days])
    edges = [0, *np.searchsorted(bars.seconds, ends).tolist()]
    return [(day, bars[edges[n] : edges[n + 1]]) for n, day in enumerate(days) if edges[n] < edges[n + 1]]


def seconds_of(at: datetime) -> int:
    """Return an instant in whole seconds since 1970."""
    return int(at.timestamp())


def time_of(seconds: int) -> datetime:
    """Return the instant that is this many seconds after 1970 began."""
    return datetime.fromtimestamp(seconds, UTC)
