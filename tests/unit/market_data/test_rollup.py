"""Longer bars from one-minute bars."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.calendar import CHICAGO, calendar_of
from shared.domain.market_data.coverage import Span
from shared.domain.market_data.rollup import list_spans, newest_close, roll_up
from simulator.market.aggregate import aggregate_bars

OPEN = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)
FIVE = timedelta(minutes=5)
EQUITY = calendar_of("equity")


@st.composite
def minutes(draw: st.DrawFn) -> list[Bar]:
    bars = []
    for offset in sorted(draw(st.sets(st.integers(0, 200), min_size=1))):
        low, high = sorted(draw(st.tuples(st.integers(1, 9000), st.integers(1, 9000))))
        first, last = draw(st.tuples(st.integers(low, high), st.integers(low, high)))
        bars.append(Bar(OPEN + offset * MINUTE, first, high, low, last, draw(st.integers(0, 999))))
    return bars


def test_five_minutes_become_one_bar() -> None:
    bars = [Bar(OPEN + n * MINUTE, 100 + n, 110 + n, 90 - n, 101 + n, 10) for n in range(5)]

    assert [Bar(OPEN, 100, 114, 86, 105, 50)] == roll_up(bars, FIVE, OPEN + FIVE, EQUITY)


def test_a_bar_that_has_not_closed_is_left_out() -> None:
    bars = [Bar(OPEN + n * MINUTE, 100, 110, 90, 101, 10) for n in range(9)]

    assert [OPEN] == [bar.start for bar in roll_up(bars, FIVE, OPEN + 9 * MINUTE, EQUITY)]


def test_without_bars_the_rollup_is_empty() -> None:
    assert [] == roll_up([], FIVE, OPEN, EQUITY)


@given(minutes())
def test_a_rollup_keeps_volume_and_price_extremes(bars: list[Bar]) -> None:
    rolled = roll_up(bars, FIVE, OPEN + timedelta(days=1), EQUITY)

    assert sum(bar.volume for bar in bars) == sum(bar.volume for bar in rolled)
    assert (max(bar.high for bar in bars), min(bar.low for bar in bars)) == (
        max(bar.high for bar in rolled),
        min(bar.low for bar in rolled),
    )
    assert (bars[0].open, bars[-1].close) == (rolled[0].open, rolled[-1].close)
    assert {OPEN + (bar.start - OPEN) // FIVE * FIVE for bar in bars} == {bar.start for bar in rolled}


def starts_of(day: date, timeframe: timedelta, group: str = "equity") -> list[str]:
    """Return the starts of the bars of a trading day, and the end of the last one, in Chicago."""
    session = calendar_of(group).session_on(day)
    assert session is not None
    spans = list(list_spans(Span(session.opens, session.closes), timeframe, calendar_of(group)))
    return [f"{at.astimezone(CHICAGO):%H:%M}" for at in [*(span.start for span in spans), spans[-1].end]]


@pytest.mark.parametrize("day", [date(2026, 1, 13), date(2026, 7, 14), date(2026, 3, 9), date(2026, 11, 2)], ids=str)
def test_long_bars_follow_the_session_in_winter_summer_and_after_both_clock_changes(day: date) -> None:
    assert ["17:00", "21:00", "01:00", "05:00", "09:00", "13:00", "16:00"] == starts_of(day, timedelta(hours=4))
    assert ["17:00", "16:00"] == starts_of(day, timedelta(days=1))


def test_the_last_bar_of_a_short_session_ends_with_it() -> None:
    assert ["17:00", "21:00", "01:00", "05:00", "09:00", "12:15"] == starts_of(date(2026, 11, 27), timedelta(hours=4))


def test_the_hours_of_a_market_that_opens_at_half_past_begin_then() -> None:
    hours = starts_of(date(2026, 7, 14), timedelta(hours=1), "livestock")

    assert ["08:30", "09:30", "10:30", "11:30", "12:30", "13:05"] == hours


@pytest.mark.parametrize(
    ("known_until", "timeframe", "closes"),
    [
        ("2026-07-13 16:00", timedelta(hours=4), "2026-07-13 16:00"),  # three hours long
        ("2026-07-13 15:59", timedelta(hours=4), "2026-07-13 13:00"),
        ("2026-07-13 20:59", timedelta(hours=4), "2026-07-13 16:00"),  # the session before, as none has closed yet
        ("2026-07-12 17:00", timedelta(minutes=5), "2026-07-10 16:00"),  # a weekend
        ("2026-07-13 15:59", timedelta(days=1), "2026-07-10 16:00"),
        ("2026-07-13 16:30", timedelta(minutes=5), "2026-07-13 16:00"),
        ("2026-07-13 10:07", timedelta(minutes=5), "2026-07-13 10:05"),
    ],
)
def test_the_newest_close_is_that_of_a_session(known_until: str, timeframe: timedelta, closes: str) -> None:
    at = datetime.fromisoformat(known_until).replace(tzinfo=CHICAGO).astimezone(UTC)

    assert closes == f"{newest_close(at, timeframe, EQUITY).astimezone(CHICAGO):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize("timeframe", [timedelta(seconds=30), timedelta(seconds=90), timedelta(days=2)], ids=str)
def test_a_timeframe_that_bars_of_minutes_do_not_make_is_refused(timeframe: timedelta) -> None:
    with pytest.raises(ValueError, match="is not a whole number of minutes from one to a day"):
        newest_close(OPEN + MINUTE, timeframe, EQUITY)


@given(minutes(), st.integers(1, 600))
def test_a_long_bar_is_that_of_the_simulator(bars: list[Bar], length: int) -> None:
    """The simulator has a rollup of its own, which goes backwards."""
    session = EQUITY.session_at(OPEN)
    assert session is not None
    timeframe = timedelta(minutes=length)
    made = aggregate_bars(bars[::-1], lambda at: session.opens + (at - session.opens) // timeframe * timeframe)

    assert [bar for bar in made if bar is not None][::-1] == roll_up(bars, timeframe, session.closes, EQUITY)
