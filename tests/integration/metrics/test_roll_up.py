"""The sums of each minute's calls to the venue."""

from datetime import datetime, timedelta
from decimal import Decimal

from shared.clock import machine_now
from shared.db.metrics.metrics import ApiCall, record_calls
from shared.fleets import Queue
from shared.ledger.jobs.metrics import RollUp
from tests.fixtures.worker_env import WorkerEnv

ENDPOINT = "/api/Test/of_rollups"


def insert_call(worker_env: WorkerEnv, called_at: datetime, duration_ms: int, error: str | None = None) -> None:
    call = ApiCall(ENDPOINT, "POST", called_at, Decimal(duration_ms), 200, error, None, Queue.LOW)
    with worker_env.ledger.engine.begin() as connection:
        record_calls(connection, [call])


def roll_up(worker_env: WorkerEnv, slot: datetime) -> list[tuple[object, ...]]:
    """Run the job for the slot, and return the sums of the endpoint."""
    worker_env.enqueue(RollUp(slot=slot))
    worker_env.run_due_jobs()
    return worker_env.rows(
        "SELECT period_start_at, count, error_count, p50_ms, max_ms FROM metric_rollup WHERE name = %s ORDER BY 1",
        ENDPOINT,
    )


def test_a_minute_has_the_counts_and_durations_of_its_calls(worker_env: WorkerEnv) -> None:
    slot = machine_now().replace(second=0, microsecond=0)
    minute = slot - timedelta(minutes=1)
    insert_call(worker_env, minute, 10)
    insert_call(worker_env, minute + timedelta(seconds=30), 20)
    insert_call(worker_env, slot - timedelta(milliseconds=1), 90, "it timed out")
    insert_call(worker_env, slot, 500)

    assert [(minute, 3, 1, 20, 90)] == roll_up(worker_env, slot)


def test_the_newest_minute_is_summed_again_and_no_call_counts_twice(worker_env: WorkerEnv) -> None:
    slot = machine_now().replace(second=0, microsecond=0)
    minute = slot - timedelta(minutes=1)
    insert_call(worker_env, minute, 10)
    roll_up(worker_env, slot)
    insert_call(worker_env, minute + timedelta(seconds=59), 30)  # a worker recorded it late

    assert [(minute, 2, 0, 10, 30)] == roll_up(worker_env, slot)
    assert [(minute, 2, 0, 10, 30)] == roll_up(worker_env, slot)
