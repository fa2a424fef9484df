"""What a fleet of real worker processes does when its children, itself, Postgres or the broker go away."""

import base64
import json
import os
import signal
from typing import Any
from uuid import UUID

import psutil
import pytest

from shared.ledger.envelope import WakeUp
from shared.ledger.jobs.upkeep import DoNothing
from tests.fixtures.fleet import Floor, Program, database_away
from tests.fixtures.processes import until

FLEET = "normal"  # one queue, four slots
SLOTS = 4
LONG = DoNothing(seconds=60)
AT_ONCE = """arguments = '{"note": "", "seconds": 0}'"""


@pytest.fixture(scope="module")
def floor(shared_floor: Floor) -> Floor:
    shared_floor.start("scheduler", "relay").wait_until_running()
    return shared_floor


@pytest.fixture(scope="module")
def running(floor: Floor) -> list[Program]:
    return [floor.start("workers", FLEET)]


@pytest.fixture
def worker(floor: Floor, running: list[Program]) -> Program:
    """The one worker that runs; another when the test before ended it."""
    if not running[-1].is_alive():
        running.append(floor.start("workers", FLEET))
    running[-1].wait_until_running()
    return running[-1]


def wait_for_renewal(floor: Floor, job_id: UUID) -> dict[str, Any]:
    """Return the job's row once the parent of the process that runs it has seen that process."""
    (claimed,) = floor.wait_for("running", job_id)
    until(lambda: floor.row(job_id)["lease_until"] > claimed["lease_until"], what="a renewed lease")
    return floor.row(job_id)


def child_of(worker: str) -> int:
    return int(worker.rsplit("/", 1)[-1])


def jobs_of(floor: Floor, workers: list[Program]) -> list[UUID]:
    """Keep asking for long jobs until each of the workers runs one; return all that run."""
    asked: list[UUID] = []

    def does_each_hold_one() -> bool:
        held_by = [floor.row(job_id)["worker"] or "" for job_id in asked]
        if len(asked) < len(workers) * SLOTS:
            asked.append(floor.ask(LONG))
        return all(any(f".{worker.pid}/" in holder for holder in held_by) for worker in workers)

    until(does_each_hold_one, what="a job at each worker")
    return [row["id"] for row in floor.wait_for("running", *asked)]


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.usefixtures("worker")
def test_a_job_whose_process_is_killed_is_given_back_and_runs_again(floor: Floor) -> None:
    job_id = floor.ask(LONG)
    before = wait_for_renewal(floor, job_id)
    floor.execute(f"UPDATE job SET {AT_ONCE} WHERE id = '{job_id}'")
    os.kill(child_of(before["worker"]), signal.SIGKILL)

    (after,) = floor.wait_for("succeeded", job_id)
    assert (2, 2) == (after["attempt"], after["fence"])
    assert before["worker"] != after["worker"]
    assert after["started_at"] < before["lease_until"]  # nobody waited for the lease


@pytest.mark.usefixtures("worker")
def test_a_job_that_loses_the_process_of_its_last_attempt_ends_dead_and_names_it(floor: Floor) -> None:
    job_id = floor.ask(LONG, "max_attempts = 1")
    process = child_of(wait_for_renewal(floor, job_id)["worker"])
    os.kill(process, signal.SIGKILL)

    (row,) = floor.wait_for("dead", job_id)
    assert (1, f"worker process {process} was lost") == (row["attempt"], row["error"])


@pytest.mark.usefixtures("worker")
def test_a_job_that_overruns_is_stopped_leaves_where_it_stood_and_frees_its_slot(floor: Floor) -> None:
    late = [floor.ask(LONG, "deadline = interval '1 second', max_attempts = 1") for _ in range(SLOTS)]

    for row in floor.wait_for("dead", *late):
        assert "was stopped: its job overran the deadline; its last stack:" in row["error"]
        assert "in do_nothing" in row["error"]
    again = [floor.ask(DoNothing(seconds=1, note="all slots work")) for _ in range(SLOTS)]
    floor.wait_for("running", *again)
    assert {1} == {row["attempt"] for row in floor.wait_for("succeeded", *again)}


@pytest.mark.usefixtures("worker")
def test_a_job_that_overran_once_is_tried_again(floor: Floor) -> None:
    job_id = floor.ask(LONG, "deadline = interval '1 second'")
    floor.wait_for("running", job_id)
    floor.execute(f"UPDATE job SET {AT_ONCE} WHERE id = '{job_id}'")

    assert 2 == floor.wait_for("succeeded", job_id)[0]["attempt"]


@pytest.mark.usefixtures("worker")
def test_many_wake_ups_for_one_job_start_it_once(floor: Floor) -> None:
    job_id = floor.ask(DoNothing(seconds=1), wakes_itself=False)
    floor.wake.publish([WakeUp(job_id, DoNothing.job_name(), DoNothing.queue, DoNothing.deadline)] * 20)

    (row,) = floor.wait_for("succeeded", job_id)
    until(lambda: floor.broker.waiting(FLEET) == 0, what="an empty queue")
    floor.wait_for("succeeded", floor.ask(DoNothing(note="behind them all")))
    assert row == floor.row(job_id)
    assert (1, 1) == (row["attempt"], row["fence"])


