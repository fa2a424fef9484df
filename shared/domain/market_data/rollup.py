"""Longer bars from one-minute bars: they follow the sessions of the market."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import groupby

import numpy as np

from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.bar_columns import BarColumns, Integers, seconds_of, time_of
from shared.domain.market_data.calendar import Calendar, trading_day_at, trading_day_begins, trading_week_of
from shared.domain.market_data.coverage import Span
from shared.domain.market_data.timeframe import ONE_MINUTE, Timeframe

_ONE_DAY = Timeframe("minute", 1_440)
_TO_NEXT = {"week": timedelta(days=7), "month": timedelta(days=45)}  # from the first day of one into the next


def roll_up(
    bars: BarColumns, timeframe: Timeframe, closed_until: datetime, calendar: Calendar, *, with_forming: bool = False
) -> BarColumns:
    """Return the bars of `timeframe` made of `bars`, those of one minute, that have closed by `closed_until`.

    They are counted from the opening of each session, and the last of a session ends with it: the bars of 4 hours of a
    session from 17:00 to 16:00 start at 17:00, 21:00, 1:00, 5:00, 9:00 and 13:00, and the last has 3 hours. One day is
    the whole session; a week and a month are the sessions of their trading days. A minute without a trade has no bar;
    the longer bar is made of the other minutes. Of minutes outside a session none is made longer than a minute.
    `with_forming` adds the bar that has not closed by `closed_until`, of the minutes that have.
    """
    until = seconds_of(closed_until)
    minutes = bars[: np.searchsorted(bars.seconds, until - 60, side="right")]
    if timeframe == ONE_MINUTE:
        return minutes
    used, opens, closes = _place(minutes, timeframe, calendar)
    if not len(used):
        return used
    starts, length = opens, None if timeframe.minutes is None else timeframe.minutes * 60
    if length is not None:
        starts = used.seconds - (used.seconds - opens) % length
    firsts = np.flatnonzero(np.concatenate(([True], starts[1:] != starts[:-1])))
    ends = closes[firsts] if length is None else np.minimum(starts[firsts] + length, closes[firsts])
    edges = np.append(firsts, len(used))
    if not with_forming:
        edges = edges[: np.searchsorted(ends, until, side="right") + 1]
    firsts, used = edges[:-1], used[: edges[-1]]
    if not len(firsts):
        return used
    return BarColumns(
        starts[firsts],
        used.open[firsts],
        np.maximum.reduceat(used.high, firsts),
        np.minimum.reduceat(used.low, firsts),
        used.close[edges[1:] - 1],
        np.add.reduceat(used.volume, firsts),
    )


def list_spans(wanted: Span, timeframe: Timeframe, calendar: Calendar) -> Iterator[Span]:
    """Yield the spans of the bars of `timeframe` that overlap `wanted`, oldest first; as `roll_up` counts them."""
    for period in list_periods(wanted, timeframe, calendar):
        length = period.duration if timeframe.minutes is None else timeframe.minutes * MINUTE
        for number in range(-(-period.duration // length)):
            start = period.start + number * length
            span = Span(start, min(start + length, period.end))
            if span.overlap(wanted):
                yield span


def list_periods(wanted: Span, timeframe: Timeframe, calendar: Calendar) -> Iterator[Span]:
    """Yield the sessions that overlap `wanted`, or the weeks or months made of them, oldest first."""
    if timeframe.minutes is not None:
        yield from (Span(session.opens, session.closes) for session in calendar.sessions_within(wanted))
        return
    first_of = trading_week_of if timeframe.unit == "week" else _month_of
    begins = trading_day_begins(first_of(trading_day_at(wanted.start)))
    last = first_of(trading_day_at(wanted.end))
    ends = trading_day_begins(first_of(last + _TO_NEXT[timeframe.unit]))
    for _, sessions in groupby(
        calendar.sessions_within(Span(begins, ends)), key=lambda session: first_of(session.trading_day)
    ):
        first, *others = sessions
        period = Span(first.opens, others[-1].closes if others else first.closes)
        if period.overlap(wanted):
            yield period


def newest_close(known_until: datetime, timeframe: Timeframe, calendar: Calendar) -> datetime:
    """Return the newest end of a bar of `timeframe` that is not after `known_until`, whether it was traded or not."""
    if timeframe.minutes is None:
        recent = Span(known_until - 2 * _TO_NEXT[timeframe.unit], known_until)
        return max(period.end for period in list_periods(recent, timeframe, calendar) if period.end <= known_until)
    session, length = calendar.last_session(known_until), timeframe.minutes * MINUTE
    if known_until >= session.closes:
        return session.closes
    closes = session.opens + (known_until - session.opens) // length * length
    return closes if closes > session.opens else calendar.last_session(session.opens).closes


def end_of(start: datetime, timeframe: Timeframe, calendar: Calendar) -> datetime:
    """Return the end of the bar of `timeframe` that starts at an instant, which is a minute long outside a session."""
    return next((span.end for span in list_spans(Span(start, start + MINUTE), timeframe, calendar)), start + MINUTE)


def _place(bars: BarColumns, timeframe: Timeframe, calendar: Calendar) -> tuple[BarColumns, Integers, Integers]:
    """Return the minutes that lie in a session, and for each when its period opens and closes."""
    if timeframe.minutes is None:
        bars, _, _ = _place(bars, _ONE_DAY, calendar)
    if not len(bars):
        return bars, bars.seconds, bars.seconds
    span = Span(time_of(int(bars.seconds[0])), time_of(int(bars.seconds[-1]) + 60))
    periods = list(list_periods(span, timeframe, calendar))
    opens = np.array([seconds_of(period.start) for period in periods], dtype=np.int64)
    closes = np.array([seconds_of(period.end) for period in periods], dtype=np.int64)
    first, last = np.searchsorted(bars.seconds, opens), np.searchsorted(bars.seconds, closes)
    counts = last - first
    if counts.sum() < len(bars):
        is_inside = np.zeros(len(bars), dtype=np.bool_)
        for start, end in zip(first, last, strict=True):
            is_inside[start:end] = True
        bars = bars[is_inside]
    return bars, np.repeat(opens, counts), np.repeat(closes, counts)


def _month_of(day: date) -> date:
    return day.replace(day=1)
