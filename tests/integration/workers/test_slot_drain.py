"""A slot that has ended a job goes on with the backlog of its queue, one claim and one commit per job."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from shared.errors import RefusedError
from shared.fleets import Queue, max_outstanding
from shared.ledger.claims import Backlog
from shared.ledger.jobs.upkeep import DoNothing
from tests.fixtures.ledger_env import LedgerEnv
from tests.fixtures.runner_env import Drill, JobFunction, RunnerEnv, raise_error
from tests.fixtures.trial.trials import Mark
from tests.fixtures.worker_processes import process
from workers import runner as runner_module
from workers.context import Context
from workers.runner import Run

BACKLOG = Backlog(Queue.NORMAL, (Drill.job_name(),))


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test of this file meets the time limit, however slow the machine is; one sets it."""
    monkeypatch.setattr(runner_module, "DRAIN_FOR_S", 600)


def states(runner_env: RunnerEnv, job_ids: list[UUID]) -> list[str]:
    return [str(runner_env.row(job_id)["state"]) for job_id in job_ids]


def test_a_wake_up_runs_the_backlog_of_its_queue_in_order(runner_env: RunnerEnv) -> None:
    order: list[UUID] = []
    jobs = [runner_env.enqueue(lambda ctx: order.append(ctx.job.id)) for _ in range(5)]
    assert "succeeded" == runner_env.runner.run_and_drain(jobs[2], BACKLOG).state

    assert [jobs[2], jobs[0], jobs[1], jobs[3], jobs[4]] == order
    assert ["succeeded"] * 5 == states(runner_env, jobs)
    assert 5 == len({runner_env.row(job_id)["claim_id"] for job_id in jobs})  # each has its own claim


@pytest.mark.parametrize("act", [raise_error(ValueError("broken")), lambda _: "\x00", lambda _: "\ud800"])
def test_a_job_that_fails_or_cannot_be_stored_does_not_stop_the_drain(runner_env: RunnerEnv, act: JobFunction) -> None:
    bad, good = runner_env.enqueue(act), runner_env.enqueue(lambda _: None)
    runner_env.execute(f"UPDATE job SET max_attempts = 1 WHERE id = '{bad}'")
    assert "dead" == runner_env.runner.run_and_drain(bad, BACKLOG).state

    assert ["dead", "succeeded"] == states(runner_env, [bad, good])


def test_a_wake_up_of_a_job_that_another_has_taken_drains_all_the_same(runner_env: RunnerEnv) -> None:
    taken, waiting = runner_env.enqueue(lambda _: None), runner_env.enqueue(lambda _: None)
    assert runner_env.ledger.claim(taken, process("other@here.1/1")) is not None
    assert "duplicate" == runner_env.runner.run_and_drain(taken, BACKLOG).state

    assert ["running", "succeeded"] == states(runner_env, [taken, waiting])


def test_the_drain_leaves_what_is_not_due_of_another_queue_or_of_an_unknown_name(runner_env: RunnerEnv) -> None:
    first = runner_env.enqueue(lambda _: None)
    left = [
        runner_env.enqueue(lambda _: None, run_after=timedelta(hours=1)),
        runner_env.enqueue(lambda _: None, queue=Queue.LOW),
        runner_env.enqueue(lambda _: None, expires_after=timedelta(microseconds=1)),
        runner_env.enqueue(lambda _: None),
    ]
    runner_env.execute(f"UPDATE job SET name = 'newer.job' WHERE id = '{left[-1]}'")
    runner_env.runner.run_and_drain(first, BACKLOG)

    assert ["queued"] * 4 == states(runner_env, left)


def test_the_drain_stops_for_due_work_of_a_higher_queue_of_its_fleet(runner_env: RunnerEnv) -> None:
    urgent: list[UUID] = []

    def first_act(_: Context) -> None:
        urgent.append(runner_env.enqueue(lambda _: None, queue=Queue.HIGH))

    first, second = runner_env.enqueue(first_act), runner_env.enqueue(lambda _: None)
    runner_env.runner.run_and_drain(first, Backlog(Queue.NORMAL, (Drill.job_name(),), (Queue.HIGH,)))

    assert ["succeeded", "queued", "queued"] == states(runner_env, [first, second, *urgent])


def test_jobs_of_one_sequence_key_run_in_order_and_one_at_a_time(runner_env: RunnerEnv) -> None:
    order: list[UUID] = []
    jobs = [runner_env.enqueue(lambda ctx: order.append(ctx.job.id), sequence_key="account:1") for _ in range(4)]
    runner_env.runner.run_and_drain(jobs[0], BACKLOG)

    assert jobs == order


def test_a_drain_whose_time_is_over_wakes_the_queue_for_the_rest(
    runner_env: RunnerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "DRAIN_FOR_S", 0)
    first, second = runner_env.enqueue(lambda _: None), runner_env.enqueue(lambda _: None)
    runner_env.runner.run_and_drain(first, BACKLOG)

    assert ["succeeded", "queued"] == states(runner_env, [first, second])
    assert 1 == runner_env.waiting(Queue.NORMAL)


def test_every_run_is_reported_with_its_outcome(runner_env: RunnerEnv) -> None:
    runs: list[Run] = []
    runner_env.runner.on_run = runs.append

    def act(ctx: Context) -> None:
        with ctx.transaction() as tx:
            tx.continue_with("first", runner_env.drill(lambda _: "follow-up"))

    jobs = [runner_env.enqueue(act), runner_env.enqueue(raise_error(RefusedError("no")))]
    runner_env.runner.run_and_drain(jobs[0], BACKLOG)

    assert ["succeeded", "succeeded", "failed"] == [run.outcome.state for run in runs]
    assert jobs == [runs[0].job.id, runs[2].job.id]


@pytest.fixture
def start(ledger_env: LedgerEnv) -> Callable[..., None]:
    def start_one(*arguments: str) -> None:
        ledger_env.start(*arguments).wait_until_running()

    return start_one


def test_a_burst_beyond_the_capacity_of_the_queue_needs_no_relay(
    ledger_env: LedgerEnv, start: Callable[..., None]
) -> None:
    start("tests.fixtures.trial", "normal")
    jobs = [ledger_env.enqueue(DoNothing()) for _ in range(3 * max_outstanding(Queue.NORMAL))]

    ledger_env.wait_for("succeeded", *jobs)  # no relay runs


def test_of_a_backlog_every_job_runs_once_however_many_slots_drain_it(
    ledger_env: LedgerEnv, start: Callable[..., None], tmp_path: object
) -> None:
    marks = f"{tmp_path}/marks"
    jobs = [
        ledger_env.enqueue(Mark(file=marks, name=str(number)), sequence_key=f"key:{number % 50}")
        for number in range(200)
    ]
    for _ in range(2):
        start("tests.fixtures.trial", "normal")
    start("tests.fixtures.trial.relay")
    ledger_env.wait_for("succeeded", *jobs)

    with open(marks, encoding="utf-8") as file:  # noqa: PTH123  # as the job writes it
        names = [int(line.split()[1]) for line in file]
    assert list(range(200)) == sorted(names)
    for key in range(50):
        assert [number for number in names if number % 50 == key] == [key, key + 50, key + 100, key + 150]
