"""The SQL of claims: one UPDATE of a queued row, so of many workers one wins it.

A claim writes a lease and a random `claim_id`, the fencing token. Time is Postgres' now(). The statements use psycopg
directly: they are on every job's path, and a layer above costs more than the statement.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID, uuid4

from psycopg import Connection
from psycopg.errors import UniqueViolation

from shared.fleets import LEASE, Queue
from shared.ledger.worker import WorkerProcess

LedgerConnection = Connection[Any]  # of psycopg

# Of one sequence_key no other job runs, perhaps a later one that was committed first, and no earlier one is queued.
IS_NEXT_IN_SEQUENCE = """
    (sequence_key IS NULL
     OR NOT EXISTS (SELECT 1 FROM job other
                    WHERE other.sequence_key = job.sequence_key AND other.state = 'running' AND other.id <> job.id)
        AND NOT EXISTS (SELECT 1 FROM job earlier
                        WHERE earlier.sequence_key = job.sequence_key AND earlier.sequence_id < job.sequence_id
                          AND earlier.state = 'queued' AND (earlier.expires_at IS NULL OR earlier.expires_at > now())))
"""
IS_DUE = "run_at <= now() AND (expires_at IS NULL OR expires_at > now())"
MAY_BE_BATCHED = f"attempt = 0 AND sequence_key IS NULL AND {IS_DUE}"

CLAIMED: LiteralString = """
    state = 'running', attempt = attempt + 1, claim_id = %(claim_id)s, worker_id = %(worker_id)s,
    process_id = %(process_id)s, started_at = now(), lease_until = now() + %(lease)s::interval
"""
# In the order of ClaimedJob's fields.
CLAIMED_COLUMNS: LiteralString = """
    job.id, name, queue, arguments, attempt, max_attempts, deadline, expires_at, sequence_key, sequence_id, claim_id,
    worker_id, process_id, correlation_id, enqueued_at, schedule, now() - failing_since AS failing_for
"""
# A claim need not reach the disk before the job begins: the job's first commit flushes it too. If a crash of Postgres
# undoes the claim, the job has committed nothing, and its claim_id is never given out again.
_LAX: LiteralString = "lax AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))"


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that its worker may run until the lease ends; `claim_id` is the fencing token."""

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
    claim_id: UUID
    worker: WorkerProcess
    correlation_id: UUID
    enqueued_at: datetime
    schedule: str | None = None
    failing_for: timedelta | None = None  # since the first failure that asked for a retry


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a slot may claim next, once its job has ended: jobs with these names of one queue.

    It claims none while one of the `higher` queues of its fleet holds due jobs.
    """

    queue: Queue
    names: tuple[str, ...]
    higher: tuple[Queue, ...] = ()

    def values(self) -> dict[str, object]:
        """Return the values of NEXT_DUE; the names are sent as one text, as a list costs psycopg ten times more."""
        return {
            "queue": self.queue.value,
            "names": f"{{{','.join(self.names)}}}",
            "higher": f"{{{','.join(self.higher)}}}",
        }


def claim_values(worker: WorkerProcess) -> dict[str, object]:
    """Return the values of CLAIMED, with a new claim_id."""
    return {
        "claim_id": uuid4(),
        "worker_id": worker.worker_id,
        "process_id": worker.process_id,
        "lease": LEASE,
    }


_CLAIM: LiteralString = f"""
    WITH {_LAX}
    UPDATE job SET {CLAIMED} FROM lax
    WHERE id = %(id)s AND state = 'queued' AND {IS_DUE} AND {IS_NEXT_IN_SEQUENCE}
    RETURNING {CLAIMED_COLUMNS}
"""  # noqa: S608  # no value enters the text


def claim(connection: LedgerConnection, job_id: UUID, worker: WorkerProcess) -> ClaimedJob | None:
    """Claim the job if it is due and the next of its sequence; None if not, or if it is claimed already or has ended.

    `connection` is in autocommit mode.
    """
    try:
        return fetch_claim(connection, _CLAIM, claim_values(worker) | {"id": job_id})
    except UniqueViolation:  # uq_job_sequence_key_running: a sibling was claimed at the same moment
        return None


NEXT_DUE: LiteralString = f"""
    SELECT id FROM job
    WHERE state = 'queued' AND queue = %(queue)s AND name = ANY(%(names)s::text[])
      AND {IS_DUE} AND {IS_NEXT_IN_SEQUENCE}
      AND NOT EXISTS (SELECT 1 FROM job above
                      WHERE above.state = 'queued' AND above.queue = ANY(%(higher)s::text[]) AND above.run_at <= now())
"""  # noqa: S608  # no value enters the text
ORDER_AND_LOCK: LiteralString = "ORDER BY run_at, id LIMIT 1 FOR UPDATE OF job SKIP LOCKED"
_CLAIM_NEXT: LiteralString = f"""
    WITH {_LAX}, next AS MATERIALIZED ({NEXT_DUE} {ORDER_AND_LOCK})
    UPDATE job SET {CLAIMED} FROM lax, next WHERE job.id = next.id
    RETURNING {CLAIMED_COLUMNS}
"""  # noqa: S608  # as above


def claim_next(connection: LedgerConnection, backlog: Backlog, worker: WorkerProcess) -> ClaimedJob | None:
    """Claim the oldest due job of the backlog; None if there is none. `connection` is in autocommit mode."""
    try:
        return fetch_claim(connection, _CLAIM_NEXT, claim_values(worker) | backlog.values())
    except UniqueViolation:  # as in claim
        return None


# Only first attempts: a job that killed its process must not do so again in a batch with others.
_CLAIM_BATCH: LiteralString = f"""
    WITH {_LAX}, taken AS MATERIALIZED (
        SELECT id FROM job WHERE state = 'queued' AND queue = %(queue)s AND name = %(name)s AND {MAY_BE_BATCHED}
        ORDER BY run_at, id LIMIT %(most)s FOR UPDATE SKIP LOCKED)
    UPDATE job SET {CLAIMED} FROM lax, taken WHERE job.id = taken.id
    RETURNING {CLAIMED_COLUMNS}
"""  # noqa: S608  # as above


def claim_batch(
    connection: LedgerConnection, name: str, queue: Queue, worker: WorkerProcess, most: int
) -> list[ClaimedJob]:
    """Claim up to `most` due jobs of one name, oldest first. `connection` is in autocommit mode."""
    values = claim_values(worker) | {"name": name, "queue": queue.value, "most": most}
    return sorted(map(to_claimed_job, connection.execute(_CLAIM_BATCH, values)), key=lambda job: job.id)


def fetch_claim(connection: LedgerConnection, statement: LiteralString, values: dict[str, object]) -> ClaimedJob | None:
    """Return the job that a statement claimed and returned with CLAIMED_COLUMNS, or None."""
    row = connection.execute(statement, values).fetchone()
    return None if row is None else to_claimed_job(row)


def to_claimed_job(row: Sequence[Any]) -> ClaimedJob:
    """Return the job of a row with CLAIMED_COLUMNS."""
    job_id, name, queue, *others = row[:11]
    values: list[Any] = [*others, WorkerProcess(row[11], row[12]), *row[13:]]
    return ClaimedJob(job_id, name, Queue(queue), *values)
