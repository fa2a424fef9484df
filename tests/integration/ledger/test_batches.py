"""Batches: many jobs of a large backlog in one commit, with the guarantees that a single job has."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from scheduler.relay import BACKLOG_PER_SLOT
from shared.db.engine import driver
from shared.fleets import Queue, slots_of
from shared.ledger import claims, recovery
from tests.fixtures.ledger_env import LedgerEnv
from tests.fixtures.runner_env import WORKER, JobFunction, RunnerEnv, raise_error
from tests.fixtures.trial.trials import Effect, Nothing
from tests.fixtures.worker_processes import process
from workers.context import Context

NAME = "runner_env.drill"


def enqueue(runner_env: RunnerEnv, *acts: JobFunction) -> list[UUID]:
    return [runner_env.enqueue(act) for act in acts]


def make_effect(number: int, *, finish: bool = False) -> JobFunction:
    def act(ctx: Context) -> str:
        with ctx.transaction() as tx:
            tx.connection.execute(text("INSERT INTO effect VALUES (:number)"), {"number": number})
            if finish:
                tx.finish({"own": number})
        return f"effect {number}"

    return act


@pytest.fixture(autouse=True)
def effects(runner_env: RunnerEnv) -> None:
    runner_env.execute("CREATE TABLE effect (number integer)")


def numbers(runner_env: RunnerEnv) -> list[int]:
    return [row["number"] for row in runner_env.rows("SELECT number FROM effect ORDER BY number")]


def states(runner_env: RunnerEnv, jobs: list[UUID]) -> list[str]:
    return [runner_env.row(job)["state"] for job in jobs]


def test_each_job_of_a_batch_ends_with_its_own_result_and_effects(runner_env: RunnerEnv) -> None:
    jobs = enqueue(runner_env, *(make_effect(number) for number in range(5)), make_effect(5, finish=True))

    assert {"succeeded": 6} == runner_env.runner.run_batch(NAME, Queue.NORMAL, 10)
    assert ["succeeded"] * 6 == states(runner_env, jobs)
    assert ["effect 0", {"own": 5}] == [runner_env.row(jobs[0])["result"], runner_env.row(jobs[5])["result"]]
    assert list(range(6)) == numbers(runner_env)


def test_a_failed_job_of_a_batch_rolls_back_only_its_own_effects(runner_env: RunnerEnv) -> None:
    def fail_half_way(ctx: Context) -> None:
        with ctx.transaction() as tx:
            tx.connection.execute(text("INSERT INTO effect VALUES (99)"))
            raise ValueError("half way")

    broken = raise_error(RuntimeError("broken"))
    jobs = enqueue(
        runner_env,
        make_effect(1),
        fail_half_way,
        lambda ctx: ctx.transaction().__enter__().connection,
        broken,
        make_effect(2),
    )
    counts = runner_env.runner.run_batch(NAME, Queue.NORMAL, 10)

    assert {"succeeded": 2, "rescheduled": 3} == counts
    assert ["succeeded", "queued", "queued", "queued", "succeeded"] == states(runner_env, jobs)
    assert [1, 2] == numbers(runner_env)
    assert "half way" in runner_env.row(jobs[1])["error"]


def test_a_failed_job_of_a_batch_is_retried_alone(runner_env: RunnerEnv) -> None:
    (job,) = enqueue(runner_env, raise_error(RuntimeError("broken")))
    runner_env.runner.run_batch(NAME, Queue.NORMAL, 10)
    runner_env.execute("UPDATE job SET run_at = now()")

    assert {} == runner_env.runner.run_batch(NAME, Queue.NORMAL, 10)
    assert "rescheduled" == runner_env.runner.run(job).state


def test_when_one_lease_is_lost_the_batch_is_rolled_back_and_each_job_runs_again(runner_env: RunnerEnv) -> None:
    lost: list[UUID] = []

    def lose_lease(ctx: Context) -> None:
        if not lost:
            lost.append(ctx.job.id)
            with runner_env.ledger.engine.begin() as other:
                recovery.release_lost(driver(other), ctx.job.worker, "went silent")

    jobs = enqueue(runner_env, make_effect(1), lose_lease, make_effect(2))
    runner_env.runner.run_batch(NAME, Queue.NORMAL, 10)

    assert [] == numbers(runner_env)
    assert [runner_env.run(job).state for job in jobs] == ["succeeded"] * 3
    assert [1, 2] == numbers(runner_env)


def test_a_result_that_cannot_be_stored_does_not_stop_the_other_jobs_of_a_batch(runner_env: RunnerEnv) -> None:
    jobs = enqueue(runner_env, make_effect(1), lambda _: {"text": "a\x00b"}, make_effect(2))
    runner_env.runner.run_batch(NAME, Queue.NORMAL, 10)
    for job in jobs:
        while runner_env.run(job).state == "rescheduled":
            pass

    assert ["succeeded", "dead", "succeeded"] == states(runner_env, jobs)
    assert [1, 2] == numbers(runner_env)


def test_jobs_enqueued_in_a_batch_are_committed_with_it(runner_env: RunnerEnv) -> None:
    def enqueue_one(ctx: Context) -> None:
        with ctx.transaction() as tx:
            tx.enqueue(runner_env.drill(lambda _: "enqueued"), run_after=timedelta(hours=1))

    enqueue(runner_env, enqueue_one, make_effect(1))
    assert {"succeeded": 2} == runner_env.runner.run_batch(NAME, Queue.NORMAL, 10)

    assert 1 == len(runner_env.rows("SELECT 1 FROM job WHERE state = 'queued' AND parent_id IS NOT NULL"))


def test_only_due_first_attempts_without_a_sequence_key_run_in_batches(runner_env: RunnerEnv) -> None:
    due, with_key, later, retried = (
        runner_env.enqueue(lambda _: None),
        runner_env.enqueue(lambda _: None, sequence_key="account:1"),
        runner_env.enqueue(lambda _: None, run_after=timedelta(hours=1)),
        runner_env.enqueue(lambda _: None),
    )
    runner_env.execute(f"UPDATE job SET attempt = 1 WHERE id = '{retried}'")

    assert {"succeeded": 1} == runner_env.runner.run_batch(NAME, Queue.NORMAL, 10)
    assert ["succeeded", "queued", "queued", "queued"] == states(runner_env, [due, with_key, later, retried])


def test_two_workers_share_a_backlog_and_run_no_job_twice(runner_env: RunnerEnv) -> None:
    jobs = enqueue(runner_env, *(make_effect(number) for number in range(40)))
    other = runner_env.open_runner(process("trading@here.1/3"))
    with runner_env.ledger.engine.connect() as connection:
        mine = claims.claim_batch(driver(connection), NAME, Queue.NORMAL, WORKER, 15)  # not committed yet, so locked
        counts = other.run_batch(NAME, Queue.NORMAL, 100)
        connection.commit()

    assert (15, {"succeeded": 25}) == (len(mine), counts)
    assert 25 == len(numbers(runner_env))
    assert {job.id for job in mine} | {job for job in jobs if runner_env.row(job)["state"] == "succeeded"} == set(jobs)


def test_real_workers_run_a_large_backlog_in_batches(ledger_env: LedgerEnv) -> None:
    slots = slots_of(Queue.LOW)
    count = BACKLOG_PER_SLOT * slots * 10
    with ledger_env.ledger.transaction() as tx:
        for number in range(count):
            tx.enqueue(Nothing(), publish_on_commit=False)
            if number % 10 == 0:  # its type is not transactional: one job per wake-up
                tx.enqueue(Effect(number=number), queue=Queue.LOW, publish_on_commit=False)
    ledger_env.start("tests.fixtures.trial", "bulk")
    ledger_env.start("tests.fixtures.trial.relay")
    jobs = [row["id"] for row in ledger_env.rows("SELECT id FROM job WHERE name <> 'upkeep.canary'")]
    ledger_env.wait_for("succeeded", *jobs, seconds=300)

    assert count // 10 == ledger_env.rows("SELECT count(DISTINCT number) AS n FROM effect")[0]["n"]
    assert count // 10 == ledger_env.rows("SELECT count(*) AS n FROM effect")[0]["n"]
    commits = "SELECT count(DISTINCT started_at) AS n FROM job WHERE name = 'trials.nothing'"
    assert count // 4 > ledger_env.rows(commits)[0]["n"]  # one claim took several jobs
