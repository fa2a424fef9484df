"""Records how a job's run ended: one of the final states, or queued again after a pause."""

import logging
import traceback
from dataclasses import dataclass
from datetime import timedelta
from random import SystemRandom

import psycopg

from shared.db.engine import CONNECTION_ERRORS, is_lock_timeout
from shared.errors import HaltError, LeaseLostError, PostponedError, RefusedError, RetryableError
from shared.fleets import RETRY_CAPS
from shared.hot.connection import RedisUnavailableError
from shared.ledger import transitions
from shared.ledger.claims import Backlog, ClaimedJob, LedgerConnection
from shared.ledger.job import job_type
from workers.context import Context, JobCancelledError

log = logging.getLogger(__name__)

RETRY_BASE = timedelta(seconds=0.5)
# What the job needs does not answer: that says nothing about the job, so these count no attempt.
OUTAGES = (RetryableError, RedisUnavailableError, *CONNECTION_ERRORS)
LOCK_RETRY_AFTER = timedelta(seconds=0.2)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a run: `rescheduled`, `duplicate` (another has the job), `unclaimed`, or the job's final state."""

    state: str
    result: object = None
    error: str | None = None


LOST = Outcome("duplicate", error="the lease was lost")
_random = SystemRandom()  # spreads retries; another one would be the same in every process forked after its start


def record_success(
    connection: LedgerConnection, job: ClaimedJob, result: object, backlog: Backlog | None
) -> tuple[Outcome, ClaimedJob | None]:
    """End the job as succeeded, and claim the next of the backlog with it.

    A result that Postgres cannot store, such as text with NUL, makes the job dead.
    """
    try:
        if backlog is None:
            is_ours, following = transitions.finish(connection, job, "succeeded", result=result), None
        else:
            is_ours, following = transitions.finish_and_claim(connection, job, result, backlog)
    except (psycopg.DataError, UnicodeError, TypeError, ValueError, RecursionError) as rejection:
        return finish(connection, job, "dead", f"the result cannot be stored: {rejection}"), None
    return (Outcome("succeeded", result), following) if is_ours else (LOST, None)


def record_failure(connection: LedgerConnection, job: ClaimedJob, context: Context, error: Exception) -> Outcome:
    """End the job, or queue it again, as the kind of its error asks."""
    if is_lock_timeout(error):  # it did nothing, and the relay ends a session that sits on the lock
        error = PostponedError("another session holds a lock that this job needs", LOCK_RETRY_AFTER)
    match error:
        case LeaseLostError():
            return Outcome("duplicate", error=str(error))
        case JobCancelledError():
            return finish(connection, job, "cancelled", transitions.CANCELLED)
        case PostponedError():
            return reschedule(connection, job, error.retry_after, error, is_counted=False)
        case HaltError() | RefusedError():
            if isinstance(error, HaltError):
                context.halt(error)
            log.log(_level_of(error), "%s %s failed: %s", job.name, job.id, describe(error))
            return finish(connection, job, "failed", describe(error))
    return _retry_or_give_up(connection, job, error)


def _level_of(error: Exception) -> int:
    return logging.ERROR if isinstance(error, HaltError) else logging.WARNING


def _retry_or_give_up(connection: LedgerConnection, job: ClaimedJob, error: Exception) -> Outcome:
    is_outage = isinstance(error, OUTAGES)
    if job.attempt >= job.max_attempts and not is_outage:
        log.error("%s %s is dead after %s attempts", job.name, job.id, job.attempt, exc_info=error)
        return finish(connection, job, "dead", _format_traceback(error))
    request = job_type(job.name)
    failing_for = job.failing_for or timedelta(0)
    state = transitions.retry(
        connection,
        job,
        compute_pause(failing_for, base=RETRY_BASE, cap=RETRY_CAPS[job.queue], fraction=_random.random()),
        request.retry_for,
        is_counted=not is_outage,
        given_up="expired" if request.is_repeated or request.is_entry else "dead",
        error=_format_traceback(error),
    )
    if state is None:
        return LOST
    if state != "queued":
        log.warning("%s %s is %s after %s of failures: %s", job.name, job.id, state, failing_for, describe(error))
    return Outcome("rescheduled" if state == "queued" else state, error=describe(error))


def finish(connection: LedgerConnection, job: ClaimedJob, state: str, error: str) -> Outcome:
    """End the job in a state that is no success."""
    return Outcome(state, error=error) if transitions.finish(connection, job, state, error=error) else LOST


def reschedule(
    connection: LedgerConnection, job: ClaimedJob, pause: timedelta, error: Exception, *, is_counted: bool
) -> Outcome:
    """Queue the job again after a pause; the attempt counts or not."""
    message = _format_traceback(error) if is_counted else describe(error)
    is_ours = transitions.reschedule(connection, job, pause, is_counted=is_counted, error=message)
    return Outcome("rescheduled", error=describe(error)) if is_ours else LOST


def compute_pause(failing_for: timedelta, *, base: timedelta, cap: timedelta, fraction: float) -> timedelta:
    """Return the pause after a failure of a job that has failed for a while: exponential with full jitter.

    `fraction` is a random number in [0, 1): the pause is that part of `failing_for`, at least `base` and at most `cap`,
    so that at most the time of all tries doubles with each. Source of the jitter: Marc Brooker, "Exponential Backoff
    And Jitter", AWS Architecture Blog, 2015.
    """
    return min(cap, max(base, failing_for)) * fraction


def describe(error: Exception) -> str:
    """Return an error as one line: its type and message."""
    return f"{type(error).__name__}: {error}"


def _format_traceback(error: Exception) -> str:
    return "".join(traceback.format_exception(error))
