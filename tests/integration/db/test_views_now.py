"""The views of the present, on the rows that a worker has written: accounts, queues, dead jobs and slow calls."""

from datetime import timedelta
from decimal import Decimal

import pytest

from shared.ledger.jobs.upkeep import DoNothing
from tests.fixtures.alert_steps import hold
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

LOCKS = "SELECT locks FROM account_now"


def test_an_account_shows_its_position_orders_and_results(worker_env: WorkerEnv) -> None:
    columns = "trading_state, locks, positions, contract_count, working_order_count, open_order_count, open_pnl"
    assert [("TRADING", [], None, 0, 0, 0, 0)] == worker_env.rows(f"SELECT {columns} FROM account_now")
    hold(worker_env, -2)
    worker_env.execute("UPDATE account SET day_opening_balance = balance + 30, moved_today = -20")

    ((name, average),) = worker_env.rows(
        "SELECT name, average_price FROM position JOIN contract ON contract.id = contract_id WHERE direction <> 'FLAT'"
    )
    ((close,),) = worker_env.rows("SELECT close FROM bars WHERE contract = %s ORDER BY start DESC LIMIT 1", MNQ)
    open_pnl = (average - close) * 2 * 2  # 2 dollars a point
    assert [("TRADING", [], f"SHORT 2 {name}", 2, 2, 2, round(open_pnl, 2))] == worker_env.rows(
        f"SELECT {columns} FROM account_now"
    )
    assert [(-10,)] == worker_env.rows("SELECT pnl_today FROM account_now")

    worker_env.execute("UPDATE account SET trading_day = trading_day - 1")  # no report of the new day yet
    assert [(0,)] == worker_env.rows("SELECT pnl_today FROM account_now")
    worker_env.execute(f"DELETE FROM bar_minute WHERE contract_id = '{MNQ}'")
    assert [(None, None)] == worker_env.rows("SELECT open_pnl, priced_market_at FROM account_now")
    worker_env.execute("UPDATE account SET trading_day = trading_day + 1, day_opening_balance = NULL")
    assert [(None,)] == worker_env.rows("SELECT pnl_today FROM account_now")


@pytest.mark.parametrize(
    ("change", "lock"),
    [
        ("halted_at = now(), halt_reason = 'news'", "halted: news"),
        ("halted_at = now(), is_reduce_only = true", "reduce-only: no reason was kept"),
        ("can_trade = false", "the venue does not let it trade"),
        ("reconciled_at = NULL", "not reconciled with the venue yet"),
        ("breached_market_at = market_now()", "the max loss limit was reached"),
        ("locked_on = trading_day_at(market_now())", "the daily loss limit was reached"),
        ("profit_locked_on = trading_day_at(market_now())", "the daily profit target was reached"),
        ("week_locked_on = date_trunc('week', trading_day_at(market_now())::timestamp)",
         "the weekly loss limit was reached"),
        ("locked_out_until_market_at = market_now() + interval '1 hour'", "locked out by a person"),
        ("other_installation = 'aaaaaaaa', other_ordered_market_at = market_now()", "another installation trades it"),
        ("block_reason = 'no quote'", "no quote"),
    ],
)  # fmt: skip
def test_an_account_shows_what_stops_its_entries(worker_env: WorkerEnv, change: str, lock: str) -> None:
    worker_env.execute(f"UPDATE account SET {change}")

    assert [([lock],)] == worker_env.rows(LOCKS)


def test_a_lock_that_is_over_is_not_shown(worker_env: WorkerEnv) -> None:
    worker_env.execute(
        "UPDATE account SET locked_on = trading_day_at(market_now()) - 1, profit_locked_on = '2020-01-02',"
        " week_locked_on = date_trunc('week', trading_day_at(market_now())::timestamp) - interval '7 days',"
        " locked_out_until_market_at = market_now() - interval '1 second', other_installation = 'aaaaaaaa',"
        " other_ordered_market_at = market_now() - interval '1 hour', other_gone_market_at = market_now()"
    )
    assert [([],)] == worker_env.rows(LOCKS)
    worker_env.execute("UPDATE market_clock SET kind = 'live'")
    assert [(["live orders are off"],)] == worker_env.rows(LOCKS)
    worker_env.execute("UPDATE account SET is_shadow = true")
    assert [([],)] == worker_env.rows(LOCKS)


