"""Bars that the venue cuts, spoils or corrects: each is asked again, set aside with its reason, or stored anew."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.calendar import calendar_of
from shared.gateway.rest.transport import BARS
from shared.ledger.jobs.market_data import FetchContractBars
from tests.fixtures.operator import RunCommand
from tests.fixtures.order_sessions import other_gateway
from tests.fixtures.other_gateway import OtherGateway
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.fixtures.worker_processes import process
from workers.wiring import open_runner

Change = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]

SPAN = timedelta(minutes=50)
STARTS = f"SELECT start FROM bar_minute WHERE contract_id = '{MNQ}' ORDER BY start"
IS_COMPLETE = f"SELECT coverage @> tstzrange(%s, %s), unconfirmed FROM contract WHERE id = '{MNQ}'"
AN_ANSWER_BEFORE = "UPDATE contract SET answered_market_at = answered_market_at - interval '1 minute'"
AT_HALF_PAST = "half a minute after its start"


@pytest.fixture
def gateway(worker_env: WorkerEnv) -> Iterator[OtherGateway]:
    with other_gateway(worker_env.venue) as gateway:
        yield gateway


@pytest.fixture
def closed_until(worker_env: WorkerEnv) -> datetime:
    """The end of the bars, long enough ago that a minute without one counts; no five minutes end then.

    All but SPAN before it is complete, and no bar is stored.
    """
    at = (worker_env.venue.clock.now() - 10 * MINUTE).replace(second=0, microsecond=0)
    at -= MINUTE if at.minute % 5 == 0 else timedelta(0)
    worker_env.execute(
        "DELETE FROM bar_minute; DELETE FROM job_key; DELETE FROM strategy_run;"
        f" UPDATE contract SET unconfirmed = '{{}}', answered_market_at = NULL,"
        f" coverage = tstzmultirange(tstzrange('{at - timedelta(days=9)}', '{at - SPAN}'))"
    )
    return at


def fetch(worker_env: WorkerEnv, gateway: OtherGateway, closed_until: datetime) -> dict[str, int]:
    """Fetch the bars, a minute after the answer before; return the result of the job."""
    worker_env.execute(AN_ANSWER_BEFORE)
    job_id = worker_env.enqueue(FetchContractBars(contract_id=MNQ, closed_until=closed_until))
    settings = replace(worker_env.settings, venue=replace(worker_env.settings.venue, url=gateway.url))
    with open_runner(settings, process("test/2"), program="test2") as other:
        other.run(job_id)
    state, result, error = worker_env.job(job_id)
    assert "succeeded" == state, error
    found: dict[str, int] = result
    return found


def change(gateway: OtherGateway, change_rows: Change) -> None:
    """Change the rows of bars, which come newest first, in each answer from now on."""

    def apply(document: dict[str, Any]) -> None:
        document["bars"] = change_rows(document["bars"])

    gateway.changes[BARS] = apply


def retrieve_bars(worker_env: WorkerEnv, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Return the venue's own bars, oldest first."""
    found = worker_env.at_venue(
        BARS,
        contractId=MNQ,
        live=False,
        startTime=since.isoformat(),
        endTime=until.isoformat(),
        unit=2,
        unitNumber=1,
        limit=20_000,
        includePartialBar=False,
    )
    rows: list[dict[str, Any]] = found["bars"]
    return rows[::-1]


def minutes_until(closed_until: datetime) -> list[tuple[datetime]]:
    count = SPAN // MINUTE
    return [(closed_until - SPAN + number * MINUTE,) for number in range(count)]


