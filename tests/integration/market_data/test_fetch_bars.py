"""Bars that the venue cuts, spoils or corrects: each is asked again, set aside with its reason, or stored anew."""

from datetime import datetime, timedelta

import pytest

from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.calendar import calendar_of
from tests.fixtures.fetched_bars import IS_COMPLETE, SPAN, STARTS, Change, change, fetch, minutes_until, retrieve_bars
from tests.fixtures.other_gateway import OtherGateway
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv


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
