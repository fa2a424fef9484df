"""The simulator's bars: exact, newest first, never early, and none after the end of a recording."""

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.venue import MNQ, OPEN_AT, RunningVenue, StartVenue, starting_venues, write_bars

PATH = "/api/History/retrieveBars"
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
ORIGIN = datetime(2022, 4, 4, 22, 5, tzinfo=UTC)  # 17:05 in Chicago, where `tickwork up` starts a replay of April
MGC = "CON.F.US.MGC.M22"


def body(start: str, end: str, **more: Any) -> dict[str, Any]:
    return {
        "contractId": MNQ, "live": False, "startTime": start, "endTime": end, "unit": 2, "unitNumber": 1,
        "limit": 20_000, "includePartialBar": False,
    } | more  # fmt: skip


def retrieve(venue: RunningVenue, start: datetime, end: datetime, **more: Any) -> dict[str, Any]:
    return venue.post(PATH, **body(start.isoformat(), end.isoformat(), **more))


def bars(venue: RunningVenue, start: datetime, end: datetime, **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = retrieve(venue, start, end, **more)["bars"]
    return found


def starts_of(rows: list[dict[str, Any]]) -> list[datetime]:
    return [datetime.fromisoformat(row["t"]) for row in rows]


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    """A stepped market in the middle of a minute."""
    with starting_venues(tmp_path_factory.mktemp("bars")) as start:
        yield start(market_origin=OPEN_AT + timedelta(seconds=30), options=["--stepped"])


def test_a_replay_answers_with_the_exact_closed_bars_of_its_file(start_venue: StartVenue, recorded_bars: Path) -> None:
    with gzip.open(recorded_bars, "rt") as text:
        recorded = [row for row in csv.DictReader(text) if datetime.fromisoformat(row["t"]) < ORIGIN]
    venue = start_venue(replay=recorded_bars, market_origin=ORIGIN)
    answer = venue.send(PATH, body("2022-04-01T00:00:00Z", "2022-04-04T22:05:00Z", contractId=MGC))
    rows = answer.json(parse_float=Decimal)["bars"][::-1]

    assert 1300 < len(recorded) == len(rows)
    for expected, row in zip(recorded, rows, strict=True):
        assert datetime.fromisoformat(expected["t"]) == datetime.fromisoformat(row["t"])
        assert [Decimal(expected[key]) for key in "ohlcv"] == [row[key] for key in "ohlcv"]


def test_a_minute_bar_appears_once_its_minute_is_over_and_equals_the_file(
    start_venue: StartVenue, tmp_path: Path
) -> None:
    opens = datetime(2026, 3, 9, 22, 0, tzinfo=UTC)
    rows = [
        (
            (opens + n * MINUTE).isoformat(),
            f"{25000 + n}.00",
            f"{25001 + n}.25",
            f"{24999 + n}.75",
            f"{25000 + n}.50",
            9,
        )
        for n in range(12)
    ]
    file = write_bars(tmp_path / "mnqh6-1m-2026-03.csv", rows)
    venue = start_venue(replay=file, market_origin=opens, options=["--stepped"])
    for number in range(5, len(rows) + 1):
        closed_starts = [opens + n * MINUTE for n in range(number)]
        venue.step_to(opens + number * MINUTE - timedelta(seconds=1))
        assert closed_starts[:-1] == starts_of(bars(venue, opens, opens + DAY))[::-1], (
            "a bar came before the end of its minute"
        )
        venue.step_to(opens + number * MINUTE)
        assert closed_starts == starts_of(bars(venue, opens, opens + DAY))[::-1], (
            "a bar did not come at the end of its minute"
        )

    last = bars(venue, opens, opens + DAY)[0]
    assert [25011, 25012.25, 25010.75, 25011.5, 9] == [last[key] for key in "ohlcv"]
    assert venue.get_status()["is_silent"]


def test_the_market_is_silent_and_closed_after_the_files_last_bar(start_venue: StartVenue, tmp_path: Path) -> None:
    file = write_bars(tmp_path / "mnqh6-1m-2026-03.csv", [(OPEN_AT.isoformat(), "1", "1", "1", "1", 1)])
    venue = start_venue(replay=file, market_origin=OPEN_AT + MINUTE)
    status, answer = venue.get_status(), venue.place()

    assert (True, False) == (status["is_silent"], status["is_open"])
    assert (OPEN_AT + MINUTE) == datetime.fromisoformat(status["ends_market_at"])
    assert 2 == answer["errorCode"]
    assert "not in an active trading status" in answer["errorMessage"]


def test_bars_come_newest_first_and_the_limit_keeps_the_newest(venue: RunningVenue) -> None:
    all_bars = bars(venue, OPEN_AT - DAY, OPEN_AT)
    part = bars(venue, OPEN_AT - DAY, OPEN_AT, limit=7)

    assert sorted(starts_of(all_bars), reverse=True) == starts_of(all_bars)
    assert all_bars[:7] == part
    assert OPEN_AT - MINUTE == starts_of(part)[0]


def test_the_window_is_half_open(venue: RunningVenue) -> None:
    found = starts_of(bars(venue, OPEN_AT - 10 * MINUTE, OPEN_AT - 5 * MINUTE))

    assert [OPEN_AT - n * MINUTE for n in range(6, 11)] == found


def test_the_forming_bar_comes_only_when_asked_for(venue: RunningVenue) -> None:
    closed = starts_of(bars(venue, OPEN_AT - 5 * MINUTE, OPEN_AT + DAY))
    all_ = starts_of(bars(venue, OPEN_AT - 5 * MINUTE, OPEN_AT + DAY, includePartialBar=True))
    minute = datetime.fromisoformat(venue.get_status()["market_now"]).replace(second=0, microsecond=0)

    assert minute - MINUTE == closed[0]
    assert [minute, *closed] == all_


def test_pages_by_the_oldest_start_neither_skip_nor_repeat_a_bar(venue: RunningVenue) -> None:
    all_bars = starts_of(bars(venue, OPEN_AT - 2 * DAY, OPEN_AT))
    paged: list[datetime] = []
    end = OPEN_AT
    while page := starts_of(bars(venue, OPEN_AT - 2 * DAY, end, limit=500)):
        paged.extend(page)
        end = page[-1]

    assert all_bars == paged
    assert len(all_bars) > 1500


def test_a_request_returns_at_most_twenty_thousand_bars(venue: RunningVenue) -> None:
    assert 20_000 == len(bars(venue, OPEN_AT - 60 * DAY, OPEN_AT))
    assert 4 == retrieve(venue, OPEN_AT - DAY, OPEN_AT, limit=20_001)["errorCode"]


def test_minutes_outside_the_session_have_no_bar(venue: RunningVenue) -> None:
    # 16:00 to 17:00 in Chicago on Monday the 9th, by then summer time: 21:00 to 22:00 UTC.
    found = starts_of(bars(venue, datetime(2026, 3, 9, 20, 58, tzinfo=UTC), datetime(2026, 3, 9, 22, 2, tzinfo=UTC)))

    assert ["22:01", "22:00", "20:59", "20:58"] == [f"{at:%H:%M}" for at in found]


def test_longer_bars_are_aggregated_from_the_minutes(venue: RunningVenue) -> None:
    hour = OPEN_AT - timedelta(hours=1)
    minutes = bars(venue, hour, OPEN_AT)
    (hour_bar,) = bars(venue, hour, OPEN_AT, unit=3)
    fives = bars(venue, hour, OPEN_AT, unitNumber=5)

    assert hour == starts_of([hour_bar])[0]
    assert minutes[-1]["o"] == hour_bar["o"]
    assert minutes[0]["c"] == hour_bar["c"]
    assert max(row["h"] for row in minutes) == hour_bar["h"] == max(row["h"] for row in fives)
    assert min(row["l"] for row in minutes) == hour_bar["l"] == min(row["l"] for row in fives)
    assert sum(row["v"] for row in minutes) == hour_bar["v"] == sum(row["v"] for row in fives)
    assert [hour + n * 5 * MINUTE for n in range(11, -1, -1)] == starts_of(fives)


def test_a_day_bar_starts_at_the_opening_of_its_session(venue: RunningVenue) -> None:
    assert [datetime(2026, 3, 8, 22, 0, tzinfo=UTC)] == starts_of(bars(venue, OPEN_AT - 2 * DAY, OPEN_AT, unit=4))


def test_weeks_and_months_are_aggregated_from_days_and_start_on_the_evening_before(venue: RunningVenue) -> None:
    span = (OPEN_AT - 40 * DAY, OPEN_AT)
    days, weeks, months = (bars(venue, *span, unit=unit) for unit in (4, 5, 6))

    assert [datetime(2026, 3, 1, 23, 0, tzinfo=UTC), datetime(2026, 2, 22, 23, 0, tzinfo=UTC)] == starts_of(weeks)[:2]
    assert [datetime(2026, 1, 31, 23, 0, tzinfo=UTC)] == starts_of(months)
    week = [
        row
        for row, at in zip(days, starts_of(days), strict=True)
        if starts_of(weeks)[0] <= at < starts_of(weeks)[0] + 6 * DAY
    ]
    assert 5 == len(week)
    assert (week[-1]["o"], week[0]["c"]) == (weeks[0]["o"], weeks[0]["c"])
    assert (max(row["h"] for row in week), sum(row["v"] for row in week)) == (weeks[0]["h"], weeks[0]["v"])


def test_seconds_add_up_to_their_minute(venue: RunningVenue) -> None:
    (minute,) = bars(venue, OPEN_AT - MINUTE, OPEN_AT)
    seconds = bars(venue, OPEN_AT - MINUTE, OPEN_AT, unit=1)
    fives = bars(venue, OPEN_AT - MINUTE, OPEN_AT, unit=1, unitNumber=5)

    assert [OPEN_AT - n * timedelta(seconds=1) for n in range(1, 61)] == starts_of(seconds)
    for rows in (seconds, fives):
        assert (minute["o"], minute["c"]) == (rows[-1]["o"], rows[0]["c"])
        assert (minute["h"], minute["l"]) == (max(row["h"] for row in rows), min(row["l"] for row in rows))
        assert minute["v"] == sum(row["v"] for row in rows)


def test_the_seconds_of_a_forming_minute_stay_as_they_are(start_venue: StartVenue) -> None:
    venue = start_venue(market_origin=OPEN_AT + timedelta(seconds=20.5), options=["--stepped"])
    forming = bars(venue, OPEN_AT, OPEN_AT + MINUTE, unit=1)
    venue.step(90)
    final = bars(venue, OPEN_AT, OPEN_AT + MINUTE, unit=1)

    assert 20 == len(forming)
    assert final[-20:] == forming


def test_there_are_no_bars_of_ticks(venue: RunningVenue) -> None:
    assert [] == bars(venue, OPEN_AT - MINUTE, OPEN_AT, unit=7)


def test_the_same_seed_gives_the_same_market_and_another_seed_does_not(
    venue: RunningVenue, start_venue: StartVenue
) -> None:
    again, other = start_venue(seed=7), start_venue(seed=8)
    span = (OPEN_AT - DAY, OPEN_AT)

    assert bars(venue, *span) == bars(again, *span)
    assert bars(venue, *span) != bars(other, *span)


def test_the_live_tier_has_no_bars_and_no_error(venue: RunningVenue) -> None:
    answer = retrieve(venue, OPEN_AT - DAY, OPEN_AT, live=True)

    assert (True, []) == (answer["success"], answer["bars"])


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"contractId": "CON.F.US.NONE.H26"}, 1),
        ({"unit": 0}, 2),
        ({"unit": 8}, 2),
        ({"unitNumber": 0}, 3),
        ({"unitNumber": -1}, 3),
        ({"limit": 0}, 4),
    ],
)
def test_an_invalid_request_for_bars_has_its_error_code(venue: RunningVenue, wrong: dict[str, Any], code: int) -> None:
    assert code == retrieve(venue, OPEN_AT - DAY, OPEN_AT, **wrong)["errorCode"]


def test_a_window_at_the_limits_of_datetime_or_reversed_does_not_crash(venue: RunningVenue) -> None:
    long_ago = venue.send(PATH, body("0001-01-01T00:00:00Z", "2026-03-10T15:00:00Z", limit=1))
    long_bars = venue.send(PATH, body("2026-03-09T15:00:00Z", "2026-03-10T15:00:00Z", unit=3, unitNumber=2**31 - 1))

    assert {200, 400} >= {long_ago.status_code, long_bars.status_code}
    assert [] == bars(venue, OPEN_AT, OPEN_AT - DAY)
