"""The SQL that moves a job from queued to its end: idempotent claims, leases and fencing tokens.

A claim is one UPDATE of a queued row, so of many workers one wins it. It sets a lease and raises `fence`, the fencing
token. A statement that ends or reschedules a job must carry it, so a worker that lost its lease changes nothing. Time
is Postgres' now().

The statements use psycopg directly: they are on every job's path, and a layer above costs more than the statement.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

from psycopg import Connection
from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from shared.fleets import Queue
from shared.ledger.enqueue import NewJob

LedgerConnection = Connection[Any]  # of psycopg


LEASE = timedelta(seconds=10)

# An earlier job of the same sequence_key that is queued or running goes first.
IS_NEXT_IN_SEQUENCE = """
    (sequence_key IS NULL OR NOT EXISTS (
        SELECT 1 FROM job earlier
        WHERE earlier.sequence_key = job.sequence_key AND earlier.sequence_id < job.sequence_id
          AND (earlier.state = 'running'
               OR earlier.state = 'queued' AND (earlier.expires_at IS NULL OR earlier.expires_at > now()))))
"""


IS_DUE = "run_at <= now() AND (expires_at IS NULL OR expires_at > now())"
MAY_BE_BATCHED = f"attempt = 0 AND sequence_key IS NULL AND {IS_DUE}"
# In the order of ClaimedJob's fields.
_CLAIMED_COLUMNS = """
    job.id, name, queue, arguments, attempt, max_attempts, deadline, expires_at, sequence_key, sequence_id, fence,
    worker, correlation_id, enqueued_at
"""


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that its worker may run until the lease ends; `fence` is the fencing token."""

    id: UUID
    name: str
    queue: Queue
    arguments: dict[str, Any]
    attempt: int
    max_attempts: int
    deadline: timedelta | None
    expires_at: datetime | None
    sequence_key: str | None
    sequence_id: UUID
    fence: int
    worker: str
    correlation_id: UUID
    enqueued_at: datetime


# A claim need not reach the disk before the job begins: the job's first commit flushes it too. If a crash of Postgres
# undoes the claim, the job has committed nothing.
_CLAIM = f"""
    WITH lax AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
    UPDATE job SET state = 'running', fence = fence + 1, attempt = attempt + 1, worker = %(worker)s,
           started_at = now(), lease_until = now() + %(lease)s::interval
    FROM lax
    WHERE id = %(id)s AND state = 'queued' AND run_at <= now() AND (expires_at IS NULL OR expires_at > now())
      AND {IS_NEXT_IN_SEQUENCE}
    RETURNING {_CLAIMED_COLUMNS}
"""  # noqa: S608  # no value enters the text


def claim(connection: LedgerConnection, job_id: UUID, worker: str) -> ClaimedJob | None:
    """Claim the job if it is due and the next of its sequence; None if not, or if it is claimed already or has ended.

    `connection` is in autocommit mode.
    """
    try:
        return _fetch_claim(connection, _CLAIM, {"id": job_id, "worker": worker, "lease": LEASE})
    except UniqueViolation:  # uq_job_sequence_key_running: a sibling was claimed at the same moment
        return None


def _fetch_claim(
    connection: LedgerConnection, statement: LiteralString, values: dict[str, object]
) -> ClaimedJob | None:
    row = connection.execute(statement, values).fetchone()
    return None if row is None else _to_claimed_job(row)


def _to_claimed_job(row: Sequence[Any]) -> ClaimedJob:
    job_id, name, queue, *others = row
    return ClaimedJob(job_id, name, Queue(queue), *others)


# Only first attempts: a job that killed its process must not do so again in a batch with others.
_CLAIM_BATCH = f"""
    WITH lax AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
    taken AS MATERIALIZED (
        SELECT id FROM job WHERE state = 'queued' AND queue = %(queue)s AND name = %(name)s AND {MAY_BE_BATCHED}
        ORDER BY run_at, id LIMIT %(most)s FOR UPDATE SKIP LOCKED)
    UPDATE job SET state = 'running', fence = fence + 1, attempt = attempt + 1, worker = %(worker)s,
           started_at = now(), lease_until = now() + %(lease)s::interval
    FROM lax, taken WHERE job.id = taken.id
    RETURNING {_CLAIMED_COLUMNS}
"""  # noqa: S608  # no value enters the text


