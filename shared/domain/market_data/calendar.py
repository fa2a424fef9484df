"""The sessions and trading days of each group of contracts, in Chicago's time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from shared.domain.market_data.coverage import Span, find_gaps
from shared.domain.market_data.holidays import require_covered, special_hours_on

CHICAGO = ZoneInfo("America/Chicago")
_DAY = timedelta(days=1)
_FRIDAY = 4
_LONGEST_CLOSURE_DAYS = 10
# Where one trading day ends and the next begins. Source: venue.md sections 8.4 and 9.
DAY_BEGINS = time(17)
# TopstepX: flat by 15:10, no new position after 15:08; if a market closes earlier, flat 15 minutes before its close.
# Source: venue.md section 9.
_FLAT_BY = time(15, 10)
_FLAT_BEFORE_EARLY_CLOSE = timedelta(minutes=15)
_NO_ENTRY_BEFORE_FLAT = timedelta(minutes=2)
# On a day when these close early, a market that trades on is to be flat with them: the firm publishes its own hours for
# holidays, which are not known to be later (venue.md section 8.5).
_FIRM_FOLLOWS = "equity"


@dataclass(frozen=True, slots=True)
class Session:
    """One market session, half-open, in UTC; `pauses` lie inside it."""

    trading_day: date
    opens: datetime
    closes: datetime
    pauses: tuple[Span, ...] = ()
    flat_for: datetime | None = None  # the close that the firm's rules count from, if it is not that of the session

    @property
    def flat_by(self) -> datetime:
        """The instant by which the firm requires every position to be closed."""
        regular, closes = _chicago_instant(self.trading_day, _FLAT_BY), self.flat_for or self.closes
        return regular if closes > regular else closes - _FLAT_BEFORE_EARLY_CLOSE

    @property
    def last_entry(self) -> datetime:
        """The instant from which the firm takes no new position."""
        return self.flat_by - _NO_ENTRY_BEFORE_FLAT

    def takes_entries_at(self, market_at: datetime) -> bool:
        """Whether the firm takes new positions at an instant of the session, apart from its pauses."""
        return self.opens <= market_at < self.last_entry


@dataclass(frozen=True, slots=True)
class _Hours:
    """Regular hours: opens on the evening before the trading day, or on the day itself."""

    opens: time
    closes: time
    opens_evening_before: bool = True
    pause: tuple[time, time] | None = None
    last_paused_on: date | None = None  # the trading day after which the pause was given up


_GLOBEX = _Hours(DAY_BEGINS, time(16))
# Source: venue.md sections 8.4 and 8.5.
_HOURS = {
    "equity": _Hours(DAY_BEGINS, time(16), pause=(time(15, 15), time(15, 30)), last_paused_on=date(2021, 6, 25)),
    "metals": _GLOBEX,
    "energy": _GLOBEX,
    "currency": _GLOBEX,
    "rates": _GLOBEX,
    "crypto": _GLOBEX,
    "grains": _Hours(time(19), time(13, 20), pause=(time(7, 45), time(8, 30))),
    "livestock": _Hours(time(8, 30), time(13, 5), opens_evening_before=False),
}


class Calendar:
    """The sessions of one group of contracts; every lookup raises OutsideCalendarError beyond the holiday table.

    With `assumes_regular_days` a day beyond the table counts as regular: for what must go on, such as exits.
    """

    def __init__(self, group: str, *, assumes_regular_days: bool = False) -> None:
        self._group = group
        self._assumes_regular_days = assumes_regular_days
        self._hours = _HOURS[group]
        self._sessions: dict[date, Session | None] = {}

    @property
    def group(self) -> str:
        """The group of contracts, such as equity."""
        return self._group

    @property
    def regular_hours(self) -> tuple[time, time]:
        """When a session opens and closes on a regular day, in Chicago; from 17:00 on it opens the evening before."""
        return self._hours.opens, self._hours.closes

    def session_on(self, trading_day: date) -> Session | None:
        """Return the session of a trading day; None on weekends and when the market is closed all day."""
        if trading_day not in self._sessions:
            if not self._assumes_regular_days:
                require_covered(trading_day)
            self._sessions[trading_day] = self._build_session(trading_day)
        return self._sessions[trading_day]

    def session_at(self, at: datetime) -> Session | None:
        """Return the session that contains the market instant `at`, pauses included, or None."""
        today = at.astimezone(CHICAGO).date()
        for day in (today, today + _DAY):
            session = self.session_on(day)
            if session and session.opens <= at < session.closes:
                return session
        return None

    def next_session(self, at: datetime) -> Session:
        """Return the first session that opens at `at` or later; raise ValueError if none opens within 10 days."""
        day = at.astimezone(CHICAGO).date()
        for _ in range(_LONGEST_CLOSURE_DAYS):
            session = self.session_on(day)
            if session and session.opens >= at:
                return session
            day += _DAY
        raise ValueError(f"no session of {self._group} opens within {_LONGEST_CLOSURE_DAYS} days of {at}")

    def last_session(self, at: datetime) -> Session:
        """Return the newest session that opened before `at`; raise ValueError if none did within 10 days."""
        day = at.astimezone(CHICAGO).date() + _DAY
        for _ in range(_LONGEST_CLOSURE_DAYS):
            session = self.session_on(day)
            if session and session.opens < at:
                return session
            day -= _DAY
        raise ValueError(f"no session of {self._group} opened within {_LONGEST_CLOSURE_DAYS} days before {at}")

    def sessions_within(self, span: Span) -> Iterator[Session]:
        """Yield the sessions of which a part lies in `span`, oldest first."""
        day = span.start.astimezone(CHICAGO).date()
        last = span.end.astimezone(CHICAGO).date() + _DAY
        while day <= last:
            session = self.session_on(day)
            if session and Span(session.opens, session.closes).overlap(span):
                yield session
            day += _DAY

    def is_open(self, at: datetime) -> bool:
        """Whether the market trades at the instant `at`."""
        session = self.session_at(at)
        return session is not None and not any(pause.start <= at < pause.end for pause in session.pauses)

    def trading_day_of(self, at: datetime) -> date:
        """Return the trading day of the session that contains `at`, or of the next session."""
        return (self.session_at(at) or self.next_session(at)).trading_day

    def open_spans(self, span: Span) -> Iterator[Span]:
        """Yield the parts of `span` in which the market trades, oldest first."""
        for session in self.sessions_within(span):
            wanted = Span(session.opens, session.closes).overlap(span)
            if wanted:
                yield from find_gaps(wanted, session.pauses)

    def _build_session(self, trading_day: date) -> Session | None:
        special = special_hours_on(trading_day, self._group)
        if trading_day.weekday() > _FRIDAY or special.is_closed:
            return None
        hours = self._hours
        opens = _chicago_instant(trading_day - _DAY if hours.opens_evening_before else trading_day, hours.opens)
        if special.opens:
            opens = _chicago_instant(trading_day, special.opens)
        closes = _chicago_instant(trading_day, special.closes or hours.closes)
        flat_for = None if special.closes else special_hours_on(trading_day, _FIRM_FOLLOWS).closes
        return Session(
            trading_day,
            opens,
            closes,
            self._find_pauses(trading_day, Span(opens, closes)),
            None if flat_for is None else min(closes, _chicago_instant(trading_day, flat_for)),
        )

    def _find_pauses(self, trading_day: date, session: Span) -> tuple[Span, ...]:
        pause, last = self._hours.pause, self._hours.last_paused_on
        if pause is None or (last is not None and trading_day > last):
            return ()
        start, end = (_chicago_instant(trading_day, clock) for clock in pause)
        return (Span(start, end),) if session.start < start and end < session.end else ()


def trading_day_begins(day: date) -> datetime:
    """Return the instant at which a trading day begins: 17:00 in Chicago on the evening before, for every group."""
    return _chicago_instant(day - _DAY, _GLOBEX.opens)


@cache
def calendar_of(group: str) -> Calendar:
    """Return the calendar of a group of roots, such as equity; raise KeyError for an unknown group."""
    return Calendar(group)


@cache
def assumed_calendar_of(group: str) -> Calendar:
    """Return the calendar of a group that takes every day beyond the holiday table for a regular one.

    It is for bars, exits and the simulator. What decides on an entry asks `calendar_of`.
    """
    return Calendar(group, assumes_regular_days=True)


def trading_day_at(at: datetime) -> date:
    """Return the firm's trading day at the instant `at`: it begins at 17:00 in Chicago; a weekend belongs to Monday.

    A holiday is a trading day too. Source: venue.md section 9.
    """
    local = at.astimezone(CHICAGO)
    day = local.date() + _DAY if local.time() >= DAY_BEGINS else local.date()
    return day + _DAY * max(0, 7 - day.weekday()) if day.weekday() > _FRIDAY else day


def trading_week_of(day: date) -> date:
    """Return the first trading day of the week of a trading day: its Monday, which begins on Sunday evening."""
    return day - _DAY * day.weekday()


def trading_week_ends(week: date) -> datetime:
    """Return the instant at which the week whose first trading day is `week` ends: Friday 17:00 in Chicago."""
    return trading_day_begins(week + _DAY * (_FRIDAY + 1))


def count_trading_days(first: date, last: date) -> int:
    """Return how many trading days end from the day `first` until the day `last` begins."""
    return sum((first + _DAY * number).weekday() <= _FRIDAY for number in range((last - first).days))


def _chicago_instant(day: date, clock: time) -> datetime:
    return datetime.combine(day, clock, CHICAGO).astimezone(UTC)
