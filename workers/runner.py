"""Runs jobs, without Celery: claim, run, record, and go on with the follow-up job and with the backlog."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import psycopg
from sqlalchemy import Connection

from shared.clock import machine_now, monotonic
from shared.db.engine import driver
from shared.errors import JobOutcomeUnknownError, LeaseLostError, PostponedError
from shared.fleets import Queue
from shared.ledger import transitions
from shared.ledger.claims import Backlog, ClaimedJob
from shared.ledger.connection import LedgerUnavailableError
from shared.ledger.job import job_from_row
from shared.ledger.ledger import Ledger
from shared.ledger.worker import WorkerProcess
from shared.log_setup import name_job
from workers.call_log import CallBuffer
from workers.context import Context
from workers.deadline import Deadline
from workers.recording import Outcome, describe, record_failure, record_success, reschedule
from workers.task import TASKS

log = logging.getLogger(__name__)

# A slot that works through a backlog stops after this long, so that a shutdown or another job name need not wait.
DRAIN_FOR_S = 0.5
BATCHES_FOR_S = 1.0
UNKNOWN_FOR = timedelta(seconds=5)
DUPLICATE = Outcome("duplicate")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job: its outcome, when it began, and how long it took."""

    job: ClaimedJob
    outcome: Outcome
    began_at: datetime
    seconds: float


