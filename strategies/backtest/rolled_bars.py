"""The bars of each timeframe, rolled up once, of which a view sees only those that have closed."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from shared.domain.market_data.bar_columns import BarColumns, Integers, seconds_of, time_of
from shared.domain.market_data.calendar import Calendar
from shared.domain.market_data.coverage import Span
from shared.domain.market_data.rollup import list_periods, roll_up
from shared.domain.market_data.timeframe import ONE_MINUTE, Timeframe


@dataclass(frozen=True, slots=True, eq=False)
class ClosedBars:
    """The bars of one timeframe; `ends` and `starts` are in seconds since 1970, an element per bar."""

    columns: BarColumns
    starts: list[int]
    ends: list[int]


class RolledBars:
    """The bars of one contract that have closed by `until`, of every timeframe that is asked for."""

    def __init__(self, minutes: BarColumns, calendar: Calendar, until: datetime) -> None:
        self._minutes = minutes
        self._until = until
        self._calendar = calendar
        self._rolled: dict[Timeframe, ClosedBars] = {}

    def of(self, timeframe: Timeframe) -> ClosedBars:
        """Return the bars of a timeframe, those of one minute rolled up as for any reader of bars."""
        found = self._rolled.get(timeframe)
        if found is None:
            found = self._rolled[timeframe] = self._roll(timeframe)
        return found

    def _roll(self, timeframe: Timeframe) -> ClosedBars:
        rolled = roll_up(self._minutes, timeframe, self._until, self._calendar)
        for column in rolled.arrays:
            column.flags.writeable = False  # a strategy that sorts one in place would change every later view
        ends = _list_ends(rolled, timeframe, self._calendar)
        return ClosedBars(rolled, rolled.seconds.tolist(), ends.tolist())


class VisibleBars:
    """What may be seen of a series at an instant: the bars that have closed by then, and nothing after it."""

    __slots__ = ("_now", "_series")

    def __init__(self, series: RolledBars, now: int) -> None:
        self._series = series
        self._now = now

    def read_bars(self, timeframe: Timeframe, count: int) -> BarColumns:
        """Return the newest closed bars, at most `count`, oldest first."""
        bars = self._series.of(timeframe)
        last = bisect_right(bars.ends, self._now)
        return bars.columns[max(0, last - count) : last]

    def read_since(self, timeframe: Timeframe, start: datetime) -> BarColumns:
        """Return the closed bars that start at `start` or later, oldest first."""
        bars = self._series.of(timeframe)
        return bars.columns[bisect_left(bars.starts, start.timestamp()) : bisect_right(bars.ends, self._now)]


def _list_ends(bars: BarColumns, timeframe: Timeframe, calendar: Calendar) -> Integers:
    if timeframe == ONE_MINUTE or not len(bars):
        return bars.seconds + 60
    span = Span(time_of(int(bars.seconds[0])), time_of(int(bars.seconds[-1]) + 60))
    periods = list(list_periods(span, timeframe, calendar))
    opens = np.array([seconds_of(period.start) for period in periods], dtype=np.int64)
    closes = np.array([seconds_of(period.end) for period in periods], dtype=np.int64)
    period_closes: Integers = closes[np.searchsorted(opens, bars.seconds, side="right") - 1]
    if timeframe.minutes is None:
        return period_closes
    return np.minimum(bars.seconds + timeframe.minutes * 60, period_closes)
