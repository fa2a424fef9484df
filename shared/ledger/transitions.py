"""The SQL that ends or reschedules a running job; each statement names the claim, so a lost lease changes nothing.

A job that a person asked to cancel while it ran is not queued again. Time is Postgres' now(). The statements use
psycopg directly, as those of claims do.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from shared.fleets import LEASE
from shared.ledger.claims import (
    CLAIMED,
    CLAIMED_COLUMNS,
    NEXT_DUE,
    ORDER_AND_LOCK,
    Backlog,
    ClaimedJob,
    LedgerConnection,
    claim_values,
    to_claimed_job,
)

CANCELLED = "cancelled by a person while it ran"


FINISH: LiteralString = """
    UPDATE job SET state = %(state)s, finished_at = now(), lease_until = NULL, result = %(result)s, error = %(error)s
    WHERE id = %(id)s AND claim_id = %(claim)s AND state = 'running'
"""


def finish(
    connection: LedgerConnection, job: ClaimedJob, state: str, *, result: object = None, error: str | None = None
) -> bool:
    """End the job as succeeded, failed, dead or cancelled; False means that the lease was lost, and nothing changes."""
    return connection.execute(FINISH, values_of_end(job, state, result, error)).rowcount == 1


# In the snapshot of the other parts the finished job still runs, so they leave it out by its id. `next` reads `done`,
# so the job has ended before another of its sequence_key begins.
_FINISH_AND_CLAIM: LiteralString = f"""
    WITH done AS ({FINISH} RETURNING id),
    next AS MATERIALIZED (
        {NEXT_DUE.replace("other.id <> job.id", "other.id <> %(id)s")}
        AND (SELECT count(*) FROM done) = 1 {ORDER_AND_LOCK}),
    claimed AS (UPDATE job SET {CLAIMED} FROM next WHERE job.id = next.id RETURNING {CLAIMED_COLUMNS})
    SELECT (SELECT count(*) FROM done), claimed.* FROM (VALUES (1)) AS one LEFT JOIN claimed ON true
"""  # noqa: S608  # no value enters the text


def finish_and_claim(
    connection: LedgerConnection, job: ClaimedJob, result: object, backlog: Backlog
) -> tuple[bool, ClaimedJob | None]:
    """End the job as succeeded and claim the next of the backlog, in one commit.

    False means that the lease was lost, and nothing changes. `connection` is in autocommit mode.
    """
    values = values_of_end(job, "succeeded", result, None) | claim_values(job.worker) | backlog.values()
    try:
        row = connection.execute(_FINISH_AND_CLAIM, values).fetchone()
    except UniqueViolation:  # a sibling of the next job was claimed at the same moment
        return finish(connection, job, "succeeded", result=result), None
    if row is None or row[0] == 0:
        return False, None
    return True, None if row[1] is None else to_claimed_job(row[1:])


def values_of_end(job: ClaimedJob, state: str, result: object, error: str | None) -> dict[str, object]:
    """Return the values of FINISH."""
    return {
        "id": job.id,
        "claim": job.claim_id,
        "state": state,
        "result": None if result is None else Jsonb(result),
        "error": clean_error(error),
    }


_FINISH_BATCH = """
    UPDATE job SET state = 'succeeded', finished_at = clock_timestamp(), lease_until = NULL, result = done.result
    FROM unnest(%(ids)s::uuid[], %(claims)s::uuid[], %(results)s::jsonb[]) AS done (id, claim_id, result)
    WHERE job.id = done.id AND job.claim_id = done.claim_id AND job.state = 'running'
