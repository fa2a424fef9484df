"""What a fleet of real worker processes does when its children, itself, Postgres or the broker go away."""

import base64
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest

from shared.fleets import Queue
from shared.ledger.envelope import WakeUp
from shared.ledger.jobs.upkeep import DoNothing
from tests.fixtures.ledger_env import LedgerEnv, StartedProgram, database_away
from tests.fixtures.processes import until
from tests.fixtures.trial.trials import HangOnce, Hold

FLEET = "normal"  # one queue, four slots
SLOTS = 4
LONG = Hold(file=__file__)  # for ever
Held = tuple[Callable[..., list[UUID]], Path]  # the fixture `held`
AT_ONCE = """arguments = '{"file": "/nowhere"}'"""


def new_worker(ledger_env: LedgerEnv) -> StartedProgram:
    return ledger_env.start("tests.fixtures.trial", FLEET)


@pytest.fixture(scope="module")
def ledger_env(shared_ledger_env: LedgerEnv) -> LedgerEnv:
    shared_ledger_env.start("tests.fixtures.trial.relay").wait_until_running()
    return shared_ledger_env


@pytest.fixture(scope="module")
def running(ledger_env: LedgerEnv) -> list[StartedProgram]:
    return [new_worker(ledger_env)]


@pytest.fixture
def worker(ledger_env: LedgerEnv, running: list[StartedProgram]) -> StartedProgram:
    """The one worker that runs; another when the test before ended it."""
    if not running[-1].is_alive():
        running.append(new_worker(ledger_env))
    running[-1].wait_until_running()
    return running[-1]


@pytest.fixture
def held(ledger_env: LedgerEnv, tmp_path: Path) -> Iterator[Held]:
    """What asks for jobs and returns them once they run, and the file that they hold their slots for."""
    file = tmp_path / "held"
    file.touch()

    def ask(count: int = SLOTS) -> list[UUID]:
        job_ids = [ledger_env.ask(Hold(file=str(file)), queue=Queue.NORMAL) for _ in range(count)]
        ledger_env.wait_for("running", *job_ids)
        return job_ids

    yield ask, file
    file.unlink(missing_ok=True)


def wait_for_renewal(ledger_env: LedgerEnv, job_id: UUID) -> dict[str, Any]:
    """Return the job's row once the parent of the process that runs it has seen that process."""
    (claimed,) = ledger_env.wait_for("running", job_id)
    until(lambda: ledger_env.row(job_id)["lease_until"] > claimed["lease_until"], 60, "a renewed lease")
    return ledger_env.row(job_id)


def child_of(worker: str) -> int:
    return int(worker.rsplit("/", 1)[-1])


def jobs_of(ledger_env: LedgerEnv, workers: list[StartedProgram], file: Path) -> list[UUID]:
    """Keep asking for jobs that a file holds until each of the workers runs one; return all that run."""
    asked: list[UUID] = []

    def does_each_hold_one() -> bool:
        held_by = [ledger_env.row(job_id)["worker"] or "" for job_id in asked]
        if len(asked) < len(workers) * SLOTS:
            asked.append(ledger_env.ask(Hold(file=str(file)), queue=Queue.NORMAL))
        return all(any(f".{worker.pid}/" in holder for holder in held_by) for worker in workers)

    until(does_each_hold_one, 60, "a job at each worker")
    return [row["id"] for row in ledger_env.wait_for("running", *asked)]


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.usefixtures("worker")
def test_a_job_whose_process_is_killed_is_given_back_and_runs_again(ledger_env: LedgerEnv) -> None:
    job_id = ledger_env.ask(LONG, queue=Queue.NORMAL)
    before = wait_for_renewal(ledger_env, job_id)
    ledger_env.execute(f"UPDATE job SET {AT_ONCE} WHERE id = '{job_id}'")
    os.kill(child_of(before["worker"]), signal.SIGKILL)

    (after,) = ledger_env.wait_for("succeeded", job_id)
    assert (2, 2) == (after["attempt"], after["fence"])
    assert before["worker"] != after["worker"]
    assert after["started_at"] < before["lease_until"]  # nobody waited for the lease


@pytest.mark.usefixtures("worker")
def test_a_job_that_loses_the_process_of_its_last_attempt_ends_dead_and_names_it(ledger_env: LedgerEnv) -> None:
    job_id = ledger_env.ask(LONG, "max_attempts = 1", queue=Queue.NORMAL)
    process = child_of(wait_for_renewal(ledger_env, job_id)["worker"])
    os.kill(process, signal.SIGKILL)

    (row,) = ledger_env.wait_for("dead", job_id)
    assert (1, f"worker process {process} was lost") == (row["attempt"], row["error"])


