"""Keeps the heartbeat of a program that runs jobs itself, without child processes."""

import logging
import os
import threading
from contextlib import suppress
from uuid import UUID

from shared.clock import machine_now
from shared.config import Settings
from shared.db.engine import DATABASE_ERRORS, driver, make_engine
from shared.heartbeat import touch
from shared.ledger import transitions, worker_registry
from shared.ledger.worker import Worker
from workers import cancellation
from workers.leases import BEAT_EVERY_S, CANCEL_GRACE

log = logging.getLogger(__name__)

STATEMENT_TIMEOUT_S = 5.0  # half a lease


class LeaseRenewer(threading.Thread):
    """The thread that keeps this program's leases, as the parent of a worker does for its children."""

    def __init__(self, settings: Settings, worker: Worker, *, program: str) -> None:
        super().__init__(name="lease renewer", daemon=True)
        self._engine = make_engine(
            settings.require_database(), program=program, pool_size=2, statement_timeout_s=STATEMENT_TIMEOUT_S
        )
        self._worker = worker
        self._stopping = threading.Event()

    def run(self) -> None:
        """Beat every three seconds until stopped; on an unexpected error end the process, which would lose its leases.

        While a job runs, touch the heartbeat file too: the program's own loop does so between jobs.
        """
        try:
            while not self._stopping.wait(BEAT_EVERY_S):
                try:
                    self.beat()
                except DATABASE_ERRORS as error:
                    log.warning("the heartbeat of %s is not written, retrying: %s", self._worker.name, error)
        except Exception:
            log.exception("leases are no longer kept, this program ends")
            os._exit(os.EX_SOFTWARE)

    def beat(self) -> None:
        """Write the heartbeat; end the process if its job overran, or if a person cancelled it a while ago."""
        with self._engine.begin() as connection:
            worker_registry.beat(driver(connection), self._worker)
        with self._engine.connect() as connection:
            running = worker_registry.list_running(driver(connection), self._worker)
        if running:
            touch()
        for job in running:
            if job.has_overrun or (job.cancelling_for is not None and job.cancelling_for > CANCEL_GRACE):
                log.warning("%s %s is ended with its process", job.name, job.id)
                os._exit(os.EX_TEMPFAIL)
            elif job.cancelling_for is not None:
                cancellation.note()

    def read_state(self, job_id: UUID) -> tuple[str, float] | None:
        """Return the job's state and the seconds until it is due; None when there is no such job."""
        with self._engine.connect() as connection:
            found = transitions.read_state(driver(connection), job_id)
        return None if found is None else (found[0], (found[1] - machine_now()).total_seconds())

    def wait(self, seconds: float) -> None:
        """Wait `seconds`, or until stopped."""
        self._stopping.wait(seconds)

    def stop(self) -> None:
        """End the thread, record the end of the worker and close the connections."""
        self._stopping.set()
        with suppress(*DATABASE_ERRORS), self._engine.begin() as connection:
            worker_registry.record_end(driver(connection), self._worker)
        self._engine.dispose()
