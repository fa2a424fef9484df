"""Renews the leases of a process that runs jobs by itself, without a parent that does so."""

import logging
import threading
from uuid import UUID

from shared.clock import machine_now
from shared.config import Settings
from shared.db.engine import DATABASE_ERRORS, driver, make_engine
from shared.heartbeat import touch
from shared.ledger import recovery, transitions
from workers.leases import RENEW_EVERY_S

log = logging.getLogger(__name__)


class LeaseRenewer(threading.Thread):
    """The thread that renews this process's leases, as the parent of a worker does for its children."""

    def __init__(self, settings: Settings, worker: str, *, program: str) -> None:
        super().__init__(name="lease renewer", daemon=True)
        self._engine = make_engine(settings.require_database(), program=program, pool_size=2)
        self._worker = worker
        self._stopping = threading.Event()

    def run(self) -> None:
        """Renew every three seconds until stopped, and touch the heartbeat, as a job may take longer than that."""
        while not self._stopping.wait(RENEW_EVERY_S):
            touch()
            try:
                with self._engine.begin() as connection:
                    recovery.renew(driver(connection), [self._worker])
            except DATABASE_ERRORS as error:
                log.warning("leases of %s not renewed, retrying: %s", self._worker, error)

    def read_state(self, job_id: UUID) -> tuple[str, float] | None:
        """Return the job's state and the seconds until it is due; None when there is no such job."""
        with self._engine.connect() as connection:
            found = transitions.read_state(driver(connection), job_id)
        return None if found is None else (found[0], (found[1] - machine_now()).total_seconds())

    def wait(self, seconds: float) -> None:
        """Wait `seconds`, or until stopped."""
        self._stopping.wait(seconds)

    def stop(self) -> None:
        """End the thread and close its connections."""
        self._stopping.set()
        self._engine.dispose()