@pytest.mark.usefixtures("worker")
def test_a_broker_that_forgets_everything_costs_no_job_and_runs_none_twice(floor: Floor) -> None:
    running = [floor.ask(DoNothing(seconds=2)) for _ in range(SLOTS)]
    floor.wait_for("running", *running)
    waiting = [floor.ask(DoNothing()) for _ in range(10)]
    floor.broker.forget()

    assert {(1, 1)} == {(row["attempt"], row["fence"]) for row in floor.wait_for("succeeded", *running, *waiting)}


@pytest.mark.usefixtures("worker")
def test_a_message_that_is_no_wake_up_stops_nobody(floor: Floor) -> None:
    floor.broker.put(FLEET, b"{}")

    floor.wait_for("succeeded", floor.ask(DoNothing()))


@pytest.mark.usefixtures("worker")
def test_jobs_outlive_a_postgres_that_goes_away_while_they_run(floor: Floor) -> None:
    job_ids = [floor.ask(DoNothing(seconds=1)) for _ in range(SLOTS)]
    children = [child_of(row["worker"]) for row in floor.wait_for("running", *job_ids)]
    with database_away(floor.database_url):
        until(lambda: all(is_gone(child) for child in children), what="the end of those that could not write theirs")

    floor.wait_for("succeeded", *job_ids, floor.ask(DoNothing(note="after it")))


def test_a_worker_asked_to_end_finishes_what_it_runs_and_leaves_the_rest_to_others(
    floor: Floor, worker: Program
) -> None:
    running = [floor.ask(DoNothing(seconds=2)) for _ in range(SLOTS)]
    started = floor.wait_for("running", *running)
    waiting = [floor.ask(DoNothing()) for _ in range(10)]
    other = floor.start("workers", FLEET)

    assert 0 == worker.stop()
    ended = floor.wait_for("succeeded", *running)
    assert [(row["worker"], 1) for row in started] == [(row["worker"], row["attempt"]) for row in ended]
    assert {1} == {row["attempt"] for row in floor.wait_for("succeeded", *waiting)}
    other.stop()


def test_flower_is_told_of_every_job_also_of_the_last_before_the_end(floor: Floor, worker: Program) -> None:
    listening = floor.redis.pubsub()  # type: ignore[no-untyped-call]  # redis types its commands only
    listening.psubscribe("*celeryev*")
    assert "psubscribe" == listening.get_message(timeout=5)["type"]
    before = [floor.ask(DoNothing()) for _ in range(20)]
    floor.wait_for("succeeded", *before)
    last = floor.ask(DoNothing(seconds=1))
    floor.wait_for("running", last)
    assert 0 == worker.stop()

    told: set[tuple[str, str]] = set()
    while (message := listening.get_message(timeout=1)) is not None:
        body = json.loads(base64.b64decode(json.loads(message["data"])["body"]))
        told |= {(one["type"], one["uuid"]) for one in (body if isinstance(body, list) else [body]) if "uuid" in one}
    wanted = {(type_, str(job_id)) for type_ in ("task-started", "task-succeeded") for job_id in (*before, last)}
    assert set() == wanted - told


def test_another_worker_runs_what_a_killed_and_a_frozen_one_held_and_late_results_change_nothing(
    floor: Floor, worker: Program
) -> None:
    frozen, killed = worker, floor.start("workers", FLEET)
    killed.wait_until_running()
    held_by = jobs_of(floor, [frozen, killed])
    family = killed.family()
    frozen.freeze()
    killed.kill()
    other = floor.start("workers", FLEET)
    floor.execute("UPDATE job SET arguments = '{}', lease_until = now() + interval '1 second' WHERE state = 'running'")

    rows = floor.wait_for("succeeded", *held_by)
    assert {(2, 2)} == {(row["attempt"], row["fence"]) for row in rows}
    assert all(f".{other.pid}/" in row["worker"] for row in rows)
    assert all(is_gone(process.pid) for process in family)  # no child outlives its parent
    frozen.thaw()
    other.stop()
    floor.wait_for("succeeded", floor.ask(DoNothing(note="the thawed one works again")))
    assert rows == [floor.row(row["id"]) for row in rows]


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ('arguments = \'{"seconds": "soon"}\'', "Expected `int`"),
        ("name = 'nobody.knows_this'", "nobody.knows_this"),  # stays last: it is noise to others while it is queued
    ],
)
def test_a_row_that_no_worker_understands_ends_dead_with_the_reason(floor: Floor, change: str, complaint: str) -> None:
    job_id = floor.ask(DoNothing(), change, wakes_itself=False)

    (row,) = floor.wait_for("dead", job_id, seconds=8)
    assert complaint in row["error"]
