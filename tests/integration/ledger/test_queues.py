"""Whole queues: limits, counts, and workers that end when they do not work."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from shared.errors import QueueFullError
from shared.fleets import MAX_QUEUED, Queue
from shared.ledger.envelope import WakeUp
from shared.ledger.jobs.upkeep import DoNothing
from shared.ledger.publisher import open_publisher
from tests.fixtures.ledger_env import LedgerEnv
from tests.fixtures.processes import until
from tests.fixtures.trial.trials import Hold
from tests.fixtures.wire_tap import WireTap
from tests.fixtures.with_constants import with_constants


def set_queued_count(ledger_env: LedgerEnv, queue: Queue, count: int) -> None:
    ledger_env.execute(f"UPDATE queue_state SET queued = {count} WHERE queue = '{queue}'")


@pytest.mark.parametrize("queue", [Queue.LOW, Queue.BACKGROUND])
def test_a_full_low_or_background_queue_refuses_jobs(ledger_env: LedgerEnv, queue: Queue) -> None:
    set_queued_count(ledger_env, queue, MAX_QUEUED[queue])

    with pytest.raises(QueueFullError, match=f"{queue} holds 100000 jobs"):
        ledger_env.ledger.enqueue(DoNothing(), queue=queue)
    with pytest.raises(QueueFullError), ledger_env.ledger.transaction() as tx:
        tx.enqueue(DoNothing(), queue=queue, key="a key")
    assert [] == ledger_env.rows("SELECT 1 FROM job UNION ALL SELECT 1 FROM job_key")

    set_queued_count(ledger_env, queue, MAX_QUEUED[queue] - 1)
    assert not ledger_env.ledger.enqueue(DoNothing(), queue=queue, key="a key").is_duplicate


@pytest.mark.parametrize("queue", [Queue.CRITICAL, Queue.HIGH, Queue.NORMAL])
def test_the_critical_high_and_normal_queues_are_unbounded(ledger_env: LedgerEnv, queue: Queue) -> None:
    set_queued_count(ledger_env, queue, 10_000_000)

    assert not ledger_env.ledger.enqueue(DoNothing(), queue=queue).is_duplicate


def test_a_repeated_request_on_a_full_queue_returns_its_first_job(ledger_env: LedgerEnv) -> None:
    first = ledger_env.ledger.enqueue(DoNothing(), queue=Queue.LOW, key="a key").job_id
    set_queued_count(ledger_env, Queue.LOW, MAX_QUEUED[Queue.LOW])
    again = ledger_env.ledger.enqueue(DoNothing(), queue=Queue.LOW, key="a key")

    assert (first, True) == (again.job_id, again.is_duplicate)


def test_the_relay_counts_queued_jobs_and_republished_wake_ups(ledger_env: LedgerEnv) -> None:
    for _ in range(3):
        ledger_env.ledger.enqueue(DoNothing(), queue=Queue.LOW)
    ledger_env.broker.forget()
    ledger_env.start("scheduler", "relay")

    def state() -> dict[str, int]:
        return ledger_env.rows("SELECT queued, republished_count FROM queue_state WHERE queue = 'low'")[0]

    until(lambda: state()["queued"] >= 3 and state()["republished_count"] >= 3, 60, "three jobs, published again")


SHORT_TIMEOUTS = {"workers.watchdog:WITHOUT_BROKER_S": 1, "workers.watchdog:CHECK_EVERY_S": 0.2}


def test_a_worker_without_its_broker_ends_after_the_time_limit(ledger_env: LedgerEnv) -> None:
    with WireTap(ledger_env.broker.url) as wire:
        worker = ledger_env.start(*with_constants(SHORT_TIMEOUTS, "workers", "low"), BROKER_URL=wire.url)
        worker.wait_until_running()
        wire.refuse()
        until(lambda: not worker.is_alive(), 60, "its end")

    assert "without its broker for 1 s" in worker.log.read_text()


def test_a_worker_without_its_broker_finishes_its_running_jobs(ledger_env: LedgerEnv, tmp_path: Path) -> None:
    file = tmp_path / "held"
    file.touch()
    with WireTap(ledger_env.broker.url) as wire:
        worker = ledger_env.start(*with_constants(SHORT_TIMEOUTS, "tests.fixtures.trial", "low"), BROKER_URL=wire.url)
        (row,) = ledger_env.wait_for("running", ledger_env.enqueue(Hold(file=str(file)), queue=Queue.LOW))
        idle = ledger_env.start(*with_constants(SHORT_TIMEOUTS, "workers", "low"), BROKER_URL=wire.url)
        idle.wait_until_running()
        wire.refuse()
        until(lambda: not idle.is_alive(), 60, "the end of the idle worker, whose timeout began no sooner")
        assert worker.is_alive()
        file.unlink()
        until(lambda: not worker.is_alive(), 60, "its end")

    assert ("succeeded", 1) == (ledger_env.row(row["id"])["state"], ledger_env.row(row["id"])["attempt"])


def test_a_broker_away_for_a_moment_costs_no_restart(ledger_env: LedgerEnv) -> None:
    with WireTap(ledger_env.broker.url) as wire:
        worker = ledger_env.start("workers", "low", BROKER_URL=wire.url)
        worker.wait_until_running()
        wire.refuse()
        until(lambda: "no broker, trying again" in worker.log.read_text(), 60, "its first try")
        wire.restore()
        ledger_env.wait_for("succeeded", ledger_env.enqueue(DoNothing(), queue=Queue.LOW))

        assert worker.is_alive()
    assert "started again" not in worker.log.read_text()


def test_jobs_that_outlive_their_connection_cost_neither_the_worker_nor_a_slot(
    ledger_env: LedgerEnv, tmp_path: Path
) -> None:
    file = tmp_path / "held"
    file.touch()
    with WireTap(ledger_env.broker.url) as wire:
        worker = ledger_env.start("tests.fixtures.trial", "low", BROKER_URL=wire.url)
        outliving = [ledger_env.enqueue(Hold(file=str(file)), queue=Queue.LOW) for _ in range(4)]
        ledger_env.wait_for("running", *outliving)
        wire.refuse()
        until(lambda: "no broker, trying again" in worker.log.read_text(), 60, "its first try")
        wire.restore()
        file.unlink()
        ledger_env.wait_for("succeeded", *outliving)
        long = ledger_env.enqueue(Hold(file=__file__), queue=Queue.LOW)  # for ever
        ledger_env.wait_for("running", long)
        for job_id in [ledger_env.enqueue(DoNothing(), queue=Queue.LOW) for _ in range(3)]:
            ledger_env.wait_for("succeeded", job_id)

        assert ("running", True) == (ledger_env.row(long)["state"], worker.is_alive())
    assert "Unrecoverable" not in worker.log.read_text()


def test_a_second_redis_may_be_the_broker(ledger_env: LedgerEnv) -> None:
    elsewhere = urlsplit(ledger_env.redis_url)._replace(path="/5").geturl()
    ledger_env.start("workers", "low", BROKER_URL=elsewhere)
    job_id = ledger_env.enqueue(DoNothing(), queue=Queue.LOW, publish_on_commit=False)
    publisher = open_publisher(elsewhere)
    publisher.publish([WakeUp(job_id, DoNothing.job_name(), Queue.LOW, None)])
    publisher.close()

    ledger_env.wait_for("succeeded", job_id)


def test_a_worker_that_starts_slowly_is_not_ended() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", "from workers.heartbeat import seconds_without_broker; print(seconds_without_broker())"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert -30 <= float(finished.stdout) < -20