def test_an_open_flatten_and_an_order_in_doubt_are_shown(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    worker_env.flatten()
    worker_env.execute("UPDATE orders SET state = 'IN_DOUBT' WHERE role = 'ENTRY'")

    assert [(["it is being flattened", "an order is in doubt"],)] == worker_env.rows(LOCKS)


def test_a_database_without_a_market_has_its_views(worker_env: WorkerEnv) -> None:
    worker_env.execute("DELETE FROM market_clock")

    assert [([],)] == worker_env.rows(LOCKS)


def test_a_queue_counts_what_waits_is_due_runs_and_is_dead(worker_env: WorkerEnv) -> None:
    worker_env.execute("DELETE FROM job")
    for _ in range(6):
        worker_env.enqueue(DoNothing(note="", seconds=0))
    ids = [f"'{job_id}'" for (job_id,) in worker_env.rows("SELECT id FROM job ORDER BY id")]
    worker_env.execute(f"UPDATE job SET run_at = now() - interval '90 seconds' WHERE id = {ids[0]}")
    worker_env.execute(f"UPDATE job SET run_at = now() + interval '60 seconds' WHERE id = {ids[1]}")
    worker_env.execute(
        "UPDATE job SET run_at = now() - interval '1 hour', expires_at = now() - interval '1 second'"
        f" WHERE id = {ids[2]}"
    )
    worker_env.execute(f"UPDATE job SET state = 'running' WHERE id = {ids[3]}")
    worker_env.execute(f"UPDATE job SET state = 'dead', finished_at = now() WHERE id = {ids[4]}")
    worker_env.execute(f"UPDATE job SET state = 'succeeded', finished_at = now() WHERE id = {ids[5]}")
    queue = DoNothing.queue.value
    columns = "queue, queued, due, running, dead, round(oldest_due_s), round(next_due_in_s)"

    [row] = worker_env.rows(f"SELECT {columns} FROM queue_now WHERE queue = %s", queue)
    assert (queue, 3, 1, 1, 1) == row[:5]
    assert (90 <= row[5] < 150, 0 < row[6] <= 60) == (True, True)
    empty = worker_env.rows(f"SELECT {columns} FROM queue_now WHERE queue <> %s", queue)
    assert {(0, 0, 0, 0, None, None)} == {row[1:] for row in empty}
    assert 4 == len(empty)


def test_a_dead_job_shows_the_cause_first(worker_env: WorkerEnv) -> None:
    job_id = worker_env.enqueue(DoNothing(note="", seconds=0))
    error = "Traceback (most recent call last):\n  File x\nValueError: no such bar\n"
    worker_env.execute(f"UPDATE job SET state = 'dead', finished_at = now(), error = '{error}' WHERE id = '{job_id}'")
    other = worker_env.enqueue(DoNothing(note="", seconds=0))
    worker_env.execute(f"UPDATE job SET state = 'dead', finished_at = now() WHERE id = '{other}'")

    assert [(job_id, "ValueError: no such bar"), (other, None)] == worker_env.rows(
        "SELECT job_id, cause FROM dead_job ORDER BY job_id"
    )


def test_the_slowest_endpoint_comes_first_and_an_old_call_does_not_count(worker_env: WorkerEnv) -> None:
    worker_env.execute("DELETE FROM api_call")
    calls = [("/fast", 5, None, 1), ("/slow", 900, None, 1), ("/slow", 100, "timeout", 2), ("/old", 9000, None, 61)]
    for endpoint, duration, error, minutes in calls:
        told = "NULL" if error is None else f"'{error}'"
        worker_env.execute(
            "INSERT INTO api_call (endpoint, method, called_at, duration_ms, error) VALUES"
            f" ('{endpoint}', 'POST', now() - interval '{minutes} minutes', {duration}, {told})"
        )

    assert [("/slow", 2, 1, Decimal("0.5"), 100, 900, 900, "timeout"), ("/fast", 1, 0, 0, 5, 5, 5, None)] == (
        worker_env.rows(
            "SELECT endpoint, call_count, error_count, error_rate, p50_ms, p95_ms, max_ms, last_error"
            " FROM slow_endpoint"
        )
    )


def test_an_accepted_order_says_when_and_an_external_or_denied_one_does_not(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    worker_env.entry_alert(has_stop=False)
    worker_env.run_due_jobs()
    found = worker_env.rows("SELECT role, state, accepted_at - submitted_at, origin FROM orders ORDER BY id")

    taken = {(role, state): took for role, state, took, _ in found}
    assert timedelta(0) <= taken["ENTRY", "FILLED"] < timedelta(minutes=1)
    assert taken["ENTRY", "DENIED"] is None
    assert {None} == {took for role, _, took, _ in found if role in {"STOP_LOSS", "TAKE_PROFIT"}}
