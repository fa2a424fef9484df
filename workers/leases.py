"""Keeps a worker's heartbeat in Postgres from the parent process, and releases the jobs of a lost child."""

import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine

from shared.clock import monotonic
from shared.db.engine import DATABASE_ERRORS, driver, limit_lock_wait
from shared.ledger import recovery, worker_registry
from shared.ledger.recovery import LostJob
from shared.ledger.worker import Worker
from shared.ledger.worker_registry import RunningJob
from workers import cancellation
from workers.deadline import crash_report

log = logging.getLogger(__name__)

BEAT_EVERY_S = 3.0
CHECK_EVERY_S = 0.25
CANCEL_GRACE = timedelta(seconds=5)  # for a job that is to be cancelled, before its process is ended
LOCK_WAIT = timedelta(seconds=1)


class LeaseKeeper(threading.Thread):
    """The thread that keeps the leases, also of a child stuck in C code, and that notices at once when a child ends.

    `on_lost` is called with the jobs of a child that ended in the middle of them.
    """

    def __init__(
        self,
        engine: Engine,
        worker: Worker,
        children: Callable[[], set[int]],
        tracebacks: Path,
        on_lost: Callable[[Sequence[LostJob]], None],
    ) -> None:
        super().__init__(name="lease keeper", daemon=True)
        self._engine = engine
        self._worker = worker
        self._children = children
        self._tracebacks = tracebacks
        self._on_lost = on_lost
        self._stopping = threading.Event()
        self._lost: set[int] = set()  # ended, with jobs not released yet

    def register(self) -> None:
        """Write the worker's row; one of DATABASE_ERRORS means that it is written with the first heartbeat."""
        with self._engine.begin() as connection:
            worker_registry.beat(driver(connection), self._worker)

    def run(self) -> None:
        """Keep leases until stopped; on an unexpected error end the worker, as its jobs would run without leases."""
        try:
            self._keep_leases()
        except Exception:
            log.exception("leases are no longer kept, this worker ends")
            os._exit(os.EX_SOFTWARE)  # its children end with it

    def _keep_leases(self) -> None:
        """Check for lost children every CHECK_EVERY_S, and write the heartbeat every BEAT_EVERY_S."""
        alive: set[int] = set()
        beat_at = -BEAT_EVERY_S
        while not self._stopping.wait(CHECK_EVERY_S):
            seen = {pid for pid in self._children() if not _has_ended(pid)}
            self._lost |= alive - seen
            alive = seen
            is_beat_due = monotonic() - beat_at >= BEAT_EVERY_S
            if not self._lost and not is_beat_due:
                continue
            try:
                if is_beat_due:  # first: a release may wait for a lock
                    self._beat(alive)
                    beat_at = monotonic()
                self._release_lost()
            except DATABASE_ERRORS as error:
                log.warning("the heartbeat of %s is not written, retrying: %s", self._worker.name, error)

    def _beat(self, alive: set[int]) -> None:
        with self._engine.begin() as connection:
            limit_lock_wait(connection, LOCK_WAIT)
            worker_registry.beat(driver(connection), self._worker)
        for job in self._list_running():
            if job.process_id in alive:
                _end_if_due(job)
            elif _has_ended(job.process_id):  # between two checks
                self._lost.add(job.process_id)

    def _list_running(self) -> list[RunningJob]:
        with self._engine.connect() as connection:
            return worker_registry.list_running(driver(connection), self._worker)

    def has_jobs(self) -> bool:
        """Whether a job of this worker still runs, by the ledger; one of DATABASE_ERRORS means that it is not known."""
        return bool(self._list_running())

    def _release_lost(self) -> None:
        for pid in sorted(self._lost):
            process = self._worker.process(pid)
            reason = _describe_loss(pid, crash_report(self._tracebacks, process))
            with self._engine.begin() as connection:
                released = recovery.release_lost(driver(connection), process, reason)
            self._lost.discard(pid)
            if released:
                log.warning("child %s was lost, %s job(s) of it released", pid, len(released))
                self._on_lost(released)

    def stop(self) -> None:
        """End the thread, and record the end of the worker; what runs then loses its lease."""
        self._stopping.set()
        with suppress(*DATABASE_ERRORS), self._engine.begin() as connection:
            limit_lock_wait(connection, LOCK_WAIT)
            worker_registry.record_end(driver(connection), self._worker)


def _end_if_due(job: RunningJob) -> None:
    """End the process of a job that overran its deadline, or that a person cancelled; at first only ask the latter."""
    if job.has_overrun or (job.cancelling_for is not None and job.cancelling_for > CANCEL_GRACE):
        log.warning("%s %s is ended with its process %s", job.name, job.id, job.process_id)
        with suppress(ProcessLookupError):
            os.kill(job.process_id, signal.SIGKILL)
    elif job.cancelling_for is not None:
        cancellation.send(job.process_id)


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
