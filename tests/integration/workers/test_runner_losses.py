"""Jobs that are woken twice, lose their lease, have a follow-up job, or end while Postgres is away; no Celery."""

import threading
from contextlib import ExitStack, suppress
from datetime import timedelta
from typing import Any, NoReturn
from uuid import uuid4

import pytest
from sqlalchemy import text

from shared.errors import (
    JobOutcomeUnknownError,
    OrderRejectedError,
    RateLimitedError,
    RetryableError,
    VenueDownError,
)
from shared.ledger.jobs.upkeep import DoNothing
from shared.ledger.worker import WorkerProcess
from tests.fixtures.ledger_env import without_database
from tests.fixtures.processes import until
from tests.fixtures.runner_env import WORKER, RunnerEnv, raise_error
from tests.fixtures.wire_tap import WireTap
from tests.fixtures.worker_processes import process
from workers.context import Context
from workers.recording import Outcome
from workers.runner import Runner


def process_of(row: dict[str, Any]) -> WorkerProcess:
    return WorkerProcess(row["worker_id"], row["process_id"])


def test_many_wake_ups_for_one_job_run_it_once(runner_env: RunnerEnv) -> None:
    started: list[WorkerProcess] = []
    job_id = runner_env.enqueue(lambda ctx: started.append(ctx.job.worker))
    runners = [runner_env.open_runner(process(f"trading@here.1/{number}")) for number in range(10, 16)]
    start_together = threading.Barrier(len(runners))
    states: list[str] = []

    def wake(runner: Runner) -> None:
        start_together.wait()
        states.extend(runner.run(job_id).state for _ in range(3))

    threads = [threading.Thread(target=wake, args=(runner,)) for runner in runners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 == len(started)
    assert ["duplicate"] * 17 + ["succeeded"] == sorted(states)


def test_a_worker_without_a_lease_cannot_record_a_result(runner_env: RunnerEnv) -> None:
    job_id = runner_env.enqueue(lambda ctx: runner_env.release(ctx.job))

    assert "duplicate" == runner_env.run(job_id).state
    row = runner_env.row(job_id)
    assert ("queued", None, "went silent") == (row["state"], row["result"], row["error"])


@pytest.mark.parametrize(
    "error", [RetryableError("late"), OrderRejectedError("late"), RateLimitedError("late", timedelta(1))]
)
def test_a_worker_without_a_lease_cannot_record_an_error(runner_env: RunnerEnv, error: Exception) -> None:
    def act(ctx: Context) -> NoReturn:
        runner_env.release(ctx.job)
        raise error

    job_id = runner_env.enqueue(act)

    assert "duplicate" == runner_env.run(job_id).state
    assert ("queued", "went silent") == (runner_env.row(job_id)["state"], runner_env.row(job_id)["error"])


def test_a_worker_that_lost_its_lease_does_not_change_the_next_workers_result(runner_env: RunnerEnv) -> None:
    other = runner_env.open_runner(process("trading@here.9/9"))

    def act(ctx: Context) -> int:
        if ctx.job.worker == WORKER:
            runner_env.release(ctx.job)
            assert "succeeded" == other.run(ctx.job.id).state
        return ctx.job.worker.process_id

    job_id = runner_env.enqueue(act)

    assert "duplicate" == runner_env.run(job_id).state
    row = runner_env.row(job_id)
    assert ("succeeded", 9, 2) == (row["state"], row["result"], row["attempt"])


def test_a_worker_without_a_lease_rolls_back_its_whole_transaction(runner_env: RunnerEnv) -> None:
    def act(ctx: Context) -> None:
        runner_env.release(ctx.job)
        with ctx.transaction() as tx:
            tx.connection.execute(text("UPDATE account SET balance = 1"))
            tx.enqueue(DoNothing())
            tx.finish({"done": True})

    job_id = runner_env.enqueue(act)

    assert "duplicate" == runner_env.run(job_id).state
    assert [{"balance": 50_000}] == runner_env.rows("SELECT balance FROM account")
    assert [(job_id, "queued")] == [(row["id"], row["state"]) for row in runner_env.rows("SELECT id, state FROM job")]


def test_child_jobs_keep_the_correlation_id_and_roll_back_with_their_transaction(runner_env: RunnerEnv) -> None:
    def act(ctx: Context) -> None:
        with ctx.transaction() as tx:
            tx.enqueue(DoNothing(note="kept"))
        with ctx.transaction() as tx:
            tx.enqueue(DoNothing(note="vanishes"))
            raise RetryableError("in the middle")

    parent = runner_env.run_function(act)

    (child,) = runner_env.rows("SELECT * FROM job WHERE name = 'upkeep.do_nothing'")
    assert "queued" == parent["state"]
    assert {"note": "kept", "seconds": 0} == child["arguments"]
    assert (parent["id"], parent["correlation_id"]) == (child["parent_id"], child["correlation_id"])


def test_a_follow_up_job_runs_at_once_and_the_wake_up_returns_its_outcome(runner_env: RunnerEnv) -> None:
    second = runner_env.drill(lambda _: "second")

    def first(ctx: Context) -> None:
        with ctx.transaction() as tx:
            tx.connection.execute(text("UPDATE account SET balance = 1"))
            tx.continue_with("first", second)

    job_id = runner_env.enqueue(first, sequence_key="account:1")

    assert Outcome("succeeded", "second") == runner_env.run(job_id)
    before, after = runner_env.rows("SELECT * FROM job ORDER BY id")
    assert [("succeeded", "first"), ("succeeded", "second")] == [
        (row["state"], row["result"]) for row in (before, after)
    ]
    assert (before["id"], before["correlation_id"], before["sequence_id"], WORKER) == (
        after["parent_id"], after["correlation_id"], after["sequence_id"], process_of(after)
    )  # fmt: skip
    assert [{"balance": 1}] == runner_env.rows("SELECT balance FROM account")


def test_a_follow_up_that_is_rolled_back_does_not_finish_the_first_job(runner_env: RunnerEnv) -> None:
    second = runner_env.drill(lambda _: "second")

    def first(ctx: Context) -> None:
        with ctx.transaction() as tx:
            tx.continue_with("first", second)
            raise RetryableError("before the commit")

    row = runner_env.run_function(first)

    assert ("queued", None) == (row["state"], row["result"])
    assert 1 == len(runner_env.rows("SELECT id FROM job"))


def test_an_error_after_the_commit_of_a_follow_up_affects_neither_job(runner_env: RunnerEnv) -> None:
    second = runner_env.drill(lambda _: "second")

    def first(ctx: Context) -> None:
        with ctx.transaction() as tx:
            tx.continue_with("first", second)
        raise ZeroDivisionError

    runner_env.run_function(first)

    found = runner_env.rows("SELECT state, result FROM job ORDER BY id")
    assert [("succeeded", "first"), ("succeeded", "second")] == [(row["state"], row["result"]) for row in found]


def test_a_rescheduled_follow_up_still_runs_before_waiting_jobs(runner_env: RunnerEnv) -> None:
    second = runner_env.drill(raise_error(VenueDownError("down")))

    def first(ctx: Context) -> None:
        with ctx.transaction() as tx:
            tx.continue_with("first", second)

    job_id = runner_env.enqueue(first, sequence_key="account:1")
    waiting = runner_env.enqueue(lambda _: "third", sequence_key="account:1")

    assert "rescheduled" == runner_env.run(job_id).state
    assert "duplicate" == runner_env.run(waiting).state
    (follow_up,) = runner_env.rows(f"SELECT state, attempt FROM job WHERE parent_id = '{job_id}'")
    assert {"state": "queued", "attempt": 0} == follow_up


def test_a_job_whose_end_cannot_be_recorded_stays_claimed(runner_env: RunnerEnv) -> None:
    with ExitStack() as outage:
        job_id = runner_env.enqueue(lambda _: outage.enter_context(without_database(runner_env.database_url)))
        with pytest.raises(JobOutcomeUnknownError, match="ended unrecorded"):
            runner_env.runner.run(job_id)

    assert ("running", WORKER.process_id) == (runner_env.row(job_id)["state"], runner_env.row(job_id)["process_id"])


def test_a_job_that_cannot_be_claimed_stays_queued(runner_env: RunnerEnv) -> None:
    job_id = runner_env.enqueue(lambda _: None)
    with without_database(runner_env.database_url):
        assert "unclaimed" == runner_env.runner.run(job_id).state

    assert ("queued", 0) == (runner_env.row(job_id)["state"], runner_env.row(job_id)["attempt"])
    assert "succeeded" == runner_env.run(job_id).state


def test_a_claim_without_an_answer_raises_job_outcome_unknown(runner_env: RunnerEnv) -> None:
    job_id = runner_env.enqueue(lambda _: None)
    with WireTap(runner_env.database_url) as wire:
        runner = runner_env.open_runner(process("trading@here.1/3"), wire.url)
        runner.run(uuid4())  # connects
        wire.block_after(job_id.bytes)

        def reconnect_after_the_claim() -> None:
            until(lambda: runner_env.row(job_id)["state"] == "running", 60, "the claim, which Postgres has received")
            wire.restore()

        threading.Thread(target=reconnect_after_the_claim).start()
        with pytest.raises(JobOutcomeUnknownError, match="not known"):
            runner.run(job_id)

    assert ("running", 3) == (runner_env.row(job_id)["state"], runner_env.row(job_id)["process_id"])


def test_a_follow_up_in_an_outage_raises_job_outcome_unknown(runner_env: RunnerEnv) -> None:
    second = runner_env.drill(lambda _: "second")
    with ExitStack() as outage:

        def first(ctx: Context) -> None:
            with ctx.transaction() as tx:
                tx.continue_with("first", second)
            outage.enter_context(without_database(runner_env.database_url))

        job_id = runner_env.enqueue(first, sequence_key="account:1")
        with pytest.raises(JobOutcomeUnknownError):  # else the parent renews the second job's lease for ever
            runner_env.runner.run(job_id)


def test_a_follow_up_whose_commit_has_no_answer_is_not_left_claimed(runner_env: RunnerEnv) -> None:
    second = runner_env.drill(lambda _: "second")
    with WireTap(runner_env.database_url) as wire:
        runner = runner_env.open_runner(process("trading@here.1/3"), wire.url)

        def first(ctx: Context) -> None:
            with ctx.transaction() as tx:
                tx.continue_with("first", second)
                wire.heard.clear()
                wire.block_after(b"COMMIT")
                threading.Thread(target=reconnect_after_the_commit).start()

        def reconnect_after_the_commit() -> None:
            until(lambda: b"COMMIT" in wire.heard, 60)
            until(lambda: runner_env.rows("SELECT id FROM job WHERE state = 'succeeded'") != [], 60)
            wire.restore()

        job_id = runner_env.enqueue(first)
        with suppress(JobOutcomeUnknownError):  # the process ends: its parent releases its jobs
            runner.run(job_id)
            assert [] == runner_env.rows("SELECT name, worker FROM job WHERE state = 'running'")
    assert "succeeded" == runner_env.row(job_id)["state"]
