"""The watchdog ends a worker for its own lack of progress, and for nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from shared.fleets import Fleet, Queue
from shared.ledger.envelope import WakeUp
from workers import heartbeat, watchdog
from workers.watchdog import ENDS_WITHIN_S, STUCK_AFTER, WITHOUT_BROKER_S, Watchdog


@dataclass
class Situation:
    """What the watchdog reads: the time, the worker's own counts, and the length of its queue."""

    now: float = 1_000.0
    jobs_running: int = 0
    jobs_begun: int = 5
    wake_ups: int = 1
    is_shutting_down: bool = False

    def running(self) -> int:
        return self.jobs_running

    def begun(self) -> int:
        return self.jobs_begun

    def waiting(self, queue: Queue) -> int:
        return self.wake_ups if queue is Queue.HIGH else 0

    def publish(self, wake_ups: Sequence[WakeUp]) -> int:
        raise NotImplementedError

    def capacity(self, queue: Queue) -> int:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


@pytest.fixture
def situation(monkeypatch: pytest.MonkeyPatch) -> Situation:
    situation = Situation()
    monkeypatch.setattr(watchdog, "monotonic", lambda: situation.now)
    monkeypatch.setattr(heartbeat, "monotonic", lambda: situation.now)
    monkeypatch.setattr(heartbeat, "_consumes_since", 0.0)
    return situation


def watch(situation: Situation, seconds: float) -> str | None:
    """Check once a second for so long; return the reason to end, if there is one."""
    fleet = Fleet("high", (Queue.HIGH,), slots=2)
    dog = Watchdog(situation, fleet, situation, lambda: situation.jobs_running > 0, lambda _: None)
    if situation.is_shutting_down:
        dog.shut_down()
    for _ in range(int(seconds)):
        reason = dog.find_reason_to_end()
        if reason is not None:
            return reason
        situation.now += 1
    return None


def test_a_worker_that_begins_nothing_beside_waiting_wake_ups_ends(situation: Situation) -> None:
    assert watch(situation, STUCK_AFTER.total_seconds()) is None
    assert "no job started for 15 s" in (watch(situation, STUCK_AFTER.total_seconds() + 3) or "")


def test_a_worker_whose_slots_are_all_busy_goes_on(situation: Situation) -> None:
    situation.jobs_running = 2
    assert watch(situation, 120) is None


def test_a_worker_with_nothing_to_do_goes_on_whatever_waits_elsewhere(situation: Situation) -> None:
    situation.wake_ups = 0  # the relay may be down, and jobs may be due
    assert watch(situation, 120) is None


def test_a_worker_that_begins_jobs_goes_on(situation: Situation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Situation, "begun", lambda self: int(self.now) // 10)
    assert watch(situation, 120) is None


def test_a_worker_without_its_broker_ends_once_its_jobs_have(
    situation: Situation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "_consumes_since", None)
    monkeypatch.setattr(heartbeat, "_lost_at", situation.now)
    situation.jobs_running = 1
    assert watch(situation, WITHOUT_BROKER_S + 60) is None
    situation.jobs_running = 0
    assert "without its broker" in (watch(situation, 1) or "")


def test_a_worker_that_shuts_down_ends_soon_after_its_jobs_whatever_celery_waits_for(situation: Situation) -> None:
    situation.is_shutting_down = True
    situation.jobs_running = 1
    assert watch(situation, 600) is None
    situation.jobs_running = 0
    assert watch(situation, ENDS_WITHIN_S) is None
    assert "its jobs are done" in (watch(situation, ENDS_WITHIN_S + 2) or "")
