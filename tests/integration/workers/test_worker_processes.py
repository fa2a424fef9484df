"""A fleet of real worker processes that loses its children, itself, Postgres or the broker."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest

from shared.db.engine import driver
from shared.fleets import Queue
from shared.ledger import operations
from shared.ledger.envelope import WakeUp
from shared.ledger.jobs.upkeep import DoNothing
from tests.fixtures.ledger_env import LedgerEnv, StartedProgram, without_database
from tests.fixtures.processes import until
from tests.fixtures.trial.trials import HangOnce, Hold

FLEET = "normal"  # one queue, four slots
SLOTS = 4
LONG = Hold(file=__file__)  # never ends
Held = tuple[Callable[..., list[UUID]], Path]  # the fixture `held`
AT_ONCE = """arguments = '{"file": "/nowhere"}'"""


def start_worker(ledger_env: LedgerEnv) -> StartedProgram:
    return ledger_env.start("tests.fixtures.trial", FLEET)


@pytest.fixture(scope="module")
def ledger_env(shared_ledger_env: LedgerEnv) -> LedgerEnv:
    shared_ledger_env.start("tests.fixtures.trial.relay").wait_until_running()
    return shared_ledger_env


@pytest.fixture(scope="module")
def running(ledger_env: LedgerEnv) -> list[StartedProgram]:
    return [start_worker(ledger_env)]


@pytest.fixture
def worker(ledger_env: LedgerEnv, running: list[StartedProgram]) -> StartedProgram:
    """The one running worker; a new one when the previous test ended it."""
    if not running[-1].is_alive():
        running.append(start_worker(ledger_env))
    running[-1].wait_until_running()
    return running[-1]


@pytest.fixture
def held(ledger_env: LedgerEnv, tmp_path: Path) -> Iterator[Held]:
    """A function that enqueues jobs and returns them once they run, and the file whose removal ends them."""
    file = tmp_path / "held"
    file.touch()

    def ask(count: int = SLOTS) -> list[UUID]:
        job_ids = [ledger_env.enqueue(Hold(file=str(file)), queue=Queue.NORMAL) for _ in range(count)]
        ledger_env.wait_for("running", *job_ids)
        return job_ids

    yield ask, file
    file.unlink(missing_ok=True)


def wait_for_renewal(ledger_env: LedgerEnv, job_id: UUID) -> dict[str, Any]:
    """Return the job's row once its worker has written a heartbeat since the claim."""
    (claimed,) = ledger_env.wait_for("running", job_id)
    beats = (
        f"SELECT 1 FROM worker JOIN job ON worker.id = worker_id WHERE job.id = '{job_id}' AND seen_at > job.started_at"
    )
    until(lambda: bool(ledger_env.rows(beats)), 60, "a heartbeat")
    return claimed


def worker_pid(ledger_env: LedgerEnv, row: dict[str, Any]) -> int:
    """Return the process id of the worker that runs or ran a job; 0 if none does."""
    found = ledger_env.rows(f"SELECT process_id FROM worker WHERE id = '{row['worker_id'] or UUID(int=0)}'")
    return int(found[0]["process_id"]) if found else 0


def occupy_workers(ledger_env: LedgerEnv, workers: list[StartedProgram], file: Path) -> list[UUID]:
    """Enqueue jobs that end with the removal of `file`, until each worker runs one; return the running jobs."""
    job_ids: list[UUID] = []

    def has_each_worker_a_job() -> bool:
        busy = {worker_pid(ledger_env, ledger_env.row(job_id)) for job_id in job_ids}
        if len(job_ids) < len(workers) * SLOTS:
            job_ids.append(ledger_env.enqueue(Hold(file=str(file)), queue=Queue.NORMAL))
        return all(worker.pid in busy for worker in workers)

    until(has_each_worker_a_job, 60, "a job at each worker")
    return [row["id"] for row in ledger_env.wait_for("running", *job_ids)]


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.usefixtures("worker")
def test_a_job_of_a_killed_process_is_released_and_runs_again(ledger_env: LedgerEnv) -> None:
    job_id = ledger_env.enqueue(LONG, queue=Queue.NORMAL)
    before = wait_for_renewal(ledger_env, job_id)
    ledger_env.execute(f"UPDATE job SET {AT_ONCE} WHERE id = '{job_id}'")
    os.kill(before["process_id"], signal.SIGKILL)

    (after,) = ledger_env.wait_for("succeeded", job_id)
    assert 2 == after["attempt"]
    assert before["process_id"] != after["process_id"]
    assert after["started_at"] < before["lease_until"]  # the release did not wait for the lease


