"""Longer bars from one-minute bars."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.bar_columns import from_bars
from shared.domain.market_data.calendar import CHICAGO, Calendar, Session, calendar_of, trading_day_begins
from shared.domain.market_data.coverage import Span
from shared.domain.market_data.rollup import end_of, list_spans, newest_close, roll_up
from shared.domain.market_data.timeframe import COMMON, ONE_MINUTE, Timeframe
from simulator.market.aggregate import aggregate_bars

OPEN = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)
LATER = OPEN + timedelta(days=1)
FIVE = Timeframe.parse("5m")
EQUITY = calendar_of("equity")
# Both changes of the clock, Thanksgiving with its early closes, Christmas, and the turn of a year.
DAYS = [date(2026, 3, 6), date(2026, 10, 30), date(2026, 11, 25), date(2025, 12, 23), date(2025, 12, 30)]


@st.composite
def minutes(draw: st.DrawFn, begins: datetime = OPEN, most: int = 200) -> list[Bar]:
    bars = []
    for offset in sorted(draw(st.sets(st.integers(0, most), min_size=1))):
        low, high = sorted(draw(st.tuples(st.integers(1, 9000), st.integers(1, 9000))))
        first, last = draw(st.tuples(st.integers(low, high), st.integers(low, high)))
        bars.append(Bar(begins + offset * MINUTE, first, high, low, last, draw(st.integers(0, 999))))
    return bars


def rolled(bars: list[Bar], timeframe: Timeframe, until: datetime, calendar: Calendar = EQUITY) -> list[Bar]:
    return roll_up(from_bars(bars), timeframe, until, calendar).to_bars()


def test_five_minutes_become_one_bar() -> None:
    bars = [Bar(OPEN + n * MINUTE, 100 + n, 110 + n, 90 - n, 101 + n, 10) for n in range(5)]

    assert [Bar(OPEN, 100, 114, 86, 105, 50)] == rolled(bars, FIVE, OPEN + 5 * MINUTE)


def test_a_bar_that_has_not_closed_is_left_out_unless_it_is_asked_for() -> None:
    bars = [Bar(OPEN + n * MINUTE, 100, 110 + n, 90, 101, 10) for n in range(9)]

    assert [OPEN] == [bar.start for bar in rolled(bars, FIVE, OPEN + 9 * MINUTE)]
    forming = roll_up(from_bars(bars), FIVE, OPEN + 8 * MINUTE, EQUITY, with_forming=True).to_bars()
    assert [50, 30] == [bar.volume for bar in forming]
    assert [114, 117] == [bar.high for bar in forming]


def test_without_bars_the_rollup_is_empty() -> None:
    assert [] == rolled([], FIVE, OPEN)


@given(minutes())
def test_a_rollup_keeps_volume_and_price_extremes(bars: list[Bar]) -> None:
    made = rolled(bars, FIVE, LATER)

    assert sum(bar.volume for bar in bars) == sum(bar.volume for bar in made)
    assert (max(bar.high for bar in bars), min(bar.low for bar in bars)) == (
        max(bar.high for bar in made),
        min(bar.low for bar in made),
    )
    assert (bars[0].open, bars[-1].close) == (made[0].open, made[-1].close)
    assert {OPEN + (bar.start - OPEN) // (5 * MINUTE) * 5 * MINUTE for bar in bars} == {bar.start for bar in made}


def period_of(session: Session, at: datetime, timeframe: Timeframe) -> Span:
    """Return the bar of `at` by looking at one session or day after the other."""
    if timeframe.minutes is not None:
        start = session.opens
        while start + timeframe.minutes * MINUTE <= at:
            start += timeframe.minutes * MINUTE
        return Span(start, min(start + timeframe.minutes * MINUTE, session.closes))
    first = session.trading_day
    while not (first.weekday() == 0 if timeframe.unit == "week" else first.day == 1):
        first -= timedelta(days=1)
    days = [first + timedelta(days=number) for number in range(7 if timeframe.unit == "week" else 31)]
    days = [day for day in days if timeframe.unit == "week" or day.month == first.month]
    sessions = [one for day in days if (one := EQUITY.session_on(day)) is not None]
    return Span(sessions[0].opens, sessions[-1].closes)


def naive(bars: list[Bar], timeframe: Timeframe, until: datetime) -> list[Bar]:
    made: dict[Span, list[Bar]] = {}
    for bar in bars:
        session = EQUITY.session_at(bar.start)
        if timeframe == ONE_MINUTE:
            made[Span(bar.start, bar.start + MINUTE)] = [bar]
        elif session is not None:
            made.setdefault(period_of(session, bar.start, timeframe), []).append(bar)
    return [merge(span.start, of) for span, of in made.items() if span.end <= until]


def merge(start: datetime, of: list[Bar]) -> Bar:
    high, low = max(bar.high for bar in of), min(bar.low for bar in of)
    return Bar(start, of[0].open, high, low, of[-1].close, sum(bar.volume for bar in of))


@given(st.data(), st.sampled_from(DAYS), st.sampled_from([*map(str, COMMON), "7m", "90m", "1w", "1mo"]))
def test_every_timeframe_equals_a_naive_one_across_clock_changes_and_holidays(
    data: st.DataObject, day: date, text: str
) -> None:
    begins = trading_day_begins(day)
    bars = data.draw(minutes(begins, most=6 * 1440))
    until = begins + timedelta(minutes=data.draw(st.integers(1, 40 * 1440)))

    assert naive(bars, Timeframe.parse(text), until) == rolled(bars, Timeframe.parse(text), until)


def starts_of(day: date, timeframe: str, group: str = "equity") -> list[str]:
    """Return the starts of the bars of a trading day, and the end of the last one, in Chicago."""
    session = calendar_of(group).session_on(day)
    assert session is not None
    wanted = Span(session.opens, session.closes)
    spans = list(list_spans(wanted, Timeframe.parse(timeframe), calendar_of(group)))
    return [f"{at.astimezone(CHICAGO):%H:%M}" for at in [*(span.start for span in spans), spans[-1].end]]


@pytest.mark.parametrize("day", [date(2026, 1, 13), date(2026, 7, 14), date(2026, 3, 9), date(2026, 11, 2)], ids=str)
def test_long_bars_follow_the_session_in_winter_summer_and_after_both_clock_changes(day: date) -> None:
    assert ["17:00", "21:00", "01:00", "05:00", "09:00", "13:00", "16:00"] == starts_of(day, "4h")
    assert ["17:00", "16:00"] == starts_of(day, "1d")


def test_the_last_bar_of_a_short_session_ends_with_it() -> None:
    assert ["17:00", "21:00", "01:00", "05:00", "09:00", "12:15"] == starts_of(date(2026, 11, 27), "4h")


def test_the_hours_of_a_market_that_opens_at_half_past_begin_then() -> None:
    hours = starts_of(date(2026, 7, 14), "1h", "livestock")

    assert ["08:30", "09:30", "10:30", "11:30", "12:30", "13:05"] == hours


@pytest.mark.parametrize(
    ("known_until", "timeframe", "closes"),
    [
        ("2026-07-13 16:00", "4h", "2026-07-13 16:00"),  # three hours long
        ("2026-07-13 15:59", "4h", "2026-07-13 13:00"),
        ("2026-07-13 20:59", "4h", "2026-07-13 16:00"),  # the session before, as none has closed yet
        ("2026-07-12 17:00", "5m", "2026-07-10 16:00"),  # a weekend
        ("2026-07-13 15:59", "1d", "2026-07-10 16:00"),
        ("2026-07-13 16:30", "5m", "2026-07-13 16:00"),
        ("2026-07-13 10:07", "5m", "2026-07-13 10:05"),
        ("2026-07-13 10:07", "1w", "2026-07-10 16:00"),
        ("2026-07-10 16:00", "1w", "2026-07-10 16:00"),
        ("2026-07-13 10:07", "1mo", "2026-06-30 16:00"),
        ("2026-03-01 10:07", "1mo", "2026-02-27 16:00"),
    ],
)
def test_the_newest_close_is_that_of_a_session(known_until: str, timeframe: str, closes: str) -> None:
    at = datetime.fromisoformat(known_until).replace(tzinfo=CHICAGO).astimezone(UTC)

    newest = newest_close(at, Timeframe.parse(timeframe), EQUITY)
    assert closes == f"{newest.astimezone(CHICAGO):%Y-%m-%d %H:%M}"
    if timeframe != "1mo":
        assert newest == end_of(newest - MINUTE, Timeframe.parse(timeframe), EQUITY)


@pytest.mark.parametrize("text", ["30s", "0m", "1441m", "2d", "2w", "3mo", "5", "", "1M", "m", "½h", "-5m"])
def test_a_timeframe_that_bars_of_minutes_do_not_make_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"timeframe '{text}' is "):
        Timeframe.parse(text)


@pytest.mark.parametrize(
    ("text", "shown"), [("60m", "1h"), ("24h", "1d"), ("90m", "90m"), ("1w", "1w"), ("1mo", "1mo")]
)
def test_a_timeframe_is_shown_as_people_write_it(text: str, shown: str) -> None:
    assert shown == str(Timeframe.parse(text))


@given(minutes(), st.integers(1, 600))
def test_a_long_bar_is_that_of_the_simulator(bars: list[Bar], length: int) -> None:
    """The simulator has a rollup of its own, which goes backwards."""
    session = EQUITY.session_at(OPEN)
    assert session is not None
    timeframe = timedelta(minutes=length)
    made = aggregate_bars(bars[::-1], lambda at: session.opens + (at - session.opens) // timeframe * timeframe)

    assert [bar for bar in made if bar is not None][::-1] == rolled(bars, Timeframe("minute", length), session.closes)