"""


def finish_batch(connection: LedgerConnection, results: Sequence[tuple[ClaimedJob, object]]) -> bool:
    """End these jobs as succeeded; False means that the lease of some was lost, and the caller must roll back."""
    values = {
        "ids": [job.id for job, _ in results],
        "claims": [job.claim_id for job, _ in results],
        "results": [None if result is None else Jsonb(result) for _, result in results],
    }
    return connection.execute(_FINISH_BATCH, values).rowcount == len(results)


# A job that could start only after its expiry ends now, with the error, instead of waiting to expire.
_RESCHEDULE = """
    WITH reschedule AS (
    UPDATE job SET state = CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled'
                                WHEN expires_at <= now() + %(delay)s::interval THEN 'expired' ELSE 'queued' END,
           finished_at = CASE WHEN cancel_requested_at IS NOT NULL OR expires_at <= now() + %(delay)s::interval
                              THEN now() END,
           run_at = now() + %(delay)s::interval, lease_until = NULL, worker_id = NULL, process_id = NULL,
           published_at = NULL, failing_since = NULL, attempt = attempt - %(uncounted)s, error = %(error)s
    WHERE id = %(id)s AND claim_id = %(claim)s AND state = 'running' RETURNING id)
    SELECT pg_notify('job_due', '') FROM reschedule
"""


def reschedule(
    connection: LedgerConnection, job: ClaimedJob, delay: timedelta, *, is_counted: bool, error: str
) -> bool:
    """Queue the job again to run after `delay`, or end it as expired if that is too late.

    False means that the lease was lost and nothing was written.
    """
    done = connection.execute(
        _RESCHEDULE,
        {
            "id": job.id,
            "claim": job.claim_id,
            "delay": delay,
            "uncounted": 0 if is_counted else 1,
            "error": clean_error(error),
        },
    )
    return done.rowcount == 1


_ENDED: LiteralString = "now() + interval '1 second'"  # what lasts no longer than that has ended
# The last tries come closer together, so that one falls within the end of the purpose, not up to a pause before it.
_RETRY: LiteralString = f"""
    WITH plan AS MATERIALIZED (
        SELECT id, CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled' WHEN expires_at <= {_ENDED} THEN 'expired'
                        WHEN coalesce(failing_since, now()) + %(retry_for)s::interval <= {_ENDED} THEN %(given_up)s
                        ELSE 'queued' END AS state,
               least(%(pause)s::interval,
                     (least(expires_at, coalesce(failing_since, now()) + %(retry_for)s::interval) - now()) / 2) AS pause
        FROM job WHERE id = %(id)s AND claim_id = %(claim)s AND job.state = 'running' FOR UPDATE)
    UPDATE job SET state = plan.state, finished_at = CASE WHEN plan.state <> 'queued' THEN now() END,
           run_at = now() + plan.pause, failing_since = coalesce(failing_since, now()), lease_until = NULL,
           worker_id = NULL, process_id = NULL, published_at = NULL, error = %(error)s,
           attempt = attempt - CASE WHEN plan.state = 'queued' THEN %(uncounted)s ELSE 0 END
    FROM plan WHERE job.id = plan.id
    RETURNING job.state, pg_notify('job_due', '')
"""  # noqa: S608  # no value enters the text


def retry(
    connection: LedgerConnection,
    job: ClaimedJob,
    pause: timedelta,
    retry_for: timedelta,
    *,
    is_counted: bool,
    given_up: str,
    error: str,
) -> str | None:
    """Queue a job that failed again to run after `pause`, or end it once it has expired or failed for `retry_for`.

    Return its state, after `retry_for` `given_up`; None means that the lease was lost and nothing was written.
    """
    values = {
        "id": job.id,
        "claim": job.claim_id,
        "pause": pause,
        "retry_for": retry_for,
        "uncounted": 0 if is_counted else 1,
        "given_up": given_up,
        "error": clean_error(error),
    }
    row = connection.execute(_RETRY, values).fetchone()
    return None if row is None else row[0]


DONE_BY = "done by job"
_SUPERSEDE = """
    UPDATE job SET state = 'cancelled', finished_at = now(), error = %(error)s
    WHERE sequence_key = %(sequence_key)s AND name = %(name)s AND state = 'queued' AND id <> %(id)s
