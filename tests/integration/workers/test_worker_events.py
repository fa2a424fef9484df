"""The events that a fleet of real worker processes sends to Flower."""

import base64
import json
from pathlib import Path
from uuid import UUID

import pytest
from redis.client import PubSub

from shared.fleets import Queue
from shared.ledger.jobs.upkeep import Canary, DoNothing
from tests.fixtures.ledger_env import LedgerEnv, StartedProgram
from tests.fixtures.processes import until
from tests.fixtures.trial.trials import Hold
from tests.fixtures.with_constants import with_constants

WORKER = ("tests.fixtures.trial", "normal")
NO_BATCH_IS_DUE = {"workers.consumer:EVENTS_EVERY_S": 600}


@pytest.fixture
def ledger_env(shared_ledger_env: LedgerEnv) -> LedgerEnv:
    shared_ledger_env.start("tests.fixtures.trial.relay").wait_until_running()
    return shared_ledger_env


def test_flower_gets_the_events_of_every_job_even_of_the_last_before_a_shutdown(
    ledger_env: LedgerEnv, tmp_path: Path
) -> None:
    listening = listen(ledger_env)
    worker = start(ledger_env, *WORKER)
    held = tmp_path / "held"
    held.touch()
    before = [ledger_env.enqueue(DoNothing()) for _ in range(20)]
    ledger_env.wait_for("succeeded", *before)
    last = ledger_env.enqueue(Hold(file=str(held)), queue=Queue.NORMAL)
    ledger_env.wait_for("running", last)
    worker.terminate()
    held.unlink()
    assert 0 == worker.process.wait(60)

    assert set() == expected_events(*before, last) - read_events(listening)


def test_events_that_still_wait_for_their_batch_are_sent_at_a_shutdown(ledger_env: LedgerEnv) -> None:
    listening = listen(ledger_env)
    worker = start(ledger_env, *with_constants(NO_BATCH_IS_DUE, *WORKER))
    jobs = [ledger_env.enqueue(DoNothing()) for _ in range(3)]
    ledger_env.wait_for("succeeded", *jobs)
    worker.terminate()
    assert 0 == worker.process.wait(60)

    assert set() == expected_events(*jobs) - read_events(listening)


def test_flower_gets_the_events_of_jobs_that_a_slot_drains(ledger_env: LedgerEnv) -> None:
    listening = listen(ledger_env)
    worker = start(ledger_env, *WORKER)
    jobs = [ledger_env.enqueue(DoNothing()) for _ in range(100)]
    ledger_env.wait_for("succeeded", *jobs)
    worker.terminate()
    assert 0 == worker.process.wait(60)

    assert set() == expected_events(*jobs) - read_events(listening)


def test_flower_gets_no_event_of_a_probe(ledger_env: LedgerEnv) -> None:
    listening = listen(ledger_env)
    worker = start(ledger_env, *WORKER)
    probes = [ledger_env.enqueue(Canary(), queue=Queue.NORMAL) for _ in range(3)]
    job = ledger_env.enqueue(DoNothing())
    ledger_env.wait_for("succeeded", *probes, job)
    worker.terminate()
    assert 0 == worker.process.wait(60)

    assert {str(job)} == {job_id for _, job_id in read_events(listening)}


def test_a_fleet_has_as_many_processes_as_its_slots_are_set_to(ledger_env: LedgerEnv) -> None:
    worker = ledger_env.start("workers", "normal", TICKWORK_SLOTS="normal=2")
    worker.wait_until_running()

    until(lambda: 3 == len(worker.family()), what="a parent and two children")


def start(ledger_env: LedgerEnv, *program: str) -> StartedProgram:
    worker = ledger_env.start(*program)
    worker.wait_until_running()
    return worker


def listen(ledger_env: LedgerEnv) -> PubSub:
    listening: PubSub = ledger_env.redis.pubsub()  # type: ignore[no-untyped-call]  # redis types its commands only
    listening.psubscribe("*celeryev*")
    subscribed = listening.get_message(timeout=60)
    assert subscribed is not None
    assert "psubscribe" == subscribed["type"]
    return listening


def expected_events(*job_ids: UUID) -> set[tuple[str, str]]:
    return {(type_, str(job_id)) for type_ in ("task-started", "task-succeeded") for job_id in job_ids}


def read_events(listening: PubSub) -> set[tuple[str, str]]:
    """Return the events that Redis has sent by now, by type and job; the worker that sent them has ended."""
    received: set[tuple[str, str]] = set()
    while (message := listening.get_message(timeout=1)) is not None:
        body = json.loads(base64.b64decode(json.loads(message["data"])["body"]))
        received |= {
            (one["type"], one["uuid"]) for one in (body if isinstance(body, list) else [body]) if "uuid" in one
        }
    return received
