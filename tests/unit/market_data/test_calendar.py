"""Market hours, compared with the published hours and with recorded bars."""

import csv
import gzip
import itertools
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.calendar import CHICAGO, calendar_of, count_trading_days
from shared.domain.market_data.coverage import Span

GROUPS = ["equity", "metals", "energy", "currency", "rates", "crypto", "grains", "livestock"]
instants = st.datetimes(min_value=datetime(2022, 1, 10), max_value=datetime(2027, 11, 30), timezones=st.just(UTC))


def chicago(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=CHICAGO).astimezone(UTC)


def recorded_starts(recorded_bars: Path, name: str) -> list[datetime]:
    with gzip.open(recorded_bars.parent / f"{name}.csv.gz", "rt") as file:
        return sorted(datetime.fromisoformat(row["t"]) for row in csv.DictReader(file))


def test_a_trading_day_opens_at_17_on_the_evening_before_and_closes_at_16() -> None:
    session = calendar_of("equity").session_on(date(2026, 11, 24))

    assert session is not None
    assert (chicago("2026-11-23T17:00"), chicago("2026-11-24T16:00")) == (session.opens, session.closes)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-23T15:59", True),
        ("2026-11-23T16:00", False),
        ("2026-11-23T16:59", False),
        ("2026-11-23T17:00", True),
        ("2026-11-20T16:00", False),  # Friday
        ("2026-11-21T12:00", False),  # Saturday
        ("2026-11-22T16:59", False),
        ("2026-11-22T17:00", True),  # Sunday
        ("2026-11-26T12:00", False),  # Thanksgiving, early close
        ("2026-11-26T17:00", True),
        ("2026-12-25T10:00", False),
    ],
)
def test_equities_close_in_the_daily_halt_on_weekends_and_holidays(at: str, expected: bool) -> None:  # noqa: FBT001
    assert expected is calendar_of("equity").is_open(chicago(at))


def test_daylight_saving_moves_the_open_in_utc_and_not_in_chicago() -> None:
    winter = calendar_of("metals").session_on(date(2026, 3, 6))
    summer = calendar_of("metals").session_on(date(2026, 3, 9))

    assert winter is not None
    assert summer is not None
    assert (23, 22) == (winter.opens.hour, summer.opens.hour)


def test_grains_pause_in_the_morning_inside_their_session() -> None:
    grains = calendar_of("grains")

    assert not grains.is_open(chicago("2026-11-24T08:00"))
    assert grains.session_at(chicago("2026-11-24T08:00")) is not None
    assert grains.is_open(chicago("2026-11-24T08:30"))


def test_a_market_that_trades_on_while_others_close_early_is_to_be_flat_with_them() -> None:
    session = calendar_of("currency").session_on(date(2026, 11, 26))
    assert session is not None

    assert (chicago("2026-11-26T16:00"), chicago("2026-11-26T11:45")) == (session.closes, session.flat_by)
    assert chicago("2026-11-26T11:43") == session.last_entry


def test_positions_must_be_flat_by_15_10_and_earlier_on_an_early_close() -> None:
    regular = calendar_of("equity").session_on(date(2026, 11, 24))
    early = calendar_of("equity").session_on(date(2026, 11, 26))

    assert regular is not None
    assert early is not None
    assert (chicago("2026-11-24T15:10"), chicago("2026-11-26T11:45")) == (regular.flat_by, early.flat_by)
    assert chicago("2026-11-24T15:08") == regular.last_entry


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-23T16:59", False),
        ("2026-11-23T17:00", True),
        ("2026-11-24T15:07:59", True),
        ("2026-11-24T15:08", False),
    ],
)
def test_entries_are_taken_from_the_open_until_two_minutes_before_flat(at: str, expected: bool) -> None:  # noqa: FBT001
    session = calendar_of("equity").session_on(date(2026, 11, 24))

    assert session is not None
    assert expected is session.takes_entries_at(chicago(at))


@given(instants, st.sampled_from(GROUPS))
def test_every_instant_lies_in_a_session_or_before_the_next_one(at: datetime, group: str) -> None:
    calendar = calendar_of(group)
    session = calendar.session_at(at)

    if session is None:
        assert calendar.next_session(at).opens > at
        assert not calendar.is_open(at)
    else:
        assert session.opens <= at < session.closes
        assert session.trading_day == calendar.trading_day_of(at)


@given(instants, st.integers(1, 6000), st.sampled_from(GROUPS))
def test_open_spans_are_sorted_disjoint_and_open(at: datetime, minutes: int, group: str) -> None:
    calendar = calendar_of(group)
    wanted = Span(at, at + minutes * MINUTE)
    spans = list(calendar.open_spans(wanted))

    assert spans == sorted(spans)
    assert all(one.end <= two.start for one, two in itertools.pairwise(spans))
    assert all((calendar.is_open(span.start) and not calendar.is_open(span.end)) or span.end == wanted.end
               for span in spans)  # fmt: skip


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2026-11-23", "2026-11-23", 0),
        ("2026-11-23", "2026-11-24", 1),
        ("2026-11-27", "2026-11-30", 1),
        ("2026-11-23", "2026-11-30", 5),
    ],
)
def test_a_weekend_is_no_trading_day_and_a_holiday_is_one(first: str, last: str, expected: int) -> None:
    assert expected == count_trading_days(date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize("name", ["mgcm2-1m-2022-04", "mgcg5-1m-2024-12"])
def test_every_recorded_bar_lies_in_an_open_session(recorded_bars: Path, name: str) -> None:
    metals = calendar_of("metals")
    outside = [start for start in recorded_starts(recorded_bars, name) if not metals.is_open(start)]

    assert [] == outside


@pytest.mark.parametrize("name", ["mgcm2-1m-2022-04", "mgcg5-1m-2024-12"])
def test_the_market_traded_within_the_first_and_last_hour_of_every_session(recorded_bars: Path, name: str) -> None:
    starts = recorded_starts(recorded_bars, name)
    metals = calendar_of("metals")
    hour = timedelta(hours=1)

    for span in metals.open_spans(Span(starts[0], starts[-1])):
        inside = [start for start in starts if span.start <= start < span.end]
        assert inside, span
        assert inside[0] < span.start + hour, span
        assert inside[-1] >= span.end - hour, span
