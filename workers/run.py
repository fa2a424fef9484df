"""Runs one job, without Celery: claim, do, record, and whatever it hands over to."""

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from uuid import UUID

import msgspec
from sqlalchemy.exc import DataError, DBAPIError

from shared.domain.backoff import delay
from shared.errors import HaltError, PostponedError, RefusedError
from shared.ledger import rows
from shared.ledger.job import request_of
from shared.ledger.ledger import LeaseLostError, Ledger
from shared.ledger.rows import ClaimedJob
from workers.context import Context
from workers.deadline import Deadline
from workers.task import TASKS

log = logging.getLogger(__name__)

RETRY_BASE = timedelta(seconds=0.5)
RETRY_CAP = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a wake-up came to: `duplicate`, `put_back`, or the state its last job ended in."""

    state: str
    result: object = None
    error: str | None = None


class NotRecordedError(Exception):
    """A job's end could not be written; its lease must be given back by whoever outlives this process."""


class Runner:
    """Does jobs for one worker process, called `worker` in their rows."""

    def __init__(
        self, ledger: Ledger, context_of: Callable[[ClaimedJob], Context], worker: str, deadline: Deadline
    ) -> None:
        self._ledger = ledger
        self._context_of = context_of
        self._worker = worker
        self._deadline = deadline
        self._random = Random()  # noqa: S311  # spreads retries; guards no secret

    def run(self, job_id: UUID) -> Outcome:
        """Run the job if it is ours to run, then every job it hands over to; report the last one's outcome.

        Raise NotRecordedError when the database was lost: this process must then end.
        """
        try:
            claimed = self._ledger.claim(job_id, self._worker)
        except DBAPIError as error:  # it may have been granted, and our lease would be renewed for ever
            raise NotRecordedError(f"whether job {job_id} was claimed is not known: {error.orig}") from error
        outcome = Outcome("duplicate")
        while claimed is not None:
            context = self._context_of(claimed)
            try:
                with self._deadline.watch(claimed.deadline):
                    outcome = self._do(claimed, context)
            except DBAPIError as error:
                raise NotRecordedError(f"{claimed.name} {claimed.id} ended unrecorded: {error.orig}") from error
            context.calls.flush(claimed.id)
            self._ledger.wake_next(claimed)
            claimed = context.follow_up
        return outcome

    def _do(self, job: ClaimedJob, context: Context) -> Outcome:
        try:
            request = request_of(job.name, job.arguments)
            result = msgspec.to_builtins(TASKS[job.name].do(request, context))
        except Exception as error:  # whatever a task raises is recorded, never lost
            if context.is_finished:
                log.exception("%s %s failed after its end was recorded", job.name, job.id)
                return Outcome("succeeded")
            return self._record_failure(job, context, error)
        return Outcome("succeeded", result) if context.is_finished else self._end(job, "succeeded", result=result)

    def _record_failure(self, job: ClaimedJob, context: Context, error: Exception) -> Outcome:
        match error:
            case LeaseLostError():
                return Outcome("duplicate", error=str(error))
            case PostponedError():
                return self._put_back(job, error.retry_after, error, is_counted=False)
            case HaltError():
                context.halt(error)
                log.error("%s %s failed: %s", job.name, job.id, _text(error))
                return self._end(job, "failed", error=_text(error))
            case RefusedError():
                log.warning("%s %s failed: %s", job.name, job.id, _text(error))
                return self._end(job, "failed", error=_text(error))
        if job.attempt >= job.max_attempts:
            log.error("%s %s is dead after %s attempts", job.name, job.id, job.attempt, exc_info=error)
            return self._end(job, "dead", error=_with_traceback(error))
        pause = delay(job.attempt, base=RETRY_BASE, cap=RETRY_CAP, fraction=self._random.random())
        return self._put_back(job, pause, error, is_counted=True)

    def _end(self, job: ClaimedJob, state: str, *, result: object = None, error: str | None = None) -> Outcome:
        try:
            with self._ledger.engine.begin() as connection:
                is_ours = rows.finish(connection, job, state, result=result, error=error)
        except DataError as refused:  # Postgres cannot store the result, such as text with NUL
            return self._end(job, "dead", error=f"the result cannot be stored: {refused.orig}")
        return Outcome(state, result, error) if is_ours else Outcome("duplicate", error="the lease was lost")

    def _put_back(self, job: ClaimedJob, pause: timedelta, error: Exception, *, is_counted: bool) -> Outcome:
        message = _with_traceback(error) if is_counted else _text(error)
        with self._ledger.engine.begin() as connection:
            is_ours = rows.put_back(connection, job, pause, is_counted=is_counted, error=message)
        return Outcome("put_back", error=_text(error)) if is_ours else Outcome("duplicate", error="the lease was lost")


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _with_traceback(error: Exception) -> str:
    return "".join(traceback.format_exception(error))
