"""Longer bars from one-minute bars: they follow the sessions of the market."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.calendar import Calendar, Session
from shared.domain.market_data.coverage import Span

_DAY = timedelta(days=1)


def roll_up(bars: Sequence[Bar], timeframe: timedelta, closed_until: datetime, calendar: Calendar) -> list[Bar]:
    """Return the bars of `timeframe` made of `bars` (one minute, oldest first) that have closed by `closed_until`.

    They are counted from the opening of each session, and the last of a session ends with it: the bars of 4 hours of a
    session from 17:00 to 16:00 start at 17:00, 21:00, 1:00, 5:00, 9:00 and 13:00, and the last has 3 hours. One day is
    the whole session. A minute without a trade has no bar; the longer bar is made of the other minutes, and of those
    outside a session none is made. Raise ValueError for a timeframe that is no whole number of minutes, or longer than
    a day.
    """
    if not bars:
        return []
    rolled, index = [], 0
    for span in list_spans(Span(bars[0].start, bars[-1].start + MINUTE), timeframe, calendar):
        if span.end > closed_until:
            break
        while index < len(bars) and bars[index].start < span.start:
            index += 1
        first = index
        while index < len(bars) and bars[index].start < span.end:
            index += 1
        if first < index:
            rolled.append(_merge(bars[first:index], span.start))
    return rolled


def list_spans(wanted: Span, timeframe: timedelta, calendar: Calendar) -> Iterator[Span]:
    """Yield the spans of the bars of `timeframe` that overlap `wanted`, oldest first; as `roll_up` counts them."""
    _require_timeframe(timeframe)
    for session in calendar.sessions_within(wanted):
        for number in range(-(-(session.closes - session.opens) // timeframe)):
            start = session.opens + number * timeframe
            span = Span(start, min(start + timeframe, session.closes))
            if span.overlap(wanted):
                yield span


def newest_close(known_until: datetime, timeframe: timedelta, calendar: Calendar) -> datetime:
    """Return the newest end of a bar of `timeframe` that is not after `known_until`, whether it was traded or not."""
    _require_timeframe(timeframe)
    session = calendar.last_session(known_until)
    if known_until >= session.closes:
        return session.closes
    closes = session.opens + (known_until - session.opens) // timeframe * timeframe
    return closes if closes > session.opens else calendar.last_session(session.opens).closes


def end_of(start: datetime, timeframe: timedelta, calendar: Calendar) -> datetime:
    """Return the end of the bar of `timeframe` that starts at an instant of a session."""
    session: Session | None = calendar.session_at(start)
    return start + timeframe if session is None else min(start + timeframe, session.closes)


def minute_of(at: datetime) -> datetime:
    """Return the start of the minute that contains `at`."""
    return at.replace(second=0, microsecond=0)


def _require_timeframe(timeframe: timedelta) -> None:
    if not MINUTE <= timeframe <= _DAY or timeframe % MINUTE:
        raise ValueError(f"timeframe {timeframe} is not a whole number of minutes from one to a day")


def _merge(minutes: Sequence[Bar], start: datetime) -> Bar:
    return Bar(
        start,
        open=minutes[0].open,
        high=max(bar.high for bar in minutes),
        low=min(bar.low for bar in minutes),
        close=minutes[-1].close,
        volume=sum(bar.volume for bar in minutes),
    )
