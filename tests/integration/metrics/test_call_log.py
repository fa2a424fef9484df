"""The call log: every call to the venue becomes a row, after the job has ended."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from shared.clock import machine_now
from shared.db.engine import make_engine
from shared.fleets import Queue
from shared.gateway.ports import Call
from shared.ledger.connection import AutocommitConnection
from shared.ledger.jobs.accounts import SnapshotAccounts
from tests.fixtures.processes import free_port
from tests.fixtures.worker_env import WorkerEnv
from workers import call_log
from workers.call_log import CallBuffer


def call(error: str | None = None) -> Call:
    return Call("/api/Account/search", "POST", machine_now(), timedelta(milliseconds=12), 200, error, Queue.LOW)


def test_a_call_is_recorded_with_its_job_queue_duration_and_success(worker_env: WorkerEnv) -> None:
    worker_env.execute("DELETE FROM api_call")
    worker_env.venue.faults(path="/api/Account/search", kind="status", status=503)
    job_id = worker_env.enqueue(SnapshotAccounts())
    worker_env.run_due_jobs()
    found = worker_env.rows("SELECT job_id, queue, success, status, duration_ms > 0 FROM api_call ORDER BY id")

    queue = SnapshotAccounts.queue.value
    assert [(job_id, queue, False, 503, True), (job_id, queue, True, 200, True)] == found


@pytest.mark.parametrize(("queue", "expected"), [(Queue.LOW, 2), (Queue.HIGH, 0)])
def test_the_calls_of_a_long_job_that_sends_no_orders_are_recorded_each_second(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch, queue: Queue, expected: int
) -> None:
    """So a worker that is killed in the middle of it loses those of the last second."""
    now = [100.0]
    monkeypatch.setattr(call_log, "monotonic", lambda: now[0])
    log, job_id = CallBuffer(worker_env.ledger.connection), uuid4()
    log.begin(job_id)
    for step in (0.0, 0.9, 0.2):
        now[0] += step
        log.record(replace(call(), queue=queue))
    found = worker_env.rows("SELECT count(*) FROM api_call WHERE job_id = %s", job_id)
    log.flush(job_id)

    assert [(expected,)] == found
    assert [(3,)] == worker_env.rows("SELECT count(*) FROM api_call WHERE job_id = %s", job_id)


def test_a_job_with_too_many_calls_records_the_first_and_logs_the_number_of_the_others(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(call_log, "MAX_KEPT", 3)
    log, job_id = CallBuffer(worker_env.ledger.connection), uuid4()
    for number in range(20):
        log.record(call("late" if number > 10 else None))
    log.flush(job_id)
    log.flush(job_id)

    assert [(3, 3)] == worker_env.rows(
        "SELECT count(*) FILTER (WHERE success), count(*) FILTER (WHERE NOT success) FROM api_call WHERE job_id = %s",
        job_id,
    )
    assert 1 == caplog.text.count("14 of them were not recorded")


def test_calls_that_the_database_does_not_take_fail_no_job(caplog: pytest.LogCaptureFixture) -> None:
    away = make_engine(f"postgresql://tickwork@127.0.0.1:{free_port()}/tickwork", program="test", pool_size=1)
    log = CallBuffer(AutocommitConnection(away))
    log.record(call())
    log.flush(uuid4())

    assert "1 calls to the venue were not recorded" in caplog.text
