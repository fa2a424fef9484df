"""Asks the workers for something and waits for what becomes of it; where no worker takes a job, a process here does.

The rows and the jobs are one commit. A job that is due and that nobody has claimed is then run by a process of its
own, so a command works with every worker dead, the broker's queue full or the broker away.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from subprocess import Popen
from threading import Event
from typing import Any
from uuid import UUID

import click
from sqlalchemy import Connection

from cli.client.stack import environment_of_stack, settings_of_stack
from cli.console.errors import short
from cli.local.home.folder import Home
from cli.local.processes.one_shot import LOG, part_from, start_one_shot
from shared.clock import monotonic
from shared.config import Settings
from shared.db.engine import driver, make_engine
from shared.ledger import recovery
from shared.ledger.ledger import Ledger, Transaction
from shared.ledger.progress import JobProgress, read_progress
from shared.ledger.wake import open_wake

_LOOK_EVERY_S = 0.05
_CLAIM_TIMEOUT = timedelta(seconds=1)
_CLAIM_TIMEOUT_ALONE = timedelta(seconds=0.2)  # once it has turned out that no worker is there
_START_AGAIN_S = 1.0
_MOST_ENDED = 4  # times that such a process may end before its job
_CALLED = {
    "orders.enter_manually": "the entry",
    "orders.place_order": "the order",
    "orders.flatten": "the flatten_request",
}

wait_option = click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0.1),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the outcome.",
)
Progress = Callable[[Connection], str | None]


@dataclass(frozen=True, slots=True)
class Ending:
    """What jobs and everything they caused had come to when the waiting ended."""

    roots: list[UUID]
    jobs: list[JobProgress]

    @property
    def failed(self) -> list[JobProgress]:
        """The jobs that ended otherwise than asked."""
        return [job for job in self.jobs if job.is_over and job.state != "succeeded"]

    @property
    def live(self) -> list[JobProgress]:
        """The jobs that are not over."""
        return [job for job in self.jobs if not job.is_over]

    def result(self, job_id: UUID) -> dict[str, Any]:
        """Return the result of one of the jobs asked for; empty when there is none so far."""
        found = next((job.result for job in self.jobs if job.id == job_id), None)
        return found if isinstance(found, dict) else {}

    def of(self, job_id: UUID) -> JobProgress:
        """Return one of the jobs asked for."""
        return next(job for job in self.jobs if job.id == job_id)

    def trouble(self) -> str | None:
        """Return what went wrong, in one line: the first error, or that it is not over so far; None on success."""
        if self.failed:
            return _why(self.failed[0])
        return _left(self.live) if self.live else None

    def demand_success(self) -> None:
        """Raise what went wrong."""
        trouble = self.trouble()
        if trouble is not None:
            raise click.ClickException(trouble)


def _why(job: JobProgress) -> str:
    if job.state == "expired":
        return f"{_called(job)} was not begun in time, so it is dropped: {short(job.error)}"
    if job.state == "cancelled":
        return f"{_called(job)} was cancelled: {short(job.error)}"
    return short(job.error)


def _left(jobs: Sequence[JobProgress]) -> str:
    job = jobs[0]
    last = f" ({short(job.error)})" if job.error else ""
    return (
        f"{_called(job)} is {job.state} so far{last}; it is left to the workers: `tickwork jobs show {job.id}` tells "
        f"what becomes of it, `tickwork jobs cancel {job.id}` takes it back"
    )


def _called(job: JobProgress) -> str:
    return _CALLED.get(job.name, job.name)


@contextmanager
def open_client() -> Iterator["JobClient"]:
    """Hold what a command needs to ask the workers of the stack."""
    settings = settings_of_stack()
    engine = make_engine(settings.need_database(), program="cli", pool_size=2)
    ledger = Ledger(engine, open_wake(settings.need_broker()))
    try:
        yield JobClient(settings, ledger)
    finally:
        ledger.close()


@dataclass
class JobClient:
    """One command's way to the workers."""

    settings: Settings
    ledger: Ledger
    _alone: "dict[UUID, Popen[bytes]]" = field(default_factory=dict)
    _shown: str | None = None
    _ended_count: int = 0
    _not_before: float = 0.0

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Commit rows and jobs together; a wake-up that cannot be published fails nothing."""
        return self.ledger.transaction()

    def connect(self) -> Connection:
        """Connect to the database, to read."""
        return self.ledger.engine.connect()

    def wait(
        self,
        job_ids: Sequence[UUID],
        longest_s: float | None,
        progress: Progress | None = None,
        *,
        quiet: bool,
        with_caused: bool = True,
    ) -> Ending:
        """Wait until the jobs, and all they caused, are over, at most so long; show on stderr how far they are.

        Ctrl-C leaves them to the workers, and says so.
        """
        pause, began, ending = Event(), monotonic(), Ending(list(job_ids), [])
        try:
            while True:
                ending = Ending(list(job_ids), self._look(job_ids, with_caused=with_caused))
                if not ending.live or (longest_s is not None and monotonic() - began > longest_s):
                    return ending
                if not quiet:
                    self._show(ending, progress)
                pause.wait(_LOOK_EVERY_S)
        except KeyboardInterrupt:
            click.echo(f"\n{_left(ending.live)}" if ending.live else "\nIt is over.", err=True)
            raise click.exceptions.Abort from None
        finally:
            for process in self._alone.values():
                part_from(process, is_done=bool(ending.jobs) and not ending.live)
            self._alone.clear()

    def _look(self, job_ids: Sequence[UUID], *, with_caused: bool) -> list[JobProgress]:
        claim_timeout = _CLAIM_TIMEOUT_ALONE if self._alone else _CLAIM_TIMEOUT
        with self.ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            line = driver(connection)
            found = [job for job in read_progress(line, job_ids, claim_timeout) if with_caused or job.id in job_ids]
            if any(job.is_lost for job in found):  # as the relay does, which may be dead too
                recovery.reclaim_expired_leases(line)
        for job in found:
            if job.to_start is not None:
                self._start(job.to_start)
        return found

    def _start(self, job_id: UUID) -> None:
        running, home = self._alone.get(job_id), Home(self.settings.home)
        if (running is not None and running.poll() is None) or monotonic() < self._not_before:
            return
        if running is not None:
            self._ended_count += 1
            if self._ended_count > _MOST_ENDED:
                raise click.ClickException(
                    f"no worker takes job {job_id}, and a process of its own ends with status {running.returncode}: "
                    f"the end of {home.logs / LOG} says why; the job is kept for the workers"
                )
        self._alone[job_id] = start_one_shot(job_id, environment_of_stack(), home)
        self._not_before = monotonic() + _START_AGAIN_S if running is not None else 0.0

    def _show(self, ending: Ending, progress: Progress | None) -> None:
        said = None
        if progress is not None:
            with self.connect() as connection:
                said = progress(connection)
        else:
            said = next((short(job.error) for job in ending.live if job.error), None)
        if said and said != self._shown:
            click.echo(f"  {said}", err=True)
            self._shown = said