def claim_batch(connection: LedgerConnection, name: str, queue: Queue, worker: str, most: int) -> list[ClaimedJob]:
    """Claim up to `most` due jobs of one name, oldest first. `connection` is in autocommit mode."""
    values = {"name": name, "queue": queue.value, "worker": worker, "most": most, "lease": LEASE}
    return sorted(map(_to_claimed_job, connection.execute(_CLAIM_BATCH, values)), key=lambda job: job.id)


def continue_with(
    connection: LedgerConnection, job: ClaimedJob, result: object, follow_up: NewJob
) -> ClaimedJob | None:
    """End `job` as succeeded and insert the job that its worker runs next, in the caller's transaction.

    None means that the lease was lost and nothing was written.
    """
    statement, values = follow_up.continue_with(job.fence, result, job.worker, LEASE)
    return _fetch_claim(connection, f"{statement} RETURNING {_CLAIMED_COLUMNS}", values)


_FINISH = """
    UPDATE job SET state = %(state)s, finished_at = now(), lease_until = NULL, result = %(result)s, error = %(error)s
    WHERE id = %(id)s AND fence = %(fence)s AND state = 'running'
"""


def finish(
    connection: LedgerConnection, job: ClaimedJob, state: str, *, result: object = None, error: str | None = None
) -> bool:
    """End the job as succeeded, failed or dead; False means that the lease was lost and nothing was written."""
    done = connection.execute(
        _FINISH,
        {
            "id": job.id,
            "fence": job.fence,
            "state": state,
            "result": None if result is None else Jsonb(result),
            "error": clean_error(error),
        },
    )
    return done.rowcount == 1


_FINISH_BATCH = """
    UPDATE job SET state = 'succeeded', finished_at = clock_timestamp(), lease_until = NULL, result = done.result
    FROM unnest(%(ids)s::uuid[], %(fences)s::bigint[], %(results)s::jsonb[]) AS done (id, fence, result)
    WHERE job.id = done.id AND job.fence = done.fence AND job.state = 'running'
"""


def finish_batch(connection: LedgerConnection, results: Sequence[tuple[ClaimedJob, object]]) -> bool:
    """End these jobs as succeeded; False means that the lease of some was lost, and the caller must roll back."""
    values = {
        "ids": [job.id for job, _ in results],
        "fences": [job.fence for job, _ in results],
        "results": [None if result is None else Jsonb(result) for _, result in results],
    }
    return connection.execute(_FINISH_BATCH, values).rowcount == len(results)


# A job that could start only after its expiry ends now, with the error, instead of waiting to expire.
_RESCHEDULE = """
    WITH reschedule AS (
    UPDATE job SET state = CASE WHEN expires_at <= now() + %(delay)s::interval THEN 'expired' ELSE 'queued' END,
           finished_at = CASE WHEN expires_at <= now() + %(delay)s::interval THEN now() END,
           run_at = now() + %(delay)s::interval, lease_until = NULL, worker = NULL, published_at = NULL,
           attempt = attempt - %(uncounted)s, error = %(error)s
    WHERE id = %(id)s AND fence = %(fence)s AND state = 'running' RETURNING id)
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
            "fence": job.fence,
            "delay": delay,
            "uncounted": 0 if is_counted else 1,
            "error": clean_error(error),
        },
    )
    return done.rowcount == 1


DONE_BY = "done by job"
_SUPERSEDE = """
    UPDATE job SET state = 'cancelled', finished_at = now(), error = %(error)s
    WHERE sequence_key = %(sequence_key)s AND name = %(name)s AND state = 'queued' AND id <> %(id)s
"""


def supersede(connection: LedgerConnection, job: ClaimedJob) -> int:
    """Cancel the queued jobs of the same name and sequence_key, whose work this job does; return how many."""
    values = {"sequence_key": job.sequence_key, "name": job.name, "id": job.id, "error": f"{DONE_BY} {job.id}"}
    return connection.execute(_SUPERSEDE, values).rowcount


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


_LEASE_LEFT = """
    SELECT lease_until - clock_timestamp() FROM job WHERE id = %(id)s AND fence = %(fence)s AND state = 'running'
"""


def lease_left(connection: LedgerConnection, job: ClaimedJob) -> timedelta:
    """Return the time left of the job's lease; zero or less if it has ended or was lost."""
    row = connection.execute(_LEASE_LEFT, {"id": job.id, "fence": job.fence}).fetchone()
    left: timedelta = row[0] if row else timedelta(0)
    return left


def clean_error(message: str | None) -> str | None:
    """Return an error message that Postgres can store: NUL is escaped and the length limited."""
    return None if message is None else message.replace("\x00", "\\0")[:20_000]