class Runner:
    """Runs jobs for one worker process; `on_run` is called after each run of a job."""

    def __init__(
        self,
        ledger: Ledger,
        context_of: Callable[[ClaimedJob, Connection | None], Context],
        worker: WorkerProcess,
        deadline: Deadline,
        calls: CallBuffer,
    ) -> None:
        self.calls = calls
        self.on_run: Callable[[Run], None] = lambda _: None
        self.on_next: Callable[[], None] = lambda: None  # before another job of the backlog runs
        self._ledger = ledger
        self._context_of = context_of
        self._worker = worker
        self._deadline = deadline

    def run(self, job_id: UUID) -> Outcome:
        """Run the job if this worker can claim it, then every follow-up job; return the last one's outcome.

        Raise JobOutcomeUnknownError when an outcome could not be recorded: this process must then end.
        """
        claimed = self._claim(f"job {job_id}", lambda: self._ledger.claim(job_id, self._worker))
        return claimed if isinstance(claimed, Outcome) else self._run_chain(claimed, None)[0][-1]

    def run_and_drain(self, job_id: UUID, backlog: Backlog) -> Outcome:
        """As `run`, then run one job of the backlog after the other, for DRAIN_FOR_S at most.

        The outcome is that of the first job: `duplicate` if another worker has claimed it.
        """
        ends_at = monotonic() + DRAIN_FOR_S
        claimed = self._claim(f"job {job_id}", lambda: self._ledger.claim(job_id, self._worker))
        if isinstance(claimed, Outcome):
            first, following = claimed, None
        else:
            (first, *_), following = self._run_chain(claimed, backlog if monotonic() < ends_at else None)
        while first.state != "unclaimed":
            if following is None:
                if monotonic() >= ends_at:
                    self._ledger.wake_backlog(backlog)
                    break
                found = self._claim(f"a job of {backlog.queue}", lambda: self._ledger.claim_next(backlog, self._worker))
                if isinstance(found, Outcome):
                    break
                following = found
            self.on_next()
            _, following = self._run_chain(following, backlog if monotonic() < ends_at else None)
        return first

    def read_end(self, job_id: UUID) -> Outcome | None:
        """Return how a job has ended that this runner did not run; None if it has not, or if it is not known."""
        try:
            found = transitions.read_end(self._ledger.connection.open(), job_id)
        except (LedgerUnavailableError, psycopg.Error):
            return None
        return None if found is None else Outcome(*found)

    def _claim(self, what: str, claim: Callable[[], ClaimedJob | None]) -> ClaimedJob | Outcome:
        try:
            return claim() or DUPLICATE
        except LedgerUnavailableError as error:
            return Outcome("unclaimed", error=str(error))
        except psycopg.errors.LockNotAvailable as error:
            log.warning("%s is not claimed now, the relay publishes it again: %s", what, error)
            return Outcome("unclaimed", error=describe(error))
        except psycopg.Error as error:  # it may be claimed: our lease would then be renewed for ever
            raise JobOutcomeUnknownError(f"it is not known whether {what} was claimed: {error}") from error

    def _run_chain(
        self, first: ClaimedJob, backlog: Backlog | None, handoff: object = None
    ) -> tuple[list[Outcome], ClaimedJob | None]:
        """Run a claimed job and its follow-up jobs; return their outcomes, and the job claimed with the last end."""
        claimed: ClaimedJob | None = first
        outcomes: list[Outcome] = []
        following = None
        while claimed is not None:
            context = self._context_of(claimed, None)
            context.handoff = handoff
            context.calls.begin(claimed.id)
            began_at, began = machine_now(), monotonic()
            with _require_record(claimed):  # also of the job that was claimed with its end
                with self._deadline.watch(claimed.deadline), name_job(claimed.id, claimed.correlation_id):
                    outcome, following = self._run(claimed, context, backlog)
                outcomes.append(outcome)
                context.calls.flush()
                self.on_run(Run(claimed, outcome, began_at, monotonic() - began))
            claimed, handoff = context.follow_up, context.next_handoff
        with _require_record(first):
            self._ledger.wake_next(first)
        return outcomes, following

    def _run(self, job: ClaimedJob, context: Context, backlog: Backlog | None) -> tuple[Outcome, ClaimedJob | None]:
        connection = self._ledger.connection
        try:
            result = self._call_task(job, context)
        except JobOutcomeUnknownError:
            raise
        except Exception as error:  # every error of a task is recorded
            if context.is_finished:
                log.exception("%s %s failed after its end was recorded", job.name, job.id)
                return Outcome("succeeded"), None
            return record_failure(connection.open(), job, context, error), None
        if context.is_finished:
            return Outcome("succeeded", result), None
        return record_success(connection.open(), job, result, backlog)

    def _call_task(self, job: ClaimedJob, context: Context) -> object:
        if job.name not in TASKS:
            raise PostponedError(f"this worker does not know the job {job.name!r}: it is another version", UNKNOWN_FOR)
        request = job_from_row(job.name, job.arguments)
        return msgspec.to_builtins(TASKS[job.name].do(request, context))

    def run_batch(self, name: str, queue: Queue, most: int) -> dict[str, int]:
        """Run jobs of one name, up to `most` in a commit, while full batches are due; return a count by outcome.

        Raise JobOutcomeUnknownError when an outcome could not be recorded: this process must then end.
        """
        counts: dict[str, int] = {}
        began = monotonic()
        while monotonic() - began < BATCHES_FOR_S:
            try:
                jobs = self._ledger.claim_batch(name, queue, self._worker, most)
            except (LedgerUnavailableError, psycopg.errors.LockNotAvailable) as error:
                log.warning("%s jobs are not claimed now, the relay publishes them again: %s", name, error)
                break
            except psycopg.Error as error:
                raise JobOutcomeUnknownError(f"it is not known whether {name} jobs were claimed: {error}") from error
            if jobs:
                for state in self._run_batch(jobs):
                    counts[state] = counts.get(state, 0) + 1
            if len(jobs) < most:
                break
        return counts

    def _run_batch(self, jobs: list[ClaimedJob]) -> list[str]:
        contexts: list[Context] = []
        runs: list[Run] = []
        with _require_record(jobs[0]):
            try:
                with self._ledger.engine.begin() as connection:
                    runs += (self._run_in_batch(connection, job, contexts) for job in jobs)
                    _finish_all(connection, contexts, [run.outcome for run in runs])
            except (LeaseLostError, psycopg.DataError, UnicodeError) as error:  # as attempts, so that each runs alone
                log.warning(
                    "a batch of %s %s jobs was rolled back, they run one by one: %s", len(jobs), jobs[0].name, error
                )
                raw, now = self._ledger.connection.open(), machine_now()
                runs = [Run(job, reschedule(raw, job, timedelta(0), error, is_counted=True), now, 0.0) for job in jobs]
                contexts = []
        for run in runs:
            self.on_run(run)
        for context in contexts:
            self._ledger.publish(context.wake_ups)
            context.calls.flush()
            if context.follow_up is not None:
                self._run_chain(context.follow_up, None, context.next_handoff)
        return [run.outcome.state for run in runs]

    def _run_in_batch(self, connection: Connection, job: ClaimedJob, contexts: list[Context]) -> Run:
        context = self._context_of(job, connection)
        contexts.append(context)
        context.calls.begin(job.id)
        began_at, began = machine_now(), monotonic()
        try:
            with self._deadline.watch(job.deadline):
                result = self._call_task(job, context)
        except LeaseLostError:
            raise
        except Exception as error:  # noqa: BLE001  # every error of a task is recorded, as in _run
            outcome = record_failure(driver(connection), job, context, error)
        else:
            outcome = Outcome("succeeded", result)
        return Run(job, outcome, began_at, monotonic() - began)


def _finish_all(connection: Connection, contexts: list[Context], outcomes: list[Outcome]) -> None:
    done = [
        (context.job, outcome.result)
        for context, outcome in zip(contexts, outcomes, strict=True)
        if outcome.state == "succeeded" and not context.is_finished
    ]
    if not transitions.finish_batch(driver(connection), done):
        raise LeaseLostError(f"this worker lost the lease of some of {len(done)} jobs")


@contextmanager
def _require_record(job: ClaimedJob) -> Iterator[None]:
    """Turn whatever kept an outcome from being recorded into JobOutcomeUnknownError.

    The process then ends, and its parent, or the end of the lease, releases the job as a counted attempt.
    """
    try:
        yield
    except JobOutcomeUnknownError:
        raise
    except Exception as error:
        raise JobOutcomeUnknownError(f"{job.name} {job.id} ended unrecorded: {error}") from error