@pytest.mark.parametrize("change_rows", [lambda rows: rows[: len(rows) // 2], lambda _: []], ids=["half", "nothing"])
def test_what_a_cut_answer_lacks_is_asked_again(
    worker_env: WorkerEnv, gateway: OtherGateway, closed_until: datetime, change_rows: Change
) -> None:
    change(gateway, change_rows)
    for _ in range(2):
        fetch(worker_env, gateway, closed_until)
    ((is_complete, unconfirmed),) = worker_env.rows(IS_COMPLETE, closed_until - SPAN, closed_until)
    assert (False, 0) == (is_complete, len(unconfirmed))
    gateway.changes.clear()
    fetch(worker_env, gateway, closed_until)

    assert minutes_until(closed_until) == worker_env.rows(STARTS)
    ((is_complete, unconfirmed),) = worker_env.rows(IS_COMPLETE, closed_until - SPAN, closed_until)
    assert (True, 0) == (is_complete, len(unconfirmed))


def test_a_minute_without_a_trade_is_asked_twice_and_no_more(
    worker_env: WorkerEnv, gateway: OtherGateway, closed_until: datetime
) -> None:
    change(gateway, lambda rows: rows[:10] + rows[12:])
    received = [fetch(worker_env, gateway, closed_until)["received"] for _ in range(3)]

    assert [48, 11, 0] == received, "the second begins with the bar before"
    assert [(True,)] == [row[:1] for row in worker_env.rows(IS_COMPLETE, closed_until - SPAN, closed_until)]


def test_two_answers_of_one_moment_confirm_nothing(
    worker_env: WorkerEnv, gateway: OtherGateway, closed_until: datetime
) -> None:
    change(gateway, lambda rows: rows[:10] + rows[12:])
    fetch(worker_env, gateway, closed_until)
    worker_env.execute("UPDATE contract SET answered_market_at = answered_market_at + interval '1 minute'")
    fetch(worker_env, gateway, closed_until)

    assert [(False,)] == [row[:1] for row in worker_env.rows(IS_COMPLETE, closed_until - SPAN, closed_until)]


@pytest.mark.parametrize(
    "change_rows",
    [lambda _: [], lambda rows: rows[: len(rows) // 2], lambda rows: rows[len(rows) // 2 :], lambda rows: rows[:1]],
    ids=["nothing", "newest half", "oldest half", "newest bar"],
)
def test_after_a_day_without_tickwork_answers_that_are_cut_alike_lose_no_bar(
    worker_env: WorkerEnv, gateway: OtherGateway, closed_until: datetime, change_rows: Change
) -> None:
    since = closed_until - timedelta(hours=26)
    worker_env.execute(
        f"UPDATE contract SET coverage = tstzmultirange(tstzrange('{since - timedelta(days=9)}', '{since}'))"
    )
    change(gateway, change_rows)
    for _ in range(3):
        fetch(worker_env, gateway, closed_until)
    gateway.changes.clear()
    for _ in range(2):
        fetch(worker_env, gateway, closed_until)

    bars = [bar["t"] for bar in retrieve_bars(worker_env, since, closed_until)]
    assert bars == [start.isoformat() for (start,) in worker_env.rows(STARTS)]
    assert len(bars) > 1_000
    assert [(True,)] == [row[:1] for row in worker_env.rows(IS_COMPLETE, since, closed_until)]


def test_hours_without_a_trade_are_complete_once_a_trade_follows(
    worker_env: WorkerEnv, gateway: OtherGateway, closed_until: datetime
) -> None:
    """As of a contract with little volume, after a day without Tickwork."""
    since = closed_until - timedelta(hours=26)
    worker_env.execute(
        f"UPDATE contract SET coverage = tstzmultirange(tstzrange('{since - timedelta(days=9)}', '{since}'))"
    )
    quiet = [(closed_until - timedelta(hours=hours)).isoformat() for hours in (9, 2)]
    change(gateway, lambda rows: [row for row in rows if not quiet[0] <= row["t"] < quiet[1]])
    received = [fetch(worker_env, gateway, closed_until)["received"] for _ in range(3)]

    assert received[1] < received[0]
    assert 0 == received[2]
    assert [(True,)] == [row[:1] for row in worker_env.rows(IS_COMPLETE, since, closed_until)]


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        ({"o": 25000.1}, "price 25000.1 is not a multiple of the tick 0.25"),
        ({"l": 99999}, "do not enclose"),
        ({"v": None}, "volume None is no whole number"),
        ({"v": 2.5}, "volume 2.5 is no whole number"),
        ({"v": -1}, "negative volume -1"),
        ({"o": 0, "h": 0, "l": 0, "c": 0}, "price 0.00 is not above 0"),
        ({"o": 1e30, "h": 1e30, "l": 1e30, "c": 1e30}, "is beyond"),
        ({"t": AT_HALF_PAST}, "is no whole minute"),
        ({"t": None}, "TypeError"),
        ({"c": "high"}, "InvalidOperation"),
        ({"v": "a\0b"}, "volume a\ufffdb is no whole number"),
        ({"t": "\0"}, "Invalid isoformat string"),
    ],
    ids=str,
)
def test_a_record_that_is_no_bar_is_set_aside_and_the_others_are_stored(
    worker_env: WorkerEnv, gateway: OtherGateway, closed_until: datetime, spoilt: dict[str, Any], reason: str
) -> None:
    if spoilt.get("t") == AT_HALF_PAST:
        spoilt = {"t": (closed_until - 6 * MINUTE + timedelta(seconds=30)).isoformat()}
    change(gateway, lambda rows: [*rows[:5], rows[5] | spoilt, *rows[6:]])
    fetch(worker_env, gateway, closed_until)
    left = [start for start in minutes_until(closed_until) if start[0] != closed_until - 6 * MINUTE]
    assert left == worker_env.rows(STARTS)
    ((found,),) = worker_env.rows("SELECT reason FROM rejected_bar")
    assert reason in found

    gateway.changes.clear()
    fetch(worker_env, gateway, closed_until)
    assert minutes_until(closed_until) == worker_env.rows(STARTS)


def test_a_minute_whose_records_cannot_be_bars_never_passes_for_one_without_a_trade(
    worker_env: WorkerEnv, gateway: OtherGateway, closed_until: datetime, operator: RunCommand
) -> None:
    minute = closed_until - 6 * MINUTE
    change(gateway, lambda rows: [row | {"v": None} if row["t"] == minute.isoformat() else row for row in rows])
    for _ in range(2):
        fetch(worker_env, gateway, closed_until)
    assert [(True,)] == [row[:1] for row in worker_env.rows(IS_COMPLETE, closed_until - SPAN, closed_until)]

    gaps = operator("bars", "gaps", "MNQ", "--json").json["gaps"]
    assert [(minute.isoformat(), 1, "set aside")] == [
        (gap["start"], gap["minutes"], gap["state"])
        for gap in gaps
        if minute.isoformat() <= gap["start"] < closed_until.isoformat()
    ]
    (checked,) = operator("bars", "check", "MNQ", "--days", "1", "--json").json["contracts"]
    assert [("set_aside", 1, minute.isoformat())] == [
        (one["fault"], one["count"], one["start"]) for one in checked["findings"] if one["fault"] == "set_aside"
    ]
    assert 1 == len(worker_env.rows("SELECT 1 FROM rejected_bar"))
    words = operator("bars", "show", "MNQ", "--count", "60").words
    assert "but for 1 of which the venue sent what cannot be a bar: `tickwork bars list`" in words


def test_a_minute_that_passed_for_one_without_a_trade_marks_what_used_it_once_a_record_is_set_aside(
    worker_env: WorkerEnv, gateway: OtherGateway, closed_until: datetime
) -> None:
    minute = closed_until - 6 * MINUTE
    change(gateway, lambda rows: [row for row in rows if row["t"] != minute.isoformat()])
    for _ in range(2):
        fetch(worker_env, gateway, closed_until)
    worker_env.execute(
        "INSERT INTO strategy_run (strategy, contract_id, closed_until_market_at, decision, reason, duration_ms)"
        f" VALUES ('one', '{MNQ}', '{closed_until}', 'none', '', 1)"
    )
    marked = "SELECT bars_corrected_at FROM strategy_run WHERE strategy = 'one'"
    change(gateway, lambda rows: [row | {"v": None} if row["t"] == minute.isoformat() else row for row in rows])
    later = closed_until + MINUTE * (5 - closed_until.minute % 5)
    assert [(None,)] == worker_env.rows(marked)
    fetch(worker_env, gateway, later)
    ((first,),) = worker_env.rows(marked)
    fetch(worker_env, gateway, later + 5 * MINUTE)

    assert first is not None
    assert [(first,)] == worker_env.rows(marked), "the same record changes nothing"


def test_a_record_that_two_answers_have_no_more_is_withdrawn_until_it_comes_again(
    worker_env: WorkerEnv, gateway: OtherGateway, closed_until: datetime, operator: RunCommand
) -> None:
    minute = closed_until - 6 * MINUTE
    state = "SELECT lacked_at IS NOT NULL, withdrawn_at IS NOT NULL FROM rejected_bar"
    later = closed_until + MINUTE * (5 - closed_until.minute % 5)

    def answer(rows_of: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> tuple[bool, bool]:
        gateway.changes.clear()
        change(gateway, rows_of)
        fetch(worker_env, gateway, later)
        ((is_lacked, is_withdrawn),) = worker_env.rows(state)
        worker_env.execute("UPDATE rejected_bar SET lacked_at = lacked_at - interval '30 seconds'")
        return is_lacked, is_withdrawn

    spoilt = answer(lambda rows: [row | {"v": None} if row["t"] == minute.isoformat() else row for row in rows])
    assert (False, False) == spoilt
    cut = answer(lambda rows: [row for row in rows if row["t"] < minute.isoformat()])
    assert (False, False) == cut, "an answer that ends before it shows nothing"
    assert (True, False) == answer(lambda rows: [row for row in rows if row["t"] != minute.isoformat()])
    assert (True, True) == answer(lambda rows: [row for row in rows if row["t"] != minute.isoformat()])
    gaps = operator("bars", "gaps", "MNQ", "--json").json["gaps"]
    assert [] == [gap for gap in gaps if gap["state"] == "set aside"]
    again = answer(lambda rows: [row | {"v": None} if row["t"] == minute.isoformat() else row for row in rows])
    assert (False, False) == again


def test_bars_of_minutes_that_a_clock_ahead_took_for_quiet_are_fetched_once_they_come(
    worker_env: WorkerEnv, gateway: OtherGateway, closed_until: datetime
) -> None:
    fetch(worker_env, gateway, closed_until)
    worker_env.execute(
        "UPDATE contract SET answered_market_at = answered_market_at + interval '1 hour',"
        f" coverage = coverage + tstzmultirange(tstzrange('{closed_until}', '{closed_until + timedelta(hours=1)}'))"
    )

    for number in (1, 2, 3):
        assert 1 == fetch(worker_env, gateway, closed_until + number * MINUTE)["stored"]


def test_a_correction_is_taken_within_half_an_hour_and_marks_what_used_the_first(
    worker_env: WorkerEnv, gateway: OtherGateway, closed_until: datetime
) -> None:
    fetch(worker_env, gateway, closed_until)
    worker_env.execute(
        "INSERT INTO strategy_run (strategy, contract_id, closed_until_market_at, decision, reason, duration_ms)"
        f" SELECT 'one', '{MNQ}', at, 'none', '', 1 FROM"
        f" (VALUES ('{closed_until - 10 * MINUTE}'::timestamptz), ('{closed_until}')) AS one (at)"
    )
    corrected = closed_until - 7 * MINUTE
    change(gateway, lambda rows: [row | {"v": 7} if row["t"] == corrected.isoformat() else row for row in rows])
    later = closed_until + MINUTE * (5 - closed_until.minute % 5)
    assert 1 == fetch(worker_env, gateway, later)["corrected"]

    assert [(corrected,)] == worker_env.rows("SELECT start FROM bar_correction WHERE volume <> 7")
    assert [(7,)] == worker_env.rows("SELECT volume FROM bar_minute WHERE start = %s", corrected)
    marked = (
        "SELECT bars_corrected_at IS NOT NULL FROM strategy_run WHERE strategy = 'one' ORDER BY closed_until_market_at"
    )
    assert [(False,), (True,)] == worker_env.rows(marked)


def test_a_correction_of_a_bar_of_hours_ago_is_taken_when_the_hour_ends(
    worker_env: WorkerEnv, gateway: OtherGateway, closed_until: datetime
) -> None:
    hour = closed_until.replace(minute=0)
    hour -= timedelta(hours=1) if hour > closed_until else timedelta(0)
    worker_env.execute(
        f"UPDATE contract SET coverage = tstzmultirange(tstzrange('{hour - timedelta(days=9)}', '{hour}'))"
    )
    first = fetch(worker_env, gateway, hour)
    change(gateway, lambda rows: [*rows[:-1], rows[-1] | {"v": 7}])

    assert (0, 1) == (first["corrected"], fetch(worker_env, gateway, hour)["corrected"])


def test_a_record_of_another_age_stops_no_other(
    worker_env: WorkerEnv, gateway: OtherGateway, closed_until: datetime
) -> None:
    ages = [{"t": "9999-12-31T23:59:00Z"}, {"t": "0001-01-01T00:00:00+05:00"}]
    change(gateway, lambda rows: [*rows, *(rows[0] | age for age in ages)])
    fetch(worker_env, gateway, closed_until)

    assert minutes_until(closed_until) == worker_env.rows(STARTS)


def test_bars_that_come_after_the_close_are_taken_in_the_next_session(
    worker_env: WorkerEnv, gateway: OtherGateway, closed_until: datetime
) -> None:
    """Until an hour after it, answers had no bar of the last half hour: two of them made those minutes complete."""
    hour = closed_until.replace(minute=0)
    session = calendar_of("equity").session_at(hour)
    assert session is not None
    before = calendar_of("equity").last_session(session.opens)
    late = before.closes - 20 * MINUTE
    worker_env.execute(
        f"UPDATE contract SET coverage = tstzmultirange(tstzrange('{hour - timedelta(days=9)}', '{hour}'))"
    )
    fetch(worker_env, gateway, hour)

    assert [(late,)] == worker_env.rows(f"{STARTS.removesuffix('ORDER BY start')} AND start = %s", late)
