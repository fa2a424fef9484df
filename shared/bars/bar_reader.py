"""Reads bars of any timeframe from process memory, Redis or Postgres; coverage decides what may answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection

from shared.bars.set_aside import list_set_aside
from shared.db.market_data import bar_coverage, bars
from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.bar_columns import BarColumns, join, seconds_of, time_of
from shared.domain.market_data.calendar import Calendar, assumed_calendar_of
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.market_data.coverage import Span, intersect, subtract
from shared.domain.market_data.rollup import list_periods, newest_close, roll_up
from shared.domain.market_data.timeframe import COMMON, Timeframe
from shared.hot.recent_bars import BarBlock, Found, RecentBars

Source = Literal["memory", "redis", "postgres"]
_LOOK_BACK = {"minute": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=31)}


@dataclass(frozen=True, slots=True, eq=False)
class BarsRead:
    """Closed bars, oldest first, and how far they may be believed.

    `gaps` are the minutes of open sessions of which it is not known whether they have a bar: from the first bar on, or
    the first asked for if there are fewer. Of those that are also `set_aside` the venue has sent what cannot be a bar.
    `as_of` is the instant up to which the newest bars are complete.
    """

    bars: BarColumns
    as_of: datetime
    source: Source
    gaps: tuple[Span, ...] = ()
    set_aside: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class _Wanted:
    contract: Contract
    timeframe: Timeframe
    until: datetime  # the end of the newest bar
    count: int | None
    since: datetime | None
    calendar: Calendar


@dataclass(frozen=True, slots=True)
class _Known:
    complete: tuple[Span, ...]
    revision: int

    def list_gaps(self, wanted: _Wanted, span: Span, set_aside: Sequence[Span] = ()) -> tuple[Span, ...]:
        complete = subtract(self.complete, set_aside) if set_aside else self.complete
        return subtract(wanted.calendar.open_spans(span), complete)


class BarReader:
    """Reads bars for strategies, commands and screens. It never asks the venue: jobs do, and store what they get."""

    def __init__(self, recent: RecentBars) -> None:
        self._recent = recent
        self.change = recent.change

    def read(
        self,
        connection: Connection,
        contract: Contract,
        timeframe: Timeframe,
        closed_until: datetime,
        *,
        count: int | None = None,
        since: datetime | None = None,
    ) -> BarsRead:
        """Return the bars that have closed by `closed_until`: the newest `count`, or those that start from `since` on.

        There are fewer than `count` if fewer are stored. Raise ValueError unless exactly one of both is given.
        """
        if (count is None) == (since is None):
            raise ValueError(f"count {count} and since {since}: expected one of them")
        calendar = assumed_calendar_of(ROOTS[contract.root].group)
        until = newest_close(closed_until, timeframe, calendar)
        wanted = _Wanted(contract, timeframe, until, count, since, calendar)
        found = self._recent.read(contract.id, timeframe)
        if found.block is not None and found.block.span.end >= until:
            chosen = _choose(found.block, wanted)
            if chosen is not None:
                return BarsRead(chosen, until, "memory" if found.was_in_memory else "redis")
        known = _Known(*bar_coverage.read_with_revision(connection, contract.id))
        return self._extend(connection, wanted, found, known) or self._read_stored(connection, wanted, found, known)

    def refresh(self, connection: Connection, contract: Contract, closed_until: datetime) -> None:
        """Add the newest bars to each block of the contract that Redis has, so that a strategy finds them there.

        If older bars have changed since one was written, and Redis was not told, none of them is used any more.
        """
        calendar = assumed_calendar_of(ROOTS[contract.root].group)
        known = _Known(*bar_coverage.read_with_revision(connection, contract.id))
        for timeframe in COMMON:
            found = self._recent.read(contract.id, timeframe)
            if found.block is not None and found.block.revision != known.revision:
                self._recent.forget(contract.id)
                return
            until = newest_close(closed_until, timeframe, calendar)
            self._extend(connection, _Wanted(contract, timeframe, until, 1, None, calendar), found, known)

    def _extend(self, connection: Connection, wanted: _Wanted, found: Found, known: _Known) -> BarsRead | None:
        """Return what a block that ends too early has when the bars after it are added; None if it has too few."""
        block = found.block
        if block is None or found.stamp is None or block.span.end >= wanted.until or block.revision != known.revision:
            return None
        added = Span(block.span.end, wanted.until)
        if known.list_gaps(wanted, added):
            return None
        minutes = bars.read(connection, wanted.contract.id, added)
        set_aside = list_set_aside(connection, wanted.contract.id, added, minutes)
        if set_aside and known.list_gaps(wanted, added, set_aside):
            return None
        after = join([block.bars, roll_up(minutes, wanted.timeframe, wanted.until, wanted.calendar)])
        extended = BarBlock(after, Span(block.span.start, wanted.until), known.revision)
        self._recent.write(wanted.contract.id, wanted.timeframe, extended, found.stamp)
        chosen = _choose(extended, wanted)
        return None if chosen is None else BarsRead(chosen, wanted.until, "postgres")

    def _read_stored(self, connection: Connection, wanted: _Wanted, found: Found, known: _Known) -> BarsRead:
        for start, is_last in self._list_starts(connection, wanted, known):
            span = Span(start, wanted.until)
            minutes = bars.read(connection, wanted.contract.id, span)
            rolled = roll_up(minutes, wanted.timeframe, wanted.until, wanted.calendar)
            rolled = rolled[rolled.seconds >= seconds_of(start)]
            if is_last or wanted.count is None or len(rolled) >= wanted.count:
                break
        set_aside = list_set_aside(connection, wanted.contract.id, span, minutes)
        gaps = known.list_gaps(wanted, span, set_aside)
        if gaps and wanted.count is not None and len(rolled) >= wanted.count:
            rolled = rolled[-wanted.count :]
            span = Span(time_of(int(rolled.seconds[0])), wanted.until)
            gaps = intersect(gaps, [span])
        is_newest = found.block is None or found.block.span.end <= wanted.until
        if found.stamp is not None and is_newest and not gaps:
            block = BarBlock(rolled, span, known.revision)
            self._recent.write(wanted.contract.id, wanted.timeframe, block, found.stamp)
        chosen = rolled if wanted.count is None else rolled[-wanted.count :]
        as_of = complete_until(gaps, wanted.until, wanted.calendar)
        return BarsRead(chosen, as_of, "postgres", gaps, intersect(gaps, set_aside))

    def _list_starts(self, connection: Connection, wanted: _Wanted, known: _Known) -> Iterator[tuple[datetime, bool]]:
        """Yield ever earlier instants from which enough bars may be stored, and whether none before it helps."""
        if wanted.since is not None:
            yield min(wanted.since, wanted.until), True
            return
        starts = [span.start for span in known.complete[:1]]
        starts += [first for first in [bars.find_first(connection, wanted.contract.id)] if first is not None]
        first, count = min([*starts, wanted.until]), wanted.count or 1
        while True:
            start = max(_go_back(wanted, count, first), first)
            yield start, start == first
            count *= 2


def complete_until(gaps: Sequence[Span], until: datetime, calendar: Calendar) -> datetime:
    """Return the instant after which no minute before `until` is complete; a closed market leaves none open.

    The gaps are those before `until`, oldest first.
    """
    as_of = until
    for gap in reversed(gaps):
        if any(calendar.open_spans(Span(gap.end, as_of))):
            break
        as_of = gap.start
    return as_of


def _choose(block: BarBlock, wanted: _Wanted) -> BarColumns | None:
    """Return the bars that are wanted; None if the block begins too late."""
    closed = block.bars[block.bars.seconds < seconds_of(wanted.until)]
    if wanted.count is not None:
        return closed[-wanted.count :] if len(closed) >= wanted.count else None
    if wanted.since is None or wanted.since < block.span.start:
        return None
    return closed[closed.seconds >= seconds_of(wanted.since)]


def _go_back(wanted: _Wanted, count: int, first: datetime) -> datetime:
    """Return the start of the bar of which the newest one is the `count`-th after it, were each traded.

    It looks no further back than `first`: from there on any instant before it will do.
    """
    start, timeframe = wanted.until, wanted.timeframe
    step = _LOOK_BACK[timeframe.unit]
    left = count
    while left > 0 and start > first:
        before = Span(start - step, start)
        periods = [one for one in list_periods(before, timeframe, wanted.calendar) if one.start < start]
        for period in reversed(periods):
            length = period.duration if timeframe.minutes is None else timeframe.minutes * MINUTE
            in_period = -(-(min(period.end, wanted.until) - period.start) // length)
            start = period.start + max(in_period - left, 0) * length
            left -= in_period
            if left <= 0:
                break
        else:
            start = min(start, before.start)
    return start