@pytest.mark.usefixtures("worker")
def test_a_job_that_overruns_is_stopped_leaves_where_it_stood_and_frees_its_slot(
    ledger_env: LedgerEnv, held: Held
) -> None:
    late = [
        ledger_env.ask(LONG, "deadline = interval '1 second', max_attempts = 1", queue=Queue.NORMAL)
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
def test_a_job_that_overran_once_is_tried_again(ledger_env: LedgerEnv) -> None:
    job_id = ledger_env.ask(HangOnce(), "deadline = interval '1 second'", queue=Queue.NORMAL)
    until(lambda: ledger_env.row(job_id)["attempt"] > 0, 60, "its first attempt")
    ledger_env.execute(f"UPDATE job SET deadline = NULL WHERE id = '{job_id}'")  # of later attempts

    assert 2 == ledger_env.wait_for("succeeded", job_id)[0]["attempt"]


@pytest.mark.usefixtures("worker")
def test_many_wake_ups_for_one_job_start_it_once(ledger_env: LedgerEnv) -> None:
    job_id = ledger_env.ask(DoNothing(seconds=1), publish_on_commit=False)
    ledger_env.wake.publish([WakeUp(job_id, DoNothing.job_name(), DoNothing.queue, DoNothing.deadline)] * 20)

    (row,) = ledger_env.wait_for("succeeded", job_id)
    until(lambda: ledger_env.broker.waiting(FLEET) == 0, 60, "an empty queue")
    ledger_env.wait_for("succeeded", ledger_env.ask(DoNothing(note="behind them all")))
    assert row == ledger_env.row(job_id)
    assert (1, 1) == (row["attempt"], row["fence"])


@pytest.mark.usefixtures("worker")
def test_a_broker_that_forgets_everything_costs_no_job_and_runs_none_twice(ledger_env: LedgerEnv, held: Held) -> None:
    ask, file = held
    running = ask()
    waiting = [ledger_env.ask(DoNothing()) for _ in range(10)]
    ledger_env.broker.forget()
    file.unlink()

    assert {(1, 1)} == {(row["attempt"], row["fence"]) for row in ledger_env.wait_for("succeeded", *running, *waiting)}


@pytest.mark.usefixtures("worker")
def test_a_message_that_is_no_wake_up_stops_nobody(ledger_env: LedgerEnv) -> None:
    ledger_env.broker.put(FLEET, b"{}")

    ledger_env.wait_for("succeeded", ledger_env.ask(DoNothing()))


@pytest.mark.usefixtures("worker")
def test_jobs_outlive_a_postgres_that_goes_away_while_they_run(ledger_env: LedgerEnv, held: Held) -> None:
    ask, file = held
    job_ids = ask()
    children = [child_of(ledger_env.row(job_id)["worker"]) for job_id in job_ids]
    with database_away(ledger_env.database_url):
        file.unlink()
        until(lambda: all(map(is_gone, children)), 60, "the end of those that could not write theirs")

    ledger_env.wait_for("succeeded", *job_ids, ledger_env.ask(DoNothing(note="after it")))


def test_a_worker_asked_to_end_finishes_what_it_runs_and_leaves_the_rest_to_others(
    ledger_env: LedgerEnv, worker: StartedProgram, held: Held
) -> None:
    ask, file = held
    started = [ledger_env.row(job_id) for job_id in ask()]
    waiting = [ledger_env.ask(DoNothing()) for _ in range(10)]
    other = new_worker(ledger_env)

    worker.ask_to_end()
    assert {1} == {row["attempt"] for row in ledger_env.wait_for("succeeded", *waiting)}  # by the other
    file.unlink()
    assert 0 == worker.process.wait(60)
    ended = ledger_env.wait_for("succeeded", *(row["id"] for row in started))
    assert [(row["worker"], 1) for row in started] == [(row["worker"], row["attempt"]) for row in ended]
    other.stop()


def test_flower_is_told_of_every_job_also_of_the_last_before_the_end(
    ledger_env: LedgerEnv, worker: StartedProgram, held: Held
) -> None:
    listening = ledger_env.redis.pubsub()  # type: ignore[no-untyped-call]  # redis types its commands only
    listening.psubscribe("*celeryev*")
    assert "psubscribe" == listening.get_message(timeout=60)["type"]
    before = [ledger_env.ask(DoNothing()) for _ in range(20)]
    ledger_env.wait_for("succeeded", *before)
    ask, file = held
    (last,) = ask(1)
    worker.ask_to_end()
    file.unlink()
    assert 0 == worker.process.wait(60)

    told: set[tuple[str, str]] = set()
    while (message := listening.get_message(timeout=1)) is not None:
        body = json.loads(base64.b64decode(json.loads(message["data"])["body"]))
        told |= {(one["type"], one["uuid"]) for one in (body if isinstance(body, list) else [body]) if "uuid" in one}
    wanted = {(type_, str(job_id)) for type_ in ("task-started", "task-succeeded") for job_id in (*before, last)}
    assert set() == wanted - told


def test_another_worker_runs_what_a_killed_and_a_frozen_one_held_and_late_results_change_nothing(
    ledger_env: LedgerEnv, worker: StartedProgram, tmp_path: Path, held: Held
) -> None:
    file = tmp_path / "late"
    file.touch()
    frozen, killed = worker, new_worker(ledger_env)
    killed.wait_until_running()
    held_by = jobs_of(ledger_env, [frozen, killed], file)
    family = killed.family()
    frozen.freeze()
    killed.kill()
    other = new_worker(ledger_env)
    ledger_env.execute(f"UPDATE job SET {AT_ONCE}, lease_until = now() + interval '1 second' WHERE state = 'running'")

    rows = ledger_env.wait_for("succeeded", *held_by)
    assert {(2, 2)} == {(row["attempt"], row["fence"]) for row in rows}
    assert all(f".{other.pid}/" in row["worker"] for row in rows)
    assert all(is_gone(process.pid) for process in family)  # no child outlives its parent
    frozen.thaw()
    other.stop()
    file.unlink()
    ask, _ = held
    ask()  # every slot of the thawed one works again, so whatever came late has come
    assert rows == [ledger_env.row(row["id"]) for row in rows]


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ('arguments = \'{"seconds": "soon"}\'', "Expected `int`"),
        ("name = 'nobody.knows_this'", "nobody.knows_this"),  # stays last: it is noise to others while it is queued
    ],
)
def test_a_row_that_no_worker_understands_ends_dead_with_the_reason(
    ledger_env: LedgerEnv, change: str, complaint: str
) -> None:
    job_id = ledger_env.ask(DoNothing(), change, publish_on_commit=False)

    (row,) = ledger_env.wait_for("dead", job_id)
    assert complaint in row["error"]
