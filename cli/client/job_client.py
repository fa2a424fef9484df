"""A command's client of the ledger: enqueues jobs, waits for their outcomes, and runs jobs that no worker claims.

The rows and the jobs are one commit. A due job that no worker claims is run by a process of its own, so a command works
with every worker dead, with a full broker queue, or without a broker.
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

from cli.client.stack import load_stack_settings, stack_environment
from cli.local.home.folder import Home
from cli.local.processes.one_shot import LOG, detach_one_shot, start_one_shot
from shared.clock import monotonic
from shared.config import Settings
from shared.db.engine import DATABASE_ERRORS, driver, is_lock_timeout, make_engine
from shared.domain.error_text import shorten_error
from shared.domain.market_data.contract_text import shorten_contracts
from shared.ledger import recovery
from shared.ledger.ledger import Ledger, Transaction
from shared.ledger.progress import JobProgress, read_progress
from shared.ledger.publisher import open_publisher

_POLL_EVERY_S = 0.05
_LOST_FOR_S = 5.0
_SILENT_FOR_S = 1.0  # why a job waits: most confirmations of the venue come earlier
_CLAIM_TIMEOUT = timedelta(seconds=1)
_CLAIM_TIMEOUT_NO_WORKER = timedelta(seconds=0.2)  # after a first job that no worker claimed
_RESTART_DELAY_S = 1.0
_MAX_ONE_SHOT_EXITS = 4  # exits of one-shot processes before their job ends
_JOB_LABELS = {
    "alerts.handle_alert": "the alert",
    "orders.enter_manually": "the entry",
    "orders.enter_approved": "the entry",
    "orders.lapse_approval": "the approval",
    "orders.place_order": "the order",
    "orders.flatten": "the flatten request",
    "orders.guard_position": "the proof of the stop",
    "orders.poll_fills": "the look for fills",
    "orders.resolve_in_doubt_order": "the search for the order",
}

wait_option = click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0.1),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="Longest wait for the outcome.",
)

Progress = Callable[[Connection], str | None]


@dataclass(frozen=True, slots=True)
class JobOutcomes:
    """The states of jobs, and of all jobs they caused, when the wait ended."""

    roots: list[UUID]
    jobs: list[JobProgress]

    @property
    def failed(self) -> list[JobProgress]:
        """The jobs that ended without success; one whose work another job has done is none."""
        return [job for job in self.jobs if job.is_over and job.state != "succeeded" and not job.is_done_by_another]

    @property
    def live(self) -> list[JobProgress]:
        """The jobs that have not ended."""
        return [job for job in self.jobs if not job.is_over]

    def result(self, job_id: UUID) -> dict[str, Any]:
        """Return the result of one of the jobs; empty when there is none yet."""
        found = next((job.result for job in self.jobs if job.id == job_id), None)
        return found if isinstance(found, dict) else {}

    def get(self, job_id: UUID) -> JobProgress:
        """Return one of the jobs."""
        return next(job for job in self.jobs if job.id == job_id)

    def describe_problem(self) -> str | None:
        """Return the first error, or the first unfinished job, in one line; None on success."""
        if self.failed:
            return _describe_failure(self.failed[0])
        return self.describe_unfinished() if self.live else None

    def list_live(self) -> list[str]:
        """Return what each job does that has not ended, without repetition."""
        return list(dict.fromkeys(_label(job) for job in self.live))

    def describe_unfinished(self) -> str:
        """Return which job has not ended, and how to look at it later; only a job that was asked for can be cancelled.

        The caller has checked that one is live. What is left of a job that has ended only looks after it, such as a
        poll of fills.
        """
        asked_for = [job for job in self.live if job.id in self.roots]
        job = next(iter(asked_for or self.live))
        last = f" ({shorten_error(job.error)})" if job.error else ""
        line = f"{_label(job)} is {job.state}{last}; the workers continue with it: `tickwork jobs show"
        if asked_for:
            return f"{line} {job.id}` shows the outcome, `tickwork jobs cancel {job.id}` cancels it"
        return f"{line} {self.roots[0]}` shows the outcome"

    def require_success(self) -> None:
        """Raise ClickException with the first problem."""
        problem = self.describe_problem()
        if problem is not None:
            raise click.ClickException(problem)


def _describe_failure(job: JobProgress) -> str:
    if job.state == "expired":
        return f"{_label(job)} expired before it started: {shorten_error(job.error)}"
    if job.state == "cancelled":
        return f"{_label(job)} was cancelled: {shorten_error(job.error)}"
    return shorten_error(job.error)


def _label(job: JobProgress) -> str:
    return _JOB_LABELS.get(job.name, job.name)


@contextmanager
def open_client() -> Iterator["JobClient"]:
    """Open a client of the stack's ledger, and close it at the end."""
    settings = load_stack_settings()
    engine = make_engine(settings.require_database(), program="cli", pool_size=2)
    ledger = Ledger(engine, open_publisher(settings.require_broker()))
    try:
        yield JobClient(settings, ledger)
    finally:
        ledger.close()