@pytest.mark.usefixtures("worker")
def test_a_job_that_loses_its_process_at_the_last_attempt_ends_dead_and_names_the_process(
    ledger_env: LedgerEnv,
) -> None:
    job_id = ledger_env.enqueue(LONG, "max_attempts = 1", queue=Queue.NORMAL)
    process = wait_for_renewal(ledger_env, job_id)["process_id"]
    os.kill(process, signal.SIGKILL)

    (row,) = ledger_env.wait_for("dead", job_id)
    assert (1, f"worker process {process} was lost") == (row["attempt"], row["error"])


@pytest.mark.usefixtures("worker")
def test_a_job_that_overruns_its_deadline_ends_with_its_stack_and_frees_its_slot(
    ledger_env: LedgerEnv, held: Held
) -> None:
    late = [
        ledger_env.enqueue(LONG, "deadline = interval '1 second', max_attempts = 1", queue=Queue.NORMAL)
        for _ in range(SLOTS)
    ]

    for row in ledger_env.wait_for("dead", *late):
        assert "was stopped: its job overran the deadline; its last stack:" in row["error"]
        assert "in hold_slot" in row["error"]
    ask, file = held
    again = ask()  # all slots work
    file.unlink()
    assert {1} == {row["attempt"] for row in ledger_env.wait_for("succeeded", *again)}


@pytest.mark.usefixtures("worker")
def test_a_job_that_overran_its_deadline_once_is_retried(ledger_env: LedgerEnv) -> None:
    job_id = ledger_env.enqueue(HangOnce(), "deadline = interval '1 second'", queue=Queue.NORMAL)
    until(lambda: ledger_env.row(job_id)["attempt"] > 0, 60, "its first attempt")
    ledger_env.execute(f"UPDATE job SET deadline = NULL WHERE id = '{job_id}'")  # of later attempts

    assert 2 == ledger_env.wait_for("succeeded", job_id)[0]["attempt"]


@pytest.mark.usefixtures("worker")
def test_many_wake_ups_for_one_job_start_it_once(ledger_env: LedgerEnv) -> None:
    job_id = ledger_env.enqueue(DoNothing(seconds=1), publish_on_commit=False)
    ledger_env.publisher.publish([WakeUp(job_id, DoNothing.job_name(), DoNothing.queue, DoNothing.deadline)] * 20)

    (row,) = ledger_env.wait_for("succeeded", job_id)
    until(lambda: ledger_env.broker.waiting(FLEET) == 0, 60, "an empty queue")
    ledger_env.wait_for("succeeded", ledger_env.enqueue(DoNothing(note="after them all")))
    assert row == ledger_env.row(job_id)
    assert 1 == row["attempt"]


@pytest.mark.usefixtures("worker")
def test_a_broker_that_loses_every_message_loses_no_job_and_runs_none_twice(ledger_env: LedgerEnv, held: Held) -> None:
    ask, file = held
    running = ask()
    waiting = [ledger_env.enqueue(DoNothing()) for _ in range(10)]
    ledger_env.broker.forget()
    file.unlink()

    assert {1} == {row["attempt"] for row in ledger_env.wait_for("succeeded", *running, *waiting)}


def test_an_invalid_message_stops_no_worker(ledger_env: LedgerEnv, worker: StartedProgram) -> None:
    ledger_env.broker.put(FLEET, b"{}")

    ledger_env.wait_for("succeeded", ledger_env.enqueue(DoNothing()))
    assert worker.is_alive()
    worker.stop()  # Celery has reconnected, which may cost a slot until the watchdog, off in these tests, notices


@pytest.mark.usefixtures("worker")
def test_jobs_survive_an_outage_of_postgres_while_they_run(ledger_env: LedgerEnv, held: Held) -> None:
    ask, file = held
    job_ids = ask()
    children = [ledger_env.row(job_id)["process_id"] for job_id in job_ids]
    with without_database(ledger_env.database_url):
        file.unlink()
        until(lambda: all(map(is_gone, children)), 60, "the end of the processes that could not record their jobs")

    ledger_env.wait_for("succeeded", *job_ids, ledger_env.enqueue(DoNothing(note="after it")))


