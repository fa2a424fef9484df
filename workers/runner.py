"""Runs jobs, without Celery: claim, run, record, and continue with the follow-up job."""

import logging
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from uuid import UUID

import msgspec
import psycopg
from sqlalchemy import Connection

from shared.clock import monotonic
from shared.db.engine import DATABASE_ERRORS, driver, is_lock_timeout
from shared.errors import HaltError, JobOutcomeUnknownError, LeaseLostError, PostponedError, RefusedError
from shared.fleets import Queue
from shared.ledger import queues, transitions
from shared.ledger.connection import LedgerUnavailableError
from shared.ledger.job import job_from_row
from shared.ledger.ledger import Ledger
from shared.ledger.transitions import ClaimedJob
from workers.context import Context
from workers.deadline import Deadline
from workers.task import TASKS

log = logging.getLogger(__name__)

RETRY_BASE = timedelta(seconds=0.5)
RETRY_CAP = timedelta(minutes=5)
LOCK_RETRY_AFTER = timedelta(seconds=0.2)
# A slot that works through a backlog stops after this long, so that a shutdown or another job name need not wait.
BATCHES_FOR_S = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a wake-up: `duplicate`, `rescheduled`, or the final state of its last job."""

    state: str
    result: object = None
    error: str | None = None


class Runner:
    """Runs jobs for one worker process, called `worker` in their rows."""

    def __init__(
        self,
        ledger: Ledger,
        context_of: Callable[[ClaimedJob, Connection | None], Context],
        worker: str,
        deadline: Deadline,
    ) -> None:
        self._ledger = ledger
        self._context_of = context_of
        self._worker = worker
        self._deadline = deadline
        self._random = Random()  # noqa: S311  # spreads retries; guards no secret

    def run(self, job_id: UUID) -> Outcome:
        """Run the job if this worker can claim it, then every follow-up job; return the last one's outcome.

        Raise JobOutcomeUnknownError when the database was lost: this process must then end.
        """
        try:
            claimed = self._ledger.claim(job_id, self._worker)
        except LedgerUnavailableError as error:
            return Outcome("rescheduled", error=str(error))
        except psycopg.errors.LockNotAvailable as error:
            log.warning("job %s is not claimed now, the relay publishes it again: %s", job_id, error)
            return Outcome("rescheduled", error=_describe(error))
        except psycopg.Error as error:  # it may be claimed: our lease would then be renewed for ever
            raise JobOutcomeUnknownError(f"it is not known whether job {job_id} was claimed: {error}") from error
        if claimed is None:
            self._record_duplicate(job_id)
            return Outcome("duplicate")
        return self._run_chain(claimed)

    def _record_duplicate(self, job_id: UUID) -> None:
        with suppress(psycopg.Error, LedgerUnavailableError):  # only a count
            queues.record_duplicate(self._ledger.connection.open(), job_id)

    def _run_chain(self, first: ClaimedJob, handoff: object = None) -> Outcome:
        claimed: ClaimedJob | None = first
        outcome = Outcome("duplicate")
        while claimed is not None:
            context = self._context_of(claimed, None)
            context.handoff = handoff
            with self._deadline.watch(claimed.deadline), _require_record(claimed):
                outcome = self._run(claimed, context)
            context.calls.flush(claimed.id)
            claimed, handoff = context.follow_up, context.next_handoff
        self._ledger.wake_next(first)
        return outcome

    def run_batch(self, name: str, queue: Queue, most: int) -> dict[str, int]:
        """Run jobs of one name, up to `most` in a commit, while full batches are due; return a count by outcome.

        Raise JobOutcomeUnknownError when the database was lost: this process must then end.
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
        with _require_record(jobs[0]):
            try:
                with self._ledger.engine.begin() as connection:
                    outcomes = [self._run_in_batch(connection, job, contexts) for job in jobs]
                    _finish_all(connection, contexts, outcomes)
            except (LeaseLostError, psycopg.DataError) as error:  # counted as attempts, so that each then runs alone
                log.warning(
                    "a batch of %s %s jobs was rolled back, they run one by one: %s", len(jobs), jobs[0].name, error
                )
                return [
                    self._reschedule(self._ledger.connection.open(), job, timedelta(0), error, is_counted=True).state
                    for job in jobs
                ]
        for context in contexts:
            self._ledger.publish(context.wake_ups)
            context.calls.flush(context.job.id)
            if context.follow_up is not None:
                self._run_chain(context.follow_up, context.next_handoff)
        return [outcome.state for outcome in outcomes]

    def _run_in_batch(
        self,
        connection: Connection,
        job: ClaimedJob,
        contexts: list[Context],
    ) -> Outcome:
        context = self._context_of(job, connection)
        contexts.append(context)
        try:
            with self._deadline.watch(job.deadline):
                result = self._call_task(job, context)
        except LeaseLostError:
            raise
        except Exception as error:  # noqa: BLE001  # every error of a task is recorded, as in _run
            return self._record_failure(driver(connection), job, context, error)
        return Outcome("succeeded", result)

    def _call_task(self, job: ClaimedJob, context: Context) -> object:
        request = job_from_row(job.name, job.arguments)
        return msgspec.to_builtins(TASKS[job.name].do(request, context))

    def _run(self, job: ClaimedJob, context: Context) -> Outcome:
        connection = self._ledger.connection
        try:
            result = self._call_task(job, context)
        except JobOutcomeUnknownError:
            raise
        except Exception as error:  # every error of a task is recorded
            if context.is_finished:
                log.exception("%s %s failed after its end was recorded", job.name, job.id)
                return Outcome("succeeded")
            return self._record_failure(connection.open(), job, context, error)
        return (
            Outcome("succeeded", result)
            if context.is_finished
            else self._finish(connection.open(), job, "succeeded", result)
        )

    def _record_failure(
        self, connection: transitions.LedgerConnection, job: ClaimedJob, context: Context, error: Exception
    ) -> Outcome:
        if is_lock_timeout(error):  # it did nothing, and the relay ends a session that sits on the lock
            error = PostponedError("another session holds a lock that this job needs", LOCK_RETRY_AFTER)
        match error:
            case LeaseLostError():
                return Outcome("duplicate", error=str(error))
            case PostponedError():
                return self._reschedule(connection, job, error.retry_after, error, is_counted=False)
            case HaltError():
                context.halt(error)
                log.error("%s %s failed: %s", job.name, job.id, _describe(error))
                return self._finish(connection, job, "failed", error=_describe(error))
            case RefusedError():
                log.warning("%s %s failed: %s", job.name, job.id, _describe(error))
                return self._finish(connection, job, "failed", error=_describe(error))
        if job.attempt >= job.max_attempts:
            log.error("%s %s is dead after %s attempts", job.name, job.id, job.attempt, exc_info=error)
            return self._finish(connection, job, "dead", error=_format_traceback(error))
        pause = compute_pause(job.attempt, base=RETRY_BASE, cap=RETRY_CAP, fraction=self._random.random())
        return self._reschedule(connection, job, pause, error, is_counted=True)

    def _finish(
        self,
        connection: transitions.LedgerConnection,
        job: ClaimedJob,
        state: str,
        result: object = None,
        error: str | None = None,
    ) -> Outcome:
        try:
            is_ours = transitions.finish(connection, job, state, result=result, error=error)
        except psycopg.DataError as rejection:  # Postgres cannot store the result, such as text with NUL
            return self._finish(connection, job, "dead", error=f"the result cannot be stored: {rejection}")
        return Outcome(state, result, error) if is_ours else Outcome("duplicate", error="the lease was lost")

    def _reschedule(
        self,
        connection: transitions.LedgerConnection,
        job: ClaimedJob,
        pause: timedelta,
        error: Exception,
        *,
        is_counted: bool,
    ) -> Outcome:
        message = _format_traceback(error) if is_counted else _describe(error)
        is_ours = transitions.reschedule(connection, job, pause, is_counted=is_counted, error=message)
        return (
            Outcome("rescheduled", error=_describe(error))
            if is_ours
            else Outcome("duplicate", error="the lease was lost")
        )


