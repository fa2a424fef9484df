"""The call log: every call to the venue becomes a row, after the job has ended."""

import os
import sys
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest

from shared.clock import machine_now
from shared.db.engine import make_engine
from shared.errors import JobOutcomeUnknownError
from shared.fleets import Queue
from shared.gateway.ports import Call
from shared.ledger.connection import AutocommitConnection
from shared.ledger.jobs.accounts import SnapshotAccounts
from shared.ledger.jobs.upkeep import DoNothing
from tests.fixtures.ledger_env import without_database
from tests.fixtures.processes import free_port, until
from tests.fixtures.worker_env import WorkerEnv
from tests.fixtures.worker_processes import process
from workers import app, call_log
from workers.call_log import CallBuffer
from workers.context import Context
from workers.task import TASKS
from workers.wiring import open_runner

CALLS = "SELECT job_id FROM api_call ORDER BY id"


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


def has_calls(worker_env: WorkerEnv, expected: list[tuple[UUID | None]]) -> bool:
    return worker_env.rows(CALLS) == expected


@pytest.mark.parametrize("job_id", [uuid4(), None], ids=["of a job", "of no job"])
def test_calls_are_recorded_within_a_second_though_no_other_follows(worker_env: WorkerEnv, job_id: UUID | None) -> None:
    """So a worker that is killed in the middle of a job, or the feed, which runs none, loses those of a second."""
    worker_env.execute("DELETE FROM api_call")
    engine = make_engine(worker_env.settings.database_url, program="test", pool_size=1)
    log = CallBuffer(engine)
    if job_id is not None:
        log.begin(job_id)
    for number in range(2):
        log.record(call())
        until(partial(has_calls, worker_env, [(job_id,)] * (number + 1)), 60, "a call")
    log.flush()
    engine.dispose()

    assert [(job_id,)] * 2 == worker_env.rows(CALLS)


def test_a_call_is_of_the_job_that_made_it_whenever_it_is_recorded(worker_env: WorkerEnv) -> None:
    worker_env.execute("DELETE FROM api_call")
    engine = make_engine(worker_env.settings.database_url, program="test", pool_size=1)
    log, jobs = CallBuffer(engine), [uuid4(), uuid4()]
    for job_id in jobs:
        log.begin(job_id)
        log.record(call())
    log.flush()
    engine.dispose()

    assert [(job_id,) for job_id in jobs] == worker_env.rows(CALLS)


