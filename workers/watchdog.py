"""Ends a worker that runs without progress: without its broker, connected and not consuming, or done and not ending."""

import logging
import os
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from shared.clock import monotonic
from shared.db.engine import DATABASE_ERRORS
from shared.fleets import Fleet
from shared.ledger.publisher import Publisher
from workers.heartbeat import seconds_connected, seconds_without_broker

log = logging.getLogger(__name__)

CHECK_EVERY_S = 1.0
# Celery takes up to half a minute to recover; a new process takes two seconds.
WITHOUT_BROKER_S = 5.0
STUCK_AFTER = timedelta(seconds=15)
# Celery waits without limit for each child, also for one that waits for its parent to read a result.
ENDS_WITHIN_S = 5.0


class Activity(Protocol):
    """What a worker does: how many wake-ups run now, and how many began since its start."""

    def running(self) -> int:
        """Return how many run now, or are about to."""

    def begun(self) -> int:
        """Return how many it has taken since its start."""


class Watchdog(threading.Thread):
    """The thread that checks the worker once a second; its supervisor restarts a worker that it ends.

    It asks only for the broker's queues and for the worker's own jobs: what relays and siblings do is no reason.
    """

    def __init__(
        self,
        publisher: Publisher,
        fleet: Fleet,
        activity: Activity,
        has_jobs: Callable[[], bool],
        end: Callable[[int], None],
    ) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._publisher = publisher
        self._fleet = fleet
        self._activity = activity
        self._has_jobs = has_jobs  # by the ledger: without its broker a worker does not learn that its jobs have ended
        self._end = end
        self._stopping = threading.Event()
        self._is_shutting_down = False
        self._begun = -1
        self._idle_since = monotonic()  # since then wake-ups wait, a slot is free, and nothing has begun

    def run(self) -> None:
        """Check until stopped; after a database error the next check follows a second later."""
        while not self._stopping.wait(CHECK_EVERY_S):
            try:
                reason = self.find_reason_to_end()
            except DATABASE_ERRORS:
                continue
            if reason is not None and not self._stopping.is_set():
                if self._is_shutting_down:
                    log.warning("this worker ends: %s", reason)
                    self._end(os.EX_OK)
                else:
                    log.error("this worker ends, to be started again: %s", reason)
                    self._end(os.EX_UNAVAILABLE)
                return

    def find_reason_to_end(self) -> str | None:
        """Return why this worker should end, or None; raise one of DATABASE_ERRORS if it cannot be known."""
        if self._is_shutting_down:
            return self._find_reason_to_end_now()
        if seconds_without_broker() > WITHOUT_BROKER_S:
            # Running jobs do not need the broker: the worker waits for them.
            return None if self._has_jobs() else f"without its broker for {WITHOUT_BROKER_S:.0f} s"
        begun, is_full = self._activity.begun(), self._activity.running() >= self._fleet.slots
        is_stuck = not is_full and begun == self._begun and seconds_connected() > 0 and self._has_waiting()
        self._begun = begun
        if not is_stuck:
            self._idle_since = monotonic()
            return None
        if timedelta(seconds=monotonic() - self._idle_since) < STUCK_AFTER:
            return None
        return f"no job started for {STUCK_AFTER.total_seconds():.0f} s, though wake-ups wait and slots are free"

    def _find_reason_to_end_now(self) -> str | None:
        if self._has_jobs():
            self._idle_since = monotonic()
        is_late = monotonic() - self._idle_since > ENDS_WITHIN_S
        return "its jobs are done, and Celery still waits for a child" if is_late else None

    def _has_waiting(self) -> bool:
        return any(self._publisher.waiting(queue) for queue in self._fleet.queues)

    def shut_down(self) -> None:
        """Say that the worker is to end once its jobs have, which it is given ENDS_WITHIN_S for."""
        self._idle_since = monotonic()
        self._is_shutting_down = True

    def stop(self) -> None:
        """Stop the checks, because the worker ends by itself."""
        self._stopping.set()


def end_at_once(status: int) -> None:
    """End this process without Celery's shutdown, which would wait for a broker or a child that does not answer."""
    os._exit(status)