def _finish_all(connection: Connection, contexts: Sequence[Context], outcomes: Sequence[Outcome]) -> None:
    done = [
        (context.job, outcome.result)
        for context, outcome in zip(contexts, outcomes, strict=True)
        if outcome.state == "succeeded" and not context.is_finished
    ]
    if not transitions.finish_batch(driver(connection), done):
        raise LeaseLostError(f"this worker lost the lease of some of {len(done)} jobs")


def compute_pause(attempt: int, *, base: timedelta, cap: timedelta, fraction: float) -> timedelta:
    """Return the pause after failed `attempt` (1 is the first): exponential with full jitter.

    `fraction` is a random number in [0, 1): the pause is that part of min(cap, base * 2**(attempt - 1)).
    Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    doublings = min(attempt - 1, 32)
    return min(cap, base * (1 << doublings)) * fraction


@contextmanager
def _require_record(job: ClaimedJob) -> Iterator[None]:
    """Turn the loss of the database into JobOutcomeUnknownError: the state of the job's row is then not known."""
    try:
        yield
    except (*DATABASE_ERRORS, LedgerUnavailableError) as error:
        raise JobOutcomeUnknownError(f"{job.name} {job.id} ended unrecorded: {error}") from error


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _format_traceback(error: Exception) -> str:
    return "".join(traceback.format_exception(error))
