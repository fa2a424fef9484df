"""Simulated markets at the end of the holiday table, and beyond it."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from cli.local.market import choose_market, covered_time, next_tradable_time, resolve_market_row
from shared.errors import SettingsError
from tests.unit.local.test_market_choice import choose_seeded, known_row, settings


@pytest.mark.parametrize("day", [datetime(2017, 6, 1, 15, tzinfo=UTC), datetime(2029, 3, 1, 15, tzinfo=UTC)])
def test_a_start_beyond_the_holiday_table_is_refused_with_its_range(day: datetime) -> None:
    with pytest.raises(SettingsError, match=f"invalid --at: no market hours for {day.date()}: the holiday table"):
        choose_market(settings(), starts_market_at=day)


@pytest.mark.parametrize("year", [2029, 2033, 2040])
def test_a_simulated_market_of_a_year_beyond_the_table_begins_whole_weeks_earlier(year: int) -> None:
    now = datetime(year, 3, 14, 15, 30, tzinfo=UTC)
    starts = next_tradable_time(covered_time(now))

    assert 2027 <= starts.year <= 2028
    assert starts == next_tradable_time(starts)
    if starts.date().weekday() == now.weekday():
        assert timedelta() == (now - starts) % timedelta(weeks=1)


def test_a_market_whose_time_has_passed_the_table_is_refused() -> None:
    late = known_row(choose_seeded(), datetime(2029, 1, 3, 15, tzinfo=UTC))

    with pytest.raises(SettingsError, match="come to 2028-12-31, where the holiday table ends: start a new database"):
        resolve_market_row(choose_seeded(), late)


@pytest.mark.parametrize("day", range(20, 32))
def test_a_running_market_never_goes_back_near_the_end_of_the_table(day: int) -> None:
    now = datetime(2028, 12, day, 16, tzinfo=UTC)
    with suppress(SettingsError):
        assert resolve_market_row(choose_seeded(), known_row(choose_seeded(), now)).clock.now() >= now


def test_a_market_without_another_session_in_the_table_is_refused() -> None:
    late = known_row(choose_seeded(), datetime(2028, 12, 30, 16, tzinfo=UTC))

    with pytest.raises(SettingsError, match="start a new database"):
        resolve_market_row(choose_seeded(), late)
