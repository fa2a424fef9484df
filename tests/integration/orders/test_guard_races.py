"""A position, its stop and its flatten that change at one moment: no position is recorded as guarded without a stop."""

import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import psycopg

from shared.db.orders import positions
from shared.domain.orders.order import OrderState
from shared.gateway import wire
from shared.gateway.wire import VenueFill, VenueOrder
from shared.ledger.ledger import Transaction
from tests.fixtures.processes import until
from tests.fixtures.program_env import make_program_env
from tests.fixtures.venue import MES, MNQ
from tests.fixtures.worker_env import WorkerEnv
from workers.orders import venue_state
from workers.orders.venue_view import VenueView

FILLS = "/api/Trade/search"
GUARDS = "SELECT state FROM job WHERE name = 'orders.guard_position' AND state = 'queued'"
WAITS = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
LOCK_POSITION = "SELECT 1 FROM position WHERE contract_id = %s FOR UPDATE NOWAIT"


def hold_without_report(worker_env: WorkerEnv) -> tuple[VenueFill, VenueOrder]:
    """Buy one MNQ with a bracket, as if the report of the fill had not come yet; return the fill and the stop."""
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    listed = worker_env.venue.post("/api/Order/v2/query", filter={"accountId": worker_env.venue.account_id})["orders"]
    worker_env.execute("DELETE FROM fill")
    worker_env.execute(
        "UPDATE position SET direction = 'FLAT', quantity = 0, average_price = NULL, opened_market_at = NULL"
    )
    (stop,) = (wire.parse_order(one) for one in listed if one["type"] == 4)
    return read_fill(worker_env), stop


def read_fill(worker_env: WorkerEnv) -> VenueFill:
    """Return the newest fill at the venue."""
    body = {"accountId": worker_env.venue.account_id, "startTimestamp": "2020-01-01T00:00:00Z"}
    found = worker_env.venue.post(FILLS, **body)["trades"]
    return max(map(wire.parse_fill, found), key=lambda fill: fill.id)


def cancel(stop: VenueOrder) -> VenueOrder:
    changed_at = (stop.updated_market_at or stop.created_market_at) + timedelta(seconds=1)
    return replace(stop, state=OrderState.CANCELLED, updated_market_at=changed_at)


def apply(worker_env: WorkerEnv, view: VenueView) -> None:
    with worker_env.ledger.transaction() as tx:
        venue_state.apply(tx, view)


def await_end_or_lock(worker_env: WorkerEnv, run: "Future[None]") -> None:
    until(lambda: run.done() or bool(worker_env.rows(WAITS)), 30, "the second transaction's end or its wait")


def test_a_stop_that_ends_while_its_fill_is_recorded_is_left_to_a_guard(worker_env: WorkerEnv) -> None:
    fill, stop = hold_without_report(worker_env)
    with ThreadPoolExecutor(1) as pool, worker_env.ledger.engine.begin() as connection:
        venue_state.apply(Transaction(connection), VenueView(fill.account_id, [], [fill]))
        run = pool.submit(apply, worker_env, VenueView(fill.account_id, [cancel(stop)]))
        await_end_or_lock(worker_env, run)
        connection.commit()
        run.result()

    assert [("LONG", 1)] == worker_env.rows("SELECT direction, quantity FROM position")
    assert [("queued",)] == worker_env.rows(GUARDS)


def test_a_fill_that_is_recorded_while_its_stop_ends_is_left_to_a_guard(worker_env: WorkerEnv) -> None:
    fill, stop = hold_without_report(worker_env)
    with ThreadPoolExecutor(1) as pool, worker_env.ledger.engine.begin() as connection:
        venue_state.apply(Transaction(connection), VenueView(fill.account_id, [cancel(stop)]))
        run = pool.submit(apply, worker_env, VenueView(fill.account_id, [], [fill]))
        await_end_or_lock(worker_env, run)
        connection.commit()
        run.result()

    assert [(None,)] == worker_env.rows("SELECT guarded_at FROM fill")
    assert [("queued",)] == worker_env.rows(GUARDS)


def test_positions_are_locked_in_one_order_so_that_reports_of_several_contracts_never_deadlock(
    worker_env: WorkerEnv,
) -> None:
    """The stop in MNQ has ended and MES was filled: MES is locked first, as by reports the other way round."""
    fill, stop = hold_without_report(worker_env)
    view = VenueView(fill.account_id, [cancel(stop)], [replace(fill, id=fill.id + 1, contract_id=MES)])
    with ThreadPoolExecutor(1) as pool, worker_env.ledger.engine.begin() as connection:
        positions.lock(connection, fill.account_id, MES)
        run = pool.submit(apply, worker_env, view)
        await_end_or_lock(worker_env, run)
        with psycopg.connect(worker_env.settings.require_database()) as other:
            assert [(1,)] == other.execute(LOCK_POSITION, [MNQ]).fetchall()
        connection.commit()
        run.result()

    assert [(MES,)] == worker_env.rows("SELECT contract_id FROM position WHERE quantity > 0")


def test_a_fill_that_comes_while_a_flatten_ends_is_left_to_a_guard(worker_env: WorkerEnv) -> None:
    """The venue was flat when the flatten read it, and a guard does nothing while a flatten is open."""
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    flatten, read_before = worker_env.flatten(), len(worker_env.venue.requests(FILLS))
    url, command = worker_env.settings.require_database(), [sys.executable, "-m", "workers.run_job", str(flatten)]

    def has_read_and_waits() -> bool:
        return len(worker_env.venue.requests(FILLS)) > read_before and bool(worker_env.rows(WAITS))

    with psycopg.connect(url, application_name="psql") as session:
        session.execute("SELECT 1 FROM account FOR NO KEY UPDATE")
        process = subprocess.Popen(command, env=make_program_env(worker_env))
        until(has_read_and_waits, 60, "the end of the flatten")
        worker_env.venue.trade()
        fill = read_fill(worker_env)
        apply(worker_env, VenueView(fill.account_id, [], [fill]))
        session.rollback()
        process.wait(60)

    assert "succeeded" == worker_env.job(flatten)[0]
    assert [(1,)] == worker_env.rows("SELECT quantity FROM position WHERE direction = 'LONG'")
    assert [(None,)] == worker_env.rows(f"SELECT guarded_at FROM fill WHERE venue_fill_id = {fill.id}")
