"""Every call to the venue is a row in the end, and none is written while a job asks."""

from datetime import timedelta
from uuid import uuid4

import pytest

from shared.clock import machine_now
from shared.db.engine import make_engine
from shared.fleets import Queue
from shared.gateway.ports import Call
from shared.ledger.jobs.accounts import SnapshotAccounts
from tests.fixtures.worker_env import WorkerEnv
from workers import call_log
from workers.call_log import CallBuffer


def call(error: str | None = None) -> Call:
    return Call("/api/Account/search", "POST", machine_now(), timedelta(milliseconds=12), 200, error, Queue.LOW)


def test_a_call_is_kept_with_its_job_its_queue_its_duration_and_whether_it_went_well(worker_env: WorkerEnv) -> None:
    worker_env.execute("DELETE FROM api_call")
    worker_env.venue.faults(path="/api/Account/search", kind="status", status=503)
    job_id = worker_env.ask(SnapshotAccounts())
    worker_env.work()
    found = worker_env.rows("SELECT job_id, queue, success, status, duration_ms > 0 FROM api_call ORDER BY id")

    queue = SnapshotAccounts.queue.value
    assert [(job_id, queue, False, 503, True), (job_id, queue, True, 200, True)] == found


def test_a_job_that_asks_without_end_keeps_the_first_calls_and_says_how_many_it_left_out(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(call_log, "MOST_KEPT", 3)
    engine = make_engine(worker_env.settings.database_url, program="test", pool_size=1)
    log, job_id = CallBuffer(engine), uuid4()
    for number in range(20):
        log.record(call("late" if number > 10 else None))
    log.flush(job_id)
    log.flush(job_id)
    engine.dispose()

    assert [(3, 3)] == worker_env.rows(
        "SELECT count(*) FILTER (WHERE success), count(*) FILTER (WHERE NOT success) FROM api_call WHERE job_id = %s",
        job_id,
    )
    assert 1 == caplog.text.count("14 calls too many")
