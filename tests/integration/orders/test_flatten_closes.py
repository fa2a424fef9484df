"""A flatten never has two closing orders at work: what a close has left is closed again once that one is over."""

import threading
from uuid import UUID

import psycopg
import pytest

from shared.ledger.jobs.orders import ReducePosition
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

CLOSE = "/api/Position/closeContract"
FILLED = "SELECT side, sum(quantity) FROM fill GROUP BY side ORDER BY side"
POSITIONS = "/api/Position/searchOpen"
QUERY = "/api/Order/v2/query"


@pytest.fixture
def holding(worker_env: WorkerEnv) -> WorkerEnv:
    """Hold four contracts at a venue where two closing orders at work reverse the position."""
    worker_env.venue.control("PUT", "behaviour", {"serialises_closes": False})
    worker_env.entry_alert(quantity=4, take_profit_ticks=800)
    worker_env.run_due_jobs()
    assert 4 == worker_env.venue.position()
    return worker_env


def run_now(worker_env: WorkerEnv, job: UUID) -> None:
    """Run a job once, whenever it is due."""
    worker_env.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    worker_env.runner.run(job)


@pytest.mark.parametrize("lists_orders", [True, False])
def test_a_close_that_has_filled_in_part_is_neither_doubled_nor_cancelled(
    holding: WorkerEnv, *, lists_orders: bool
) -> None:
    holding.venue.faults(path="partial_fill", seconds=3)
    if not lists_orders:
        holding.venue.faults(path=QUERY, kind="status", status=500, count=1_000)
    job = holding.flatten(MNQ)
    run_now(holding, job)
    assert 2 == holding.venue.position()
    holding.execute("UPDATE contract_close SET ended_at = ended_at - interval '2 seconds'")
    while holding.venue.position() == 2:
        run_now(holding, job)
    holding.venue.remove_faults()
    holding.run_due_jobs()

    assert 0 == holding.venue.position()
    assert [("BUY", 4), ("SELL", 4)] == holding.rows(FILLED)
    assert "succeeded" == holding.job(job)[0]


def test_a_close_without_an_answer_is_sent_again_once_the_venue_lists_none(holding: WorkerEnv) -> None:
    holding.venue.faults(path=CLOSE, kind="lose_before")
    job = holding.flatten(MNQ)
    run_now(holding, job)
    holding.execute("UPDATE contract_close SET ended_at = ended_at - interval '2 seconds'")
    run_now(holding, job)

    assert (0, 2) == (holding.venue.position(), len(holding.venue.requests(CLOSE)))


@pytest.mark.parametrize("seconds", [14, 16])
def test_a_close_without_an_answer_and_without_lists_is_sent_again_after_15_seconds(
    holding: WorkerEnv, seconds: int
) -> None:
    holding.venue.faults(path=CLOSE, kind="lose_before")
    holding.venue.faults(path=QUERY, kind="status", status=500, count=1_000)
    job = holding.flatten(MNQ)
    run_now(holding, job)
    age = f"interval '{seconds} seconds'"
    holding.execute(f"UPDATE contract_close SET sent_at = clock_timestamp() - {age}, ended_at = NULL")
    sent_at = "SELECT sent_at FROM contract_close"
    before = holding.rows(sent_at)
    run_now(holding, job)

    assert (seconds > 15) is (before != holding.rows(sent_at))


def test_a_clock_that_was_hours_ahead_keeps_no_position_open(holding: WorkerEnv) -> None:
    ahead = "now() + interval '2 hours'"
    account_id = holding.venue.account_id
    holding.execute(f"""
        INSERT INTO contract_close
        VALUES ({account_id}, '{MNQ}', {ahead}, {ahead}, {ahead}, 'SELL', 'manual', gen_random_uuid())
    """)
    run_now(holding, holding.flatten(MNQ))

    assert 0 == holding.venue.position()


def test_a_close_that_was_not_sent_is_sent_in_the_next_run_without_a_list(holding: WorkerEnv) -> None:
    holding.venue.faults(path=CLOSE, kind="status", status=401)
    holding.venue.faults(path=QUERY, kind="status", status=500, count=1_000)
    job = holding.flatten(MNQ)
    run_now(holding, job)
    assert 4 == holding.venue.position()
    run_now(holding, job)

    assert 0 == holding.venue.position()


def test_an_exit_that_has_filled_in_part_is_neither_doubled_nor_cancelled(holding: WorkerEnv) -> None:
    holding.venue.faults(path="partial_fill", seconds=3)
    account_id = holding.venue.account_id
    holding.runner.run(holding.enqueue(ReducePosition(account_id=account_id, contract_id=MNQ, quantity=4)))
    until(lambda: holding.venue.position() == 2)
    job = holding.flatten(MNQ)
    while holding.venue.position() == 2:
        holding.execute("UPDATE orders SET submitted_at = now() - interval '3 seconds' WHERE role = 'EXIT'")
        run_now(holding, job)
    holding.run_due_jobs()

    assert 0 == holding.venue.position()
    assert [("BUY", 4), ("SELL", 4)] == holding.rows(FILLED)
    assert "succeeded" == holding.job(job)[0]


def test_an_entry_that_was_not_sent_is_cancelled_before_the_flatten_ends(worker_env: WorkerEnv) -> None:
    """The account is locked by another session while the flatten cancels what was not sent."""
    worker_env.venue.kill()
    worker_env.entry_alert()
    ((alert,),) = worker_env.rows("SELECT id FROM job WHERE name = 'alerts.handle_alert'")
    worker_env.runner.run(alert)
    assert [("CREATED",)] == worker_env.rows("SELECT state FROM orders")
    worker_env.venue.start()
    job = worker_env.flatten()
    with psycopg.connect(worker_env.settings.require_database(), application_name="psql") as session:
        session.execute("SELECT 1 FROM account FOR UPDATE")
        release = threading.Timer(1.5, session.rollback)
        release.start()
        worker_env.runner.run(job)
        release.join()
    worker_env.run_due_jobs()

    assert "succeeded" == worker_env.job(job)[0]
    assert [("CANCELLED",)] == worker_env.rows("SELECT state FROM orders")
    assert 0 == worker_env.venue.position()


def test_a_list_of_positions_that_hangs_delays_the_close_by_one_attempt(holding: WorkerEnv) -> None:
    job = holding.flatten(MNQ)
    holding.venue.faults(path=POSITIONS, kind="delay_before", seconds=30, count=1_000)
    asked = len(holding.venue.requests(POSITIONS))
    run_now(holding, job)

    assert [MNQ] == [one["contractId"] for one in holding.venue.requests(CLOSE)]
    assert 2 >= len(holding.venue.requests(POSITIONS)) - asked  # before the close, and before the legs are cancelled
