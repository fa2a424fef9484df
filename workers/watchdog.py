"""Ends a worker that runs without progress: without its broker, or connected and not consuming."""

import logging
import os
import threading
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Engine

from shared.db.engine import DATABASE_ERRORS, driver
from shared.fleets import Fleet
from shared.ledger import queues, recovery
from workers.heartbeat import seconds_connected, seconds_without_broker

log = logging.getLogger(__name__)

CHECK_EVERY_S = 1.0
# Celery takes up to half a minute to recover; a new process takes two seconds.
WITHOUT_BROKER_S = 5.0
STUCK_AFTER = timedelta(seconds=15)


class Watchdog(threading.Thread):
    """The thread that checks the worker once a second; its supervisor restarts a worker that it ends."""

    def __init__(self, engine: Engine, fleet: Fleet, node: str, end: Callable[[], None]) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._engine = engine
        self._fleet = fleet
        self._node = node
        self._end = end
        self._stopping = threading.Event()

    def run(self) -> None:
        """Check until stopped; after a database error the next check follows a second later."""
        while not self._stopping.wait(CHECK_EVERY_S):
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
            ledger_connection = driver(connection)
            if seconds_without_broker() > WITHOUT_BROKER_S:
                # Running jobs do not need the broker: the worker waits for them.
                return (
                    None
                    if recovery.workers_of(ledger_connection, self._node)
                    else f"without its broker for {WITHOUT_BROKER_S:.0f} s"
                )
            if timedelta(seconds=seconds_connected()) < STUCK_AFTER:
                return None
            if queues.is_stuck(ledger_connection, self._node, self._fleet.queues, self._fleet.slots, STUCK_AFTER):
                return f"no job started for {STUCK_AFTER.total_seconds():.0f} s, though jobs are due and slots free"
        return None

    def stop(self) -> None:
        """Stop the checks, because the worker ends by itself."""
        self._stopping.set()


def end_at_once() -> None:
    """End this process without Celery's shutdown, which would wait for a broker that does not answer."""
    os._exit(os.EX_UNAVAILABLE)
