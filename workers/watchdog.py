"""Ends a worker that lives but does not work: without its broker, or connected and not consuming."""

import logging
import os
import threading
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Engine

from shared.db.engine import DATABASE_ERRORS, driver
from shared.fleets import Fleet
from shared.ledger import queues, recovery
from workers.heartbeat import consumes_for, lost_for

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
# Celery's own way back takes up to half a minute; a new process takes two seconds.
WITHOUT_BROKER_S = 5.0
STUCK_AFTER = timedelta(seconds=15)


class Watchdog(threading.Thread):
    """Looks once a second; a worker that must end is started again by whoever supervises it."""

    def __init__(self, engine: Engine, fleet: Fleet, node: str, end: Callable[[], None]) -> None:
        super().__init__(name="progress watch", daemon=True)
        self._engine = engine
        self._fleet = fleet
        self._node = node
        self._end = end
        self._stopping = threading.Event()

    def run(self) -> None:
        """Look until stopped; what Postgres cannot tell now, it tells a second later."""
        while not self._stopping.wait(LOOK_EVERY_S):
            try:
                reason = self._reason_to_end()
            except DATABASE_ERRORS:
                continue
            if reason is not None:
                log.error("%s ends, to be started again: %s", self._node, reason)
                self._end()
                return

    def _reason_to_end(self) -> str | None:
        with self._engine.connect() as connection:
            line = driver(connection)
            if lost_for() > WITHOUT_BROKER_S:
                # Jobs under way do without the broker, and are waited for.
                return (
                    None
                    if recovery.workers_of(line, self._node)
                    else f"without its broker for {WITHOUT_BROKER_S:.0f} s"
                )
            if timedelta(seconds=consumes_for()) < STUCK_AFTER:
                return None
            if queues.is_stuck(line, self._node, self._fleet.queues, self._fleet.slots, STUCK_AFTER):
                return f"nothing begun for {STUCK_AFTER.total_seconds():.0f} s, though jobs are due and slots free"
        return None

    def stop(self) -> None:
        """Stop looking: the worker ends by itself."""
        self._stopping.set()


def end_at_once() -> None:
    """End this process without Celery's farewell, which a broker that does not answer would keep waiting."""
    os._exit(os.EX_UNAVAILABLE)