def test_a_job_with_too_many_calls_records_the_first_and_logs_the_number_of_the_others(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(call_log, "MAX_KEPT", 3)
    engine = make_engine(worker_env.settings.database_url, program="test", pool_size=1)
    log, job_id = CallBuffer(engine), uuid4()
    log.begin(job_id)
    for number in range(20):
        log.record(call("late" if number > 10 else None))
    log.flush()
    log.flush()
    engine.dispose()

    assert [(3, 3)] == worker_env.rows(
        "SELECT count(*) FILTER (WHERE success), count(*) FILTER (WHERE NOT success) FROM api_call WHERE job_id = %s",
        job_id,
    )
    assert 1 == caplog.text.count("14 of them were not recorded")


@pytest.mark.parametrize("has_connection", [False, True])
def test_calls_that_the_database_does_not_take_fail_no_job(
    caplog: pytest.LogCaptureFixture, *, has_connection: bool
) -> None:
    away = make_engine(f"postgresql://tickwork@127.0.0.1:{free_port()}/tickwork", program="test", pool_size=1)
    log = CallBuffer(away, AutocommitConnection(away) if has_connection else None)
    log.record(call())
    log.flush()

    assert "calls to the venue are recorded later: " in caplog.text


def test_calls_that_are_made_while_the_database_is_away_are_recorded_once_it_is_back(
    worker_env: WorkerEnv, caplog: pytest.LogCaptureFixture
) -> None:
    worker_env.execute("DELETE FROM api_call")
    engine = make_engine(worker_env.settings.database_url, program="test", pool_size=1)
    log, jobs = CallBuffer(engine), [uuid4() for _ in range(5)]
    with without_database(worker_env.settings.database_url):
        for job_id in jobs:
            log.begin(job_id)
            log.record(call())
            log.flush()
    until(lambda: {(job_id,) for job_id in jobs} == set(worker_env.rows(CALLS)), 60, "the calls")
    log.flush()
    engine.dispose()

    assert len(jobs) == len(worker_env.rows(CALLS))
    assert 1 == caplog.text.count("calls to the venue are recorded later: ")
    assert 1 == caplog.text.count("recorded again; 0 were too many to keep")


def test_of_too_many_calls_while_the_database_is_away_the_first_are_kept(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(call_log, "MAX_KEPT", 3)
    monkeypatch.setattr(call_log, "_RECORDED_AFTER_S", 3600)  # only by `flush`
    worker_env.execute("DELETE FROM api_call")
    engine = make_engine(worker_env.settings.database_url, program="test", pool_size=1)
    log, jobs = CallBuffer(engine), [uuid4() for _ in range(20)]
    with without_database(worker_env.settings.database_url):
        for number, job_id in enumerate(jobs):
            log.begin(job_id)
            log.record(call("late" if number > 10 else None))
            log.flush()
    log.flush()
    engine.dispose()

    assert [(job_id,) for job_id in jobs[:3] + jobs[11:14]] == worker_env.rows(CALLS)
    assert 1 == caplog.text.count("recorded again; 14 were too many to keep")


def test_a_call_that_does_not_fit_its_table_is_not_tried_again(
    worker_env: WorkerEnv, caplog: pytest.LogCaptureFixture
) -> None:
    worker_env.execute("DELETE FROM api_call")
    log = CallBuffer(worker_env.ledger.engine)
    log.record(replace(call(), status=10**12))
    log.flush()
    log.record(call())
    log.flush()

    assert 1 == caplog.text.count("1 calls to the venue were not recorded")
    until(partial(has_calls, worker_env, [(None,)]), 60, "the call that fits")


def test_calls_of_a_job_that_ends_while_the_database_is_away_are_counted_as_lost(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    worker_env.execute("DELETE FROM api_call")
    job_id = worker_env.enqueue(DoNothing())
    with ExitStack() as away:

        def call_while_away(_: DoNothing, ctx: Context) -> None:
            away.enter_context(without_database(worker_env.settings.database_url))
            for _number in range(3):
                ctx.calls.record(call())

        monkeypatch.setitem(TASKS, DoNothing.job_name(), replace(TASKS[DoNothing.job_name()], do=call_while_away))
        with open_runner(worker_env.settings, process("calls/1"), program="test") as runner:
            monkeypatch.setattr(app, "_child", SimpleNamespace(runner=lambda: runner))
            monkeypatch.setattr(os, "_exit", sys.exit)
            with pytest.raises(SystemExit), app.open_child_runner() as runner_of_pool:
                runner_of_pool.run(job_id)
            assert 1 == caplog.text.count("3 calls to the venue are lost")


def test_calls_of_a_job_whose_session_ends_are_recorded_though_its_process_ends(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As after a restart of Postgres that is over when the job ends."""
    worker_env.execute("DELETE FROM api_call")
    job_id = worker_env.enqueue(DoNothing())

    def call_and_lose(_: DoNothing, ctx: Context) -> None:
        ctx.calls.record(call())
        raise JobOutcomeUnknownError("its session has ended")

    monkeypatch.setitem(TASKS, DoNothing.job_name(), replace(TASKS[DoNothing.job_name()], do=call_and_lose))
    with (
        pytest.raises(JobOutcomeUnknownError),
        open_runner(worker_env.settings, process("calls/1"), program="test") as runner,
    ):
        runner.run(job_id)

    assert [(job_id,)] == worker_env.rows(CALLS)
    assert "are lost" not in caplog.text