"""


def supersede(connection: LedgerConnection, job: ClaimedJob) -> int:
    """Cancel the queued jobs of the same name and sequence_key, whose work this job does; return how many."""
    values = {"sequence_key": job.sequence_key, "name": job.name, "id": job.id, "error": f"{DONE_BY} {job.id}"}
    return connection.execute(_SUPERSEDE, values).rowcount


# A row that another session has locked, such as one that is being claimed, is left.
_SUPERSEDE_SLOTS = """
    UPDATE job SET state = 'cancelled', finished_at = now(),
           error = concat_ws('; before that: ', 'superseded by job ' || %(by)s, error)
    WHERE id IN (SELECT id FROM job WHERE schedule = %(schedule)s AND state = 'queued' AND id <> %(by)s
                 FOR UPDATE SKIP LOCKED)
"""


def supersede_slots(connection: LedgerConnection, schedule: str, by: UUID) -> int:
    """Cancel what is still queued of the earlier slots of a schedule's entry, whose work `by` does; return how many."""
    return connection.execute(_SUPERSEDE_SLOTS, {"schedule": schedule, "by": by}).rowcount


_LOCK_QUEUED = """
    SELECT id FROM job WHERE sequence_key = %(sequence_key)s AND name = %(name)s AND state = 'queued'
    LIMIT 1 FOR UPDATE SKIP LOCKED
"""


def lock_queued(connection: LedgerConnection, name: str, sequence_key: str) -> UUID | None:
    """Return a queued job of this name and sequence_key, locked until the transaction ends; None if there is none.

    No worker can claim it before then, so its run sees what the transaction writes.
    """
    row = connection.execute(_LOCK_QUEUED, {"name": name, "sequence_key": sequence_key}).fetchone()
    return None if row is None else row[0]


# Until a relay ends it, a job past its expiry is still queued in its row.
_STATE_OF = """
    SELECT CASE WHEN state = 'queued' AND expires_at <= now() THEN 'expired' ELSE state END, run_at
    FROM job WHERE id = %(id)s
"""


def read_state(connection: LedgerConnection, job_id: UUID) -> tuple[str, datetime] | None:
    """Return a job's state and the time from which it may run; None if there is no such job."""
    row = connection.execute(_STATE_OF, {"id": job_id}).fetchone()
    return None if row is None else (row[0], row[1])


_END_OF = "SELECT state, result, error FROM job WHERE id = %(id)s AND finished_at IS NOT NULL"


def read_end(connection: LedgerConnection, job_id: UUID) -> tuple[str, object, str | None] | None:
    """Return state, result and error of a job that has ended; None if it has not."""
    row = connection.execute(_END_OF, {"id": job_id}).fetchone()
    return None if row is None else (row[0], row[1], row[2])


_LEASE_LEFT = "SELECT lease_left(%(id)s, %(claim)s, %(lease)s)"


def lease_left(connection: LedgerConnection, job: ClaimedJob) -> timedelta:
    """Return the time left of the job's lease; zero or less if it has ended or was lost."""
    row = connection.execute(_LEASE_LEFT, {"id": job.id, "claim": job.claim_id, "lease": LEASE}).fetchone()
    left: timedelta | None = row[0] if row else None
    return left or timedelta(0)


def clean_error(message: str | None) -> str | None:
    """Return an error message that Postgres can store: NUL and lone surrogates are escaped, the length is limited."""
    if message is None:
        return None
    return message.replace("\x00", "\\0").encode("utf-8", "backslashreplace").decode()[:20_000]


_IS_CANCELLED = """
    SELECT 1 FROM job WHERE id = %(id)s AND claim_id = %(claim)s AND cancel_requested_at IS NOT NULL
"""


def is_cancelled(connection: LedgerConnection, job: ClaimedJob) -> bool:
    """Whether a person asked to cancel this running job."""
    return connection.execute(_IS_CANCELLED, {"id": job.id, "claim": job.claim_id}).fetchone() is not None
