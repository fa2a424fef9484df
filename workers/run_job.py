"""Runs one job to its end in a process of its own, without Celery or broker: `python -m workers.run_job JOB_ID`."""

import logging
import os
import socket
import sys
import threading
from uuid import UUID

from shared.clock import machine_now
from shared.config import Settings, load_settings
from shared.db.engine import DATABASE_ERRORS, driver, make_engine
from shared.ledger import recovery, transitions
from shared.log import set_up_logging
from workers.app import import_tasks
from workers.leases import RENEW_EVERY_S
from workers.runner import Outcome
from workers.wiring import open_runner

log = logging.getLogger(__name__)

_LONGEST_PAUSE_S = 0.5


def run_to_end(settings: Settings, job_id: UUID) -> Outcome:
    """Run the job until it has ended, however often it is rescheduled, and return its outcome.

    This works with a full queue and without any worker. The row is claimed in Postgres like every other, so a worker
    that starts meanwhile does not run the job a second time.
    """
    import_tasks()
    worker = f"one_shot@{socket.gethostname()}.{os.getpid()}/{os.getpid()}"
    renewer = _LeaseRenewer(settings, worker)
    renewer.start()
    try:
        with open_runner(settings, worker, program="one_shot") as runner:
            while True:
                outcome = runner.run(job_id)
                if outcome.state not in {"rescheduled", "duplicate"}:
                    return outcome
                seen = renewer.read_state(job_id)
                if seen is None or seen[0] not in {"queued", "running"}:
                    return Outcome(seen[0] if seen else "duplicate", error=outcome.error)
                renewer.wait(min(max(seen[1], 0.01), _LONGEST_PAUSE_S))
    finally:
        renewer.stop()


class _LeaseRenewer(threading.Thread):
    """The thread that renews this process's leases, as the parent of a worker does for its children."""

    def __init__(self, settings: Settings, worker: str) -> None:
        super().__init__(name="lease renewer", daemon=True)
        self._engine = make_engine(settings.require_database(), program="one_shot leases", pool_size=2)
        self._worker = worker
        self._stopping = threading.Event()

    def run(self) -> None:
        """Renew every three seconds until stopped."""
        while not self._stopping.wait(RENEW_EVERY_S):
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


def main() -> int:
    """Run the job named on the command line to its end and return the exit status."""
    settings = load_settings()
    set_up_logging(settings.log_level)
    try:
        job_id = UUID(sys.argv[1] if len(sys.argv) == 2 else "")  # noqa: PLR2004  # the program and one argument
    except ValueError:
        raise SystemExit("usage: python -m workers.run_job JOB_ID, a UUID as `tickwork jobs` shows it") from None
    outcome = run_to_end(settings, job_id)
    sys.stdout.write(f"{outcome.state}: {outcome.error or outcome.result}\n")
    return 0 if outcome.state == "succeeded" else 1


if __name__ == "__main__":
    sys.exit(main())
