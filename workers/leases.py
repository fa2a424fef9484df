"""Renews the leases of a worker's children from the parent process, and releases the jobs of a lost child."""

import logging
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from sqlalchemy import Engine

from shared.clock import monotonic
from shared.db.engine import DATABASE_ERRORS, driver
from shared.ledger import recovery, transitions
from workers.deadline import crash_report

log = logging.getLogger(__name__)

RENEW_EVERY_S = 3.0
CHECK_EVERY_S = 0.25


class LeaseKeeper(threading.Thread):
    """The thread that renews leases, also of a child stuck in C code, and that notices at once when a child ends."""

    def __init__(self, engine: Engine, node: str, children: Callable[[], set[int]], tracebacks: Path) -> None:
        super().__init__(name="lease keeper", daemon=True)
        self._engine = engine
        self._node = node
        self._children = children
        self._tracebacks = tracebacks
        self._stopping = threading.Event()
        self._lost: set[int] = set()  # ended, with jobs not released yet

    def run(self) -> None:
        """Renew leases until stopped; on an unexpected error end the worker, which must not claim without leases."""
        try:
            self._keep_leases()
        except Exception:
            log.exception("leases are no longer renewed, this worker ends")
            os.kill(os.getpid(), signal.SIGTERM)

    def _keep_leases(self) -> None:
        """Check for lost children every CHECK_EVERY_S and renew the leases every RENEW_EVERY_S."""
        alive: set[int] = set()
        renewed_at = -RENEW_EVERY_S
        while not self._stopping.wait(CHECK_EVERY_S):
            seen = {pid for pid in self._children() if not _has_ended(pid)}
            self._lost |= alive - seen
            alive = seen
            is_renewal_due = monotonic() - renewed_at >= RENEW_EVERY_S
            if not self._lost and not is_renewal_due:
                continue
            try:
                if is_renewal_due:  # first: a release may wait for a lock
                    with self._engine.begin() as connection:
                        recovery.renew(driver(connection), [self._worker_name(pid) for pid in alive])
                        workers = recovery.workers_of(driver(connection), self._node)
                    running = {int(worker.rpartition("/")[2]) for worker in workers}
                    self._lost |= {pid for pid in running - alive if _has_ended(pid)}  # ended between checks
                    renewed_at = monotonic()
                self._release_lost()
            except DATABASE_ERRORS as error:
                log.warning("leases of %s not renewed, retrying: %s", self._node, error)

    def _release_lost(self) -> None:
        for pid in sorted(self._lost):
            report = crash_report(self._tracebacks, self._worker_name(pid))
            reason = _describe_loss(pid, report)
            with self._engine.begin() as connection:
                released_count = recovery.release_lost(driver(connection), self._worker_name(pid), reason)
            if released_count:
                log.warning("child %s was lost, %s job(s) of it released", pid, released_count)
            self._lost.discard(pid)

    def end_unknown_job(self, job_id: str, reason: str) -> None:
        """End as dead a job that this worker cannot run, so that the operator may requeue it; never raises."""
        try:
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                job = transitions.claim(driver(connection), UUID(job_id), self._node)
                if job is not None:
                    transitions.finish(driver(connection), job, "dead", error=reason)
                    log.error("%s %s is dead: %s", job.name, job.id, reason)
        except (*DATABASE_ERRORS, ValueError) as error:
            log.warning("job %s was not ended, the relay sends it again: %s", job_id, error)

    def _worker_name(self, pid: int) -> str:
        return f"{self._node}/{pid}"

    def stop(self) -> None:
        """End the thread; the leases then expire."""
        self._stopping.set()


def _has_ended(pid: int) -> bool:
    """Whether a child has ended; WNOWAIT leaves its exit status for Celery to read."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _describe_loss(pid: int, report: str) -> str:
    if not report:
        return f"worker process {pid} was lost"
    # faulthandler writes a heading for a crash, and none for the alarm.
    how = "crashed" if report.startswith("Fatal") else "was stopped: its job overran the deadline"
    return f"worker process {pid} {how}; its last stack:\n{report}"
