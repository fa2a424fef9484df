"""The calendar of every known year, compared with a plain oracle that reads Chicago's wall clock."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from dateutil.easter import easter
from hypothesis import example, given
from hypothesis import strategies as st

from shared.domain.market_data.calendar import CHICAGO, assumed_calendar_of, calendar_of
from shared.domain.market_data.coverage import Span
from shared.domain.market_data.holidays import SpecialHours, special_hours_on
from shared.errors import OutsideCalendarError

YEARS = range(2018, 2029)
GLOBEX = ["equity", "metals", "energy", "currency", "rates", "crypto"]
GROUPS = [*GLOBEX, "grains", "livestock"]
TRADED_ON_HOLIDAYS = {"currency", "crypto"}  # since 2022
LAST_EQUITY_PAUSE = date(2021, 6, 25)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
MONDAY, THURSDAY, FRIDAY, SUNDAY = 0, 3, 4, 6
minutes = st.integers(0, int((date(2028, 12, 29) - date(2018, 1, 3)) / timedelta(minutes=1)))
instants = minutes.map(lambda number: datetime(2018, 1, 3, tzinfo=UTC) + number * timedelta(minutes=1))


def is_closed_on(day: date, group: str) -> bool:
    return special_hours_on(day, group).is_closed


def early_close_on(day: date, group: str) -> time | None:
    return special_hours_on(day, group).closes


def days() -> Iterator[date]:
    day = date(YEARS[0], 1, 3)
    while day < date(YEARS[-1], 12, 31):
        yield day
        day += DAY


def nth_weekday(year: int, month: int, weekday: int, count: int) -> date:
    first = date(year, month, 1)
    return first + (weekday - first.weekday()) % 7 * DAY + (count - 1) * 7 * DAY


def clock_changes(year: int) -> tuple[date, date]:
    """Return the Sundays on which summer time begins and ends in Chicago: second of March, first of November."""
    return nth_weekday(year, 3, SUNDAY, 2), nth_weekday(year, 11, SUNDAY, 1)


def observed_date(day: date) -> date:
    return day - DAY if day.weekday() == FRIDAY + 1 else day + DAY if day.weekday() == SUNDAY else day


def holidays_of(year: int) -> set[date]:
    """Return the holidays and early closes of United States markets, by their rules and not by our table."""
    memorial = nth_weekday(year, 5, MONDAY, 4)
    moving = {
        nth_weekday(year, 1, MONDAY, 3),  # Martin Luther King
        nth_weekday(year, 2, MONDAY, 3),  # Presidents
        easter(year) - 2 * DAY,  # Good Friday
        memorial + 7 * DAY if (memorial + 7 * DAY).month == 5 else memorial,
        nth_weekday(year, 9, MONDAY, 1),  # Labor
        nth_weekday(year, 11, THURSDAY, 4),  # Thanksgiving
        nth_weekday(year, 11, THURSDAY, 4) + DAY,
    }
    new_year = date(year, 1, 1)
    fixed = {observed_date(date(year, 7, 4)), observed_date(date(year, 12, 25))}
    if year >= 2022:
        fixed.add(observed_date(date(year, 6, 19)))
    return moving | fixed | ({observed_date(new_year)} if new_year.weekday() != FRIDAY + 1 else set())


def is_open_by_wall_clock(group: str, at: datetime) -> bool:
    """Whether the market trades, by the wall clock in Chicago and the holiday table alone."""
    wall = at.astimezone(CHICAGO)
    clock, today, tomorrow = wall.time(), wall.date(), wall.date() + DAY
    if group == "livestock":
        return _has_session(group, today) and time(8, 30) <= clock < _closing_time(group, today, time(13, 5))
    if group == "grains":
        is_paused = time(7, 45) <= clock < time(8, 30)
        evening = clock >= time(19) and _has_session(group, tomorrow) and not _opens_late(tomorrow)
        return evening or (
            _has_session(group, today)
            and clock < _closing_time(group, today, time(13, 20))
            and not is_paused
            and not (_opens_late(today) and clock < time(8, 30))
        )
    evening = clock >= time(17) and _has_session(group, tomorrow)
    is_paused = group == "equity" and today <= LAST_EQUITY_PAUSE and time(15, 15) <= clock < time(15, 30)
    return evening or (_has_session(group, today) and clock < _closing_time(group, today, time(16)) and not is_paused)


def _has_session(group: str, day: date) -> bool:
    return day.weekday() <= FRIDAY and not is_closed_on(day, group)


def _opens_late(day: date) -> bool:
    return special_hours_on(day, "grains").opens is not None


def _closing_time(group: str, day: date, regular: time) -> time:
    return early_close_on(day, group) or regular


@given(instants, st.sampled_from(GROUPS))
@example(datetime(2026, 3, 8, 22, tzinfo=UTC), "equity")  # the first Sunday of summer time, 17:00
@example(datetime(2026, 3, 8, 21, 59, tzinfo=UTC), "equity")
@example(datetime(2026, 11, 1, 23, tzinfo=UTC), "equity")  # the first Sunday of winter time, 17:00
@example(datetime(2026, 11, 1, 22, 59, tzinfo=UTC), "equity")
def test_a_market_is_open_by_the_wall_clock_in_chicago(at: datetime, group: str) -> None:
    assert is_open_by_wall_clock(group, at) is calendar_of(group).is_open(at)


@pytest.mark.parametrize("year", YEARS)
@pytest.mark.parametrize("group", GROUPS)
def test_every_minute_around_both_clock_changes_agrees_with_the_wall_clock(year: int, group: str) -> None:
    calendar = calendar_of(group)
    for sunday in clock_changes(year):
        friday_noon = datetime.combine(sunday - 2 * DAY, time(12), UTC)
        for minute in range(0, 96 * 60, 5):
            at = friday_noon + minute * timedelta(minutes=1)
            assert is_open_by_wall_clock(group, at) is calendar.is_open(at), at


@pytest.mark.parametrize("group", GLOBEX)
def test_every_regular_session_opens_at_17_and_lasts_23_hours_also_when_clocks_change(group: str) -> None:
    for day in days():
        session = calendar_of(group).session_on(day)
        if session is None:
            assert day.weekday() > FRIDAY or is_closed_on(day, group), day
            continue
        assert datetime.combine(day - DAY, time(17)) == session.opens.astimezone(CHICAGO).replace(tzinfo=None)
        if early_close_on(day, group) is None:
            assert 23 * HOUR == session.closes - session.opens, day


@pytest.mark.parametrize("year", YEARS)
def test_the_week_after_a_clock_change_opens_on_sunday_with_its_utc_hour_shifted(year: int) -> None:
    for sunday, hour_before, hour_after in zip(clock_changes(year), (23, 22), (22, 23), strict=True):
        before = calendar_of("equity").session_on(sunday - 2 * DAY)
        after = calendar_of("equity").session_on(sunday + DAY)
        assert before is not None
        assert after is not None
        assert (hour_before, hour_after) == (before.opens.hour, after.opens.hour)
        assert sunday == after.opens.date()


@pytest.mark.parametrize("year", YEARS)
@pytest.mark.parametrize("group", GROUPS)
def test_the_table_contains_every_holiday_of_the_rules(year: int, group: str) -> None:
    kept = holidays_of(year)
    if group in TRADED_ON_HOLIDAYS and year >= 2022:
        kept = {day for day in kept if day.weekday() == FRIDAY or day.month == 12 or (day.month == 1 and day.day < 3)}
    missing = [day for day in sorted(kept) if not is_closed_on(day, group) and early_close_on(day, group) is None]

    assert [] == missing


@pytest.mark.parametrize("year", YEARS)
def test_the_table_contains_no_other_days_except_eves_days_after_and_days_of_mourning(year: int) -> None:
    extra = {date(2018, 12, 5), date(2025, 1, 9)}  # days of mourning
    eves = {date(year, 7, 3), date(year, 12, 24), date(2020, 7, 2)}
    special = {
        day
        for day in days()
        if day.year == year and any(special_hours_on(day, group) != SpecialHours() for group in GROUPS)
    }
    known = holidays_of(year)

    assert set() == {day for day in special - known - extra - eves if day - DAY not in known}


@pytest.mark.parametrize("year", YEARS)
def test_grains_open_in_the_morning_after_the_four_holidays_without_an_evening_session(year: int) -> None:
    new_year, july, thanksgiving, christmas = (
        observed_date(date(year, 1, 1)),
        observed_date(date(year, 7, 4)),
        nth_weekday(year, 11, THURSDAY, 4),
        observed_date(date(year, 12, 25)),
    )
    mornings = {day + DAY for day in (new_year, july, thanksgiving, christmas) if day.year == year}

    found = {day for day in days() if day.year == year and _opens_late(day)}
    expected = {day for day in mornings if day.weekday() <= FRIDAY and day >= date(2018, 1, 3)}
    assert expected == found


@pytest.mark.parametrize("group", GLOBEX)
def test_an_early_close_ends_the_session_and_the_trading_before_it(group: str) -> None:
    calendar = calendar_of(group)
    for day in days():
        early, session = early_close_on(day, group), calendar.session_on(day)
        if early is None or session is None:
            continue
        closes = datetime.combine(day, early, CHICAGO)
        assert closes == session.closes
        assert (True, False) == (calendar.is_open(closes - timedelta(minutes=1)), calendar.is_open(closes))
        assert session.flat_by <= closes - timedelta(minutes=15) or session.flat_by.astimezone(CHICAGO).time() == time(
            15, 10
        )
        assert session.last_entry == session.flat_by - timedelta(minutes=2)


@given(instants.filter(lambda at: at.year < 2028), st.integers(1, 20_000), st.sampled_from(GROUPS))
def test_the_open_time_of_a_span_is_the_sum_of_its_two_parts(at: datetime, length: int, group: str) -> None:
    calendar, end = calendar_of(group), at + length * timedelta(minutes=1)
    middle = at + (end - at) / 2

    def total(span: Span) -> timedelta:
        return sum((one.end - one.start for one in calendar.open_spans(span)), timedelta())

    assert total(Span(at, end)) == total(Span(at, middle)) + total(Span(middle, end))


@pytest.mark.parametrize("group", GROUPS)
def test_sessions_follow_each_other_without_overlap_through_all_years(group: str) -> None:
    sessions = [session for day in days() if (session := calendar_of(group).session_on(day)) is not None]

    assert all(one.closes <= two.opens for one, two in pairwise(sessions))
    assert all(two == calendar_of(group).next_session(one.closes) for one, two in pairwise(sessions))


@pytest.mark.parametrize("day", [date(2017, 12, 29), date(2029, 1, 2), date(2031, 7, 4)])
@pytest.mark.parametrize("group", GROUPS)
def test_a_day_beyond_the_table_is_refused_with_its_range_and_assumed_to_be_regular_for_exits(
    day: date, group: str
) -> None:
    at = datetime.combine(day, time(16), UTC)
    expected = f"no market hours for {day}: the holiday table reaches from 2018-01-01 to 2028-12-31"

    with pytest.raises(OutsideCalendarError, match=expected):
        calendar_of(group).session_on(day)
    with pytest.raises(OutsideCalendarError, match="the holiday table reaches"):
        calendar_of(group).is_open(at)
    assert assumed_calendar_of(group).session_on(day) == assumed_calendar_of(group).session_at(at)


def test_grains_that_open_in_the_morning_have_no_pause() -> None:
    session = calendar_of("grains").session_on(date(2026, 11, 27))

    assert session is not None
    assert (datetime(2026, 11, 27, 8, 30), datetime(2026, 11, 27, 12, 5)) == (
        session.opens.astimezone(CHICAGO).replace(tzinfo=None),
        session.closes.astimezone(CHICAGO).replace(tzinfo=None),
    )
    assert () == session.pauses


def test_share_indexes_paused_in_the_afternoon_until_june_2021() -> None:
    friday, monday = (calendar_of("equity").session_on(day) for day in (date(2021, 6, 25), date(2021, 6, 28)))

    assert friday is not None
    assert monday is not None
    assert (1, 0) == (len(friday.pauses), len(monday.pauses))
    assert not calendar_of("equity").is_open(datetime(2021, 6, 25, 15, 20, tzinfo=CHICAGO))
    assert calendar_of("equity").is_open(datetime(2021, 6, 28, 15, 20, tzinfo=CHICAGO))


def test_the_metals_closed_at_noon_on_holidays_until_2021_and_at_half_past_one_since() -> None:
    closes = {day: early_close_on(day, "metals") for day in (date(2021, 9, 6), date(2022, 9, 5), date(2021, 7, 5))}

    assert [time(12), time(13, 30), time(12)] == list(closes.values())