def test_a_worker_that_shuts_down_finishes_its_running_jobs_and_leaves_the_rest(
    ledger_env: LedgerEnv, worker: StartedProgram, held: Held
) -> None:
    ask, file = held
    started = [ledger_env.row(job_id) for job_id in ask()]
    waiting = [ledger_env.enqueue(DoNothing()) for _ in range(10)]
    other = start_worker(ledger_env)

    worker.terminate()
    assert {1} == {row["attempt"] for row in ledger_env.wait_for("succeeded", *waiting)}  # by the other
    file.unlink()
    assert 0 == worker.process.wait(60)
    ended = ledger_env.wait_for("succeeded", *(row["id"] for row in started))
    assert [(row["process_id"], 1) for row in started] == [(row["process_id"], row["attempt"]) for row in ended]
    other.stop()


def test_a_worker_that_shuts_down_ends_though_a_child_does_not_answer(ledger_env: LedgerEnv) -> None:
    """As one that waits for its parent to read a result: Celery would wait for it without limit."""
    worker = start_worker(ledger_env)
    worker.wait_until_running()
    _, child, *_ = worker.family()
    child.suspend()

    assert 0 == worker.stop()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 60, "the end of the child")
    (row,) = ledger_env.rows(f"SELECT ended_at FROM worker WHERE process_id = {worker.pid}")
    assert row["ended_at"] is not None


def test_another_worker_runs_the_jobs_of_a_killed_and_a_frozen_one_and_late_results_change_nothing(
    ledger_env: LedgerEnv, worker: StartedProgram, tmp_path: Path, held: Held
) -> None:
    file = tmp_path / "late"
    file.touch()
    frozen, killed = worker, start_worker(ledger_env)
    killed.wait_until_running()
    job_ids = occupy_workers(ledger_env, [frozen, killed], file)
    family = killed.family()
    frozen.freeze()
    killed.kill()
    other = start_worker(ledger_env)
    ledger_env.execute(f"UPDATE job SET {AT_ONCE} WHERE state = 'running'")

    rows = ledger_env.wait_for("succeeded", *job_ids)
    assert {2} == {row["attempt"] for row in rows}
    assert all(worker_pid(ledger_env, row) == other.pid for row in rows)
    assert all(is_gone(process.pid) for process in family)  # no child outlives its parent
    frozen.resume()
    other.stop()
    file.unlink()
    ask, _ = held
    ask()  # every slot of the thawed worker works again, so all late results have come
    assert rows == [ledger_env.row(row["id"]) for row in rows]


@pytest.mark.usefixtures("worker")
def test_a_job_whose_arguments_no_worker_can_parse_ends_dead_with_the_reason(ledger_env: LedgerEnv) -> None:
    job_id = ledger_env.enqueue(DoNothing(), 'arguments = \'{"seconds": "soon"}\'', publish_on_commit=False)

    assert "Expected `int`" in ledger_env.wait_for("dead", job_id)[0]["error"]


def test_a_job_of_a_name_that_no_worker_knows_yet_waits_for_one_that_does(
    ledger_env: LedgerEnv, worker: StartedProgram
) -> None:
    job_id = ledger_env.enqueue(DoNothing(), "name = 'newer.job'", publish_on_commit=False)
    until(lambda: "waits for a worker that knows its name 'newer.job'" in worker.log.read_text(), 60, "the message")
    ledger_env.wait_for("succeeded", ledger_env.enqueue(DoNothing(note="after it")))
    assert ("queued", 0) == (ledger_env.row(job_id)["state"], ledger_env.row(job_id)["attempt"])

    ledger_env.execute(f"UPDATE job SET name = 'upkeep.do_nothing' WHERE id = '{job_id}'")  # a worker of that version
    ledger_env.wait_for("succeeded", job_id)


@pytest.mark.usefixtures("worker")
def test_cancelling_a_running_job_ends_it_and_its_process_if_need_be(ledger_env: LedgerEnv) -> None:
    job_id = ledger_env.enqueue(LONG, queue=Queue.NORMAL)
    (row,) = ledger_env.wait_for("running", job_id)
    with ledger_env.ledger.engine.begin() as connection:
        operations.cancel(driver(connection), job_id)

    (ended,) = ledger_env.wait_for("cancelled", job_id)
    assert ended["error"].startswith("cancelled by a person while it ran")
    assert is_gone(row["process_id"])
    ledger_env.wait_for("succeeded", ledger_env.enqueue(DoNothing(note="after it")))
