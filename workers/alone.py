"""Does one job, and what it hands over to, in a process of its own: without Celery, without a broker, to its end."""

import logging
import os
import socket
import threading
from uuid import UUID

from shared.clock import machine_now
from shared.config import Settings
from shared.db.engine import DATABASE_ERRORS, driver, make_engine
from shared.ledger import rows
from workers.app import import_tasks
from workers.build import open_runner
from workers.leases import RENEW_EVERY_S
from workers.run import Outcome

log = logging.getLogger(__name__)

_LONGEST_PAUSE_S = 0.5


def run_alone(settings: Settings, job_id: UUID) -> Outcome:
    """Run the job until it has ended, however often it is put back; return how it ended.

    The queue may be full and every worker dead: the row is claimed in Postgres like any other, so that a worker which
    comes to life meanwhile does nothing of it twice.
    """
    import_tasks()
    worker = f"alone@{socket.gethostname()}.{os.getpid()}/{os.getpid()}"
    keeper = _Keeper(settings, worker)
    keeper.start()
    try:
        with open_runner(settings, worker, program="alone") as runner:
            while True:
                outcome = runner.run(job_id)
                if outcome.state not in {"put_back", "duplicate"}:
                    return outcome
                seen = keeper.look(job_id)
                if seen is None or seen[0] not in {"queued", "running"}:
                    return Outcome(seen[0] if seen else "duplicate", error=outcome.error)
                keeper.wait(min(max(seen[1], 0.01), _LONGEST_PAUSE_S))
    finally:
        keeper.stop()


class _Keeper(threading.Thread):
    """Renews this process's leases, as the parent of a worker does for its children."""

    def __init__(self, settings: Settings, worker: str) -> None:
        super().__init__(name="lease keeper", daemon=True)
        self._engine = make_engine(settings.need_database(), program="alone leases", pool_size=2)
        self._worker = worker
        self._stopping = threading.Event()

    def run(self) -> None:
        """Renew every three seconds until stopped."""
        while not self._stopping.wait(RENEW_EVERY_S):
            try:
                with self._engine.begin() as connection:
                    rows.renew(driver(connection), [self._worker])
            except DATABASE_ERRORS as error:
                log.warning("leases of %s not renewed, trying again: %s", self._worker, error)

    def look(self, job_id: UUID) -> tuple[str, float] | None:
        """Return the job's state and in how many seconds it is due; None when there is no such job."""
        with self._engine.connect() as connection:
            found = rows.state_of(driver(connection), job_id)
        return None if found is None else (found[0], (found[1] - machine_now()).total_seconds())

    def wait(self, seconds: float) -> None:
        """Wait until the job may be due again."""
        self._stopping.wait(seconds)

    def stop(self) -> None:
        """End the thread and hang up."""
        self._stopping.set()
        self._engine.dispose()
