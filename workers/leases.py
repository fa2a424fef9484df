"""Renews the leases of a worker's children from the parent process, and gives back what a lost child ran."""

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
LOOK_EVERY_S = 0.25


class LeaseKeeper(threading.Thread):
    """Outlives a child stuck in C code, and notices at once when one is gone."""

    def __init__(self, engine: Engine, node: str, children: Callable[[], set[int]], tracebacks: Path) -> None:
        super().__init__(name="lease keeper", daemon=True)
        self._engine = engine
        self._node = node
        self._children = children
        self._tracebacks = tracebacks
        self._stopping = threading.Event()
        self._lost: set[int] = set()  # gone, and not yet given back

    def run(self) -> None:
        """Keep leases until stopped; a worker that cannot must not go on claiming jobs, so it ends."""
        try:
            self._keep()
        except Exception:
            log.exception("leases are not kept any more, this worker ends")
            os.kill(os.getpid(), signal.SIGTERM)

    def _keep(self) -> None:
        """Look for lost children four times a second and renew every three seconds."""
        alive: set[int] = set()
        renewed_at = -RENEW_EVERY_S
        while not self._stopping.wait(LOOK_EVERY_S):
            seen = {pid for pid in self._children() if not _has_ended(pid)}
            self._lost |= alive - seen
            alive = seen
            is_renewal_due = monotonic() - renewed_at >= RENEW_EVERY_S
            if not self._lost and not is_renewal_due:
                continue
            try:
                self._release_lost()
                if is_renewal_due:
                    with self._engine.begin() as connection:
                        recovery.renew(driver(connection), [self._worker(pid) for pid in alive])
                        workers = recovery.workers_of(driver(connection), self._node)
                    running = {int(worker.rpartition("/")[2]) for worker in workers}
                    self._lost |= {pid for pid in running - alive if _has_ended(pid)}  # too short-lived to be seen
                    renewed_at = monotonic()
            except DATABASE_ERRORS as error:
                log.warning("leases of %s not renewed, trying again: %s", self._node, error)

    def _release_lost(self) -> None:
        for pid in sorted(self._lost):
            words = crash_report(self._tracebacks, self._worker(pid))
            reason = _reason(pid, words)
            with self._engine.begin() as connection:
                given_back = recovery.release_lost(driver(connection), self._worker(pid), reason)
            if given_back:
                log.warning("child %s was lost with %s job(s), given back", pid, given_back)
            self._lost.discard(pid)

    def refuse(self, job_id: str, reason: str) -> None:
        """End a job that no process of this worker can do as dead: a person may requeue it. Never raises."""
        try:
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                job = transitions.claim(driver(connection), UUID(job_id), self._node)
                if job is not None:
                    transitions.finish(driver(connection), job, "dead", error=reason)
                    log.error("%s %s is dead: %s", job.name, job.id, reason)
        except (*DATABASE_ERRORS, ValueError) as error:
            log.warning("job %s was not refused, the relay sends it again: %s", job_id, error)

    def _worker(self, pid: int) -> str:
        return f"{self._node}/{pid}"

    def stop(self) -> None:
        """End the thread; leases then end by themselves."""
        self._stopping.set()


def _has_ended(pid: int) -> bool:
    """Whether a child is gone, or ended and not yet looked at by Celery, from whom the news are not taken away."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _reason(pid: int, words: str) -> str:
    if not words:
        return f"worker process {pid} was lost"
    # faulthandler names a crash, and nothing when it was asked for.
    how = "crashed" if words.startswith("Fatal") else "was stopped: its job overran the deadline"
    return f"worker process {pid} {how}; its last stack:\n{words}"