@dataclass
class JobClient:
    """A command's connection to the workers."""

    settings: Settings
    ledger: Ledger
    _one_shots: "dict[UUID, Popen[bytes]]" = field(default_factory=dict)
    _printed: str | None = None
    _one_shot_exit_count: int = 0
    _not_before: float = 0.0
    _lost_since: dict[UUID, float] = field(default_factory=dict)

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Commit rows and jobs together; a failed wake-up does not fail the commit."""
        return self.ledger.transaction()

    def connect(self) -> Connection:
        """Connect to the database for reading."""
        return self.ledger.engine.connect()

    def wait(
        self,
        job_ids: Sequence[UUID],
        longest_s: float | None,
        progress: Progress | None = None,
        *,
        quiet: bool,
        with_caused: bool = True,
        leave: Callable[[], str] | None = None,
    ) -> JobOutcomes:
        """Wait until the jobs, and all they caused, have ended, or `longest_s` is over; print progress on stderr.

        `longest_s` None waits without limit. On Ctrl-C the jobs are left to the workers, or `leave` ends them and
        returns what became of them; raises Abort.
        """
        pause, started_at, outcomes = Event(), monotonic(), JobOutcomes(list(job_ids), [])
        try:
            while True:
                is_over = longest_s is not None and monotonic() - started_at > longest_s
                try:
                    outcomes = JobOutcomes(list(job_ids), self._read_jobs(job_ids, with_caused=with_caused))
                    if is_over or not outcomes.live:
                        return outcomes
                    if not quiet and (progress is not None or monotonic() - started_at > _SILENT_FOR_S):
                        self._print_progress(outcomes, progress)
                except DATABASE_ERRORS as error:  # a lock on their rows does not end the jobs
                    if is_over or not is_lock_timeout(error):
                        raise
                pause.wait(_POLL_EVERY_S)
        except KeyboardInterrupt:
            left = leave or (outcomes.describe_unfinished if outcomes.live else lambda: "The jobs have ended.")
            click.echo(f"\n{left()}", err=True)
            raise click.exceptions.Abort from None
        finally:
            for process in self._one_shots.values():
                detach_one_shot(process, is_done=bool(outcomes.jobs) and not outcomes.live)
            self._one_shots.clear()

    def read(self, job_ids: Sequence[UUID]) -> JobOutcomes:
        """Return how the jobs, and all they caused, are now."""
        with self.ledger.engine.connect() as connection:
            return JobOutcomes(list(job_ids), read_progress(driver(connection), job_ids, _CLAIM_TIMEOUT))

    def _read_jobs(self, job_ids: Sequence[UUID], *, with_caused: bool) -> list[JobProgress]:
        claim_timeout = _CLAIM_TIMEOUT_NO_WORKER if self._one_shots else _CLAIM_TIMEOUT
        with self.ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            ledger_connection = driver(connection)
            found = [
                job
                for job in read_progress(ledger_connection, job_ids, claim_timeout)
                if with_caused or job.id in job_ids
            ]
            if lost := self._list_lost(found):  # the relay does so too, but may be dead
                recovery.reclaim_expired_leases(ledger_connection, only=lost)
        for job in found:
            if job.to_start is not None:
                self._start_one_shot(job.to_start)
        return found

    def _list_lost(self, found: Sequence[JobProgress]) -> list[UUID]:
        """Return the jobs whose lease has ended for some seconds: after a sleep of the computer workers renew them."""
        now = monotonic()
        self._lost_since = {job.id: self._lost_since.get(job.id, now) for job in found if job.is_lost}
        return [job_id for job_id, since in self._lost_since.items() if now - since > _LOST_FOR_S]

    def _start_one_shot(self, job_id: UUID) -> None:
        running, home = self._one_shots.get(job_id), Home(self.settings.home)
        if (running is not None and running.poll() is None) or monotonic() < self._not_before:
            return
        if running is not None:
            self._one_shot_exit_count += 1
            if self._one_shot_exit_count > _MAX_ONE_SHOT_EXITS:
                raise click.ClickException(
                    f"no worker claims job {job_id}, and a process of its own ends with status {running.returncode}: "
                    f"read the end of {home.logs / LOG}; the job stays queued for the workers"
                )
        self._one_shots[job_id] = start_one_shot(job_id, stack_environment(), home)
        self._not_before = monotonic() + _RESTART_DELAY_S if running is not None else 0.0

    def _print_progress(self, outcomes: JobOutcomes, progress: Progress | None) -> None:
        text = None
        if progress is not None:
            with self.connect() as connection:
                text = progress(connection)
        else:
            text = next((shorten_error(job.error) for job in outcomes.live if job.error), None)
        if text and text != self._printed:
            click.echo(f"  {shorten_contracts(text)}", err=True)
            self._printed = text
