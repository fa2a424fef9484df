"""The SQL of the ledger: how a job's row moves from queued to its end. Time here is Postgres' now().

Spoken to psycopg itself: these statements are on every job's path, and a layer above costs more than the statement.
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
from shared.ledger.envelope import WakeUp

Line = Connection[Any]  # of psycopg


LEASE = timedelta(seconds=10)

# An earlier job of the same order_key that is still to run, or running, goes first.
IS_ITS_TURN = """
    (order_key IS NULL OR NOT EXISTS (
        SELECT 1 FROM job earlier
        WHERE earlier.order_key = job.order_key AND earlier.turn < job.turn
          AND (earlier.state = 'running'
               OR earlier.state = 'queued' AND (earlier.expires_at IS NULL OR earlier.expires_at > now()))))
"""


IS_DUE = "run_at <= now() AND (expires_at IS NULL OR expires_at > now())"
_MAY_BE_BATCHED = f"attempt = 0 AND order_key IS NULL AND {IS_DUE}"
# In the order of ClaimedJob's fields.
_CLAIMED_COLUMNS = """
    job.id, name, queue, arguments, attempt, max_attempts, deadline, expires_at, order_key, turn, fence, worker,
    correlation_id, enqueued_at
"""


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that is ours to run until the lease ends; every later write names the fence."""

    id: UUID
    name: str
    queue: Queue
    arguments: dict[str, Any]
    attempt: int
    max_attempts: int
    deadline: timedelta | None
    expires_at: datetime | None
    order_key: str | None
    turn: UUID
    fence: int
    worker: str
    correlation_id: UUID
    enqueued_at: datetime


# A claim need not reach the disk before the job begins: whatever the job commits takes it along, and one that a crash
# of Postgres undoes is a job that nobody has begun.
_CLAIM = f"""
    WITH lax AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
    UPDATE job SET state = 'running', fence = fence + 1, attempt = attempt + 1, worker = %(worker)s,
           started_at = now(), lease_until = now() + %(lease)s::interval
    FROM lax
    WHERE id = %(id)s AND state = 'queued' AND run_at <= now() AND (expires_at IS NULL OR expires_at > now())
      AND {IS_ITS_TURN}
    RETURNING {_CLAIMED_COLUMNS}
"""  # noqa: S608  # no value enters the text


def claim(connection: Line, job_id: UUID, worker: str) -> ClaimedJob | None:
    """Take the job if it is due and its turn; None means that another has it, or that it is over.

    `connection` commits by itself.
    """
    try:
        return _claimed(connection, _CLAIM, {"id": job_id, "worker": worker, "lease": LEASE})
    except UniqueViolation:  # uq_job_order_key_running: a sibling was claimed at the same moment
        return None


def _claimed(connection: Line, statement: LiteralString, values: dict[str, object]) -> ClaimedJob | None:
    row = connection.execute(statement, values).fetchone()
    return None if row is None else _job(row)


def _job(row: Sequence[Any]) -> ClaimedJob:
    job_id, name, queue, *others = row
    return ClaimedJob(job_id, name, Queue(queue), *others)


# Only first attempts: one that killed its process must not take others along again.
_CLAIM_BATCH = f"""
    WITH lax AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
    taken AS MATERIALIZED (
        SELECT id FROM job WHERE state = 'queued' AND queue = %(queue)s AND name = %(name)s AND {_MAY_BE_BATCHED}
        ORDER BY run_at, id LIMIT %(most)s FOR UPDATE SKIP LOCKED)
    UPDATE job SET state = 'running', fence = fence + 1, attempt = attempt + 1, worker = %(worker)s,
           started_at = now(), lease_until = now() + %(lease)s::interval
    FROM lax, taken WHERE job.id = taken.id
    RETURNING {_CLAIMED_COLUMNS}
"""  # noqa: S608  # no value enters the text


def claim_batch(connection: Line, name: str, queue: Queue, worker: str, most: int) -> list[ClaimedJob]:
    """Take up to `most` due jobs of one name, the oldest first. `connection` commits by itself."""
    values = {"name": name, "queue": queue.value, "worker": worker, "most": most, "lease": LEASE}
    return sorted(map(_job, connection.execute(_CLAIM_BATCH, values)), key=lambda job: job.id)


def hand_over(connection: Line, job: ClaimedJob, result: object, follow_up: NewJob) -> ClaimedJob | None:
    """End `job` as succeeded and insert what its worker runs next, in the caller's transaction.

    None means that it is no longer ours and nothing was written.
    """
    statement, values = follow_up.hand_over(job.fence, result, job.worker, LEASE)
    return _claimed(connection, f"{statement} RETURNING {_CLAIMED_COLUMNS}", values)


_FINISH = """
    UPDATE job SET state = %(state)s, finished_at = now(), lease_until = NULL, result = %(result)s, error = %(error)s
    WHERE id = %(id)s AND fence = %(fence)s AND state = 'running'
"""


def finish(connection: Line, job: ClaimedJob, state: str, *, result: object = None, error: str | None = None) -> bool:
    """End the job as succeeded, failed or dead; False means that it is no longer ours and nothing was written."""
    done = connection.execute(
        _FINISH,
        {
            "id": job.id,
            "fence": job.fence,
            "state": state,
            "result": None if result is None else Jsonb(result),
            "error": _clean(error),
        },
    )
    return done.rowcount == 1


_FINISH_BATCH = """
    UPDATE job SET state = 'succeeded', finished_at = clock_timestamp(), lease_until = NULL, result = done.result
    FROM unnest(%(ids)s::uuid[], %(fences)s::bigint[], %(results)s::jsonb[]) AS done (id, fence, result)
    WHERE job.id = done.id AND job.fence = done.fence AND job.state = 'running'
"""


def finish_batch(connection: Line, results: Sequence[tuple[ClaimedJob, object]]) -> bool:
    """End these jobs as succeeded; False means that some are no longer ours, and the caller must roll back."""
    values = {
        "ids": [job.id for job, _ in results],
        "fences": [job.fence for job, _ in results],
        "results": [None if result is None else Jsonb(result) for _, result in results],
    }
    return connection.execute(_FINISH_BATCH, values).rowcount == len(results)


# One that could start only after it expires ends now, with the reason, instead of waiting for its end.
_PUT_BACK = """
    WITH put_back AS (
    UPDATE job SET state = CASE WHEN expires_at <= now() + %(delay)s::interval THEN 'expired' ELSE 'queued' END,
           finished_at = CASE WHEN expires_at <= now() + %(delay)s::interval THEN now() END,
           run_at = now() + %(delay)s::interval, lease_until = NULL, worker = NULL, published_at = NULL,
           attempt = attempt - %(uncounted)s, error = %(error)s
    WHERE id = %(id)s AND fence = %(fence)s AND state = 'running' RETURNING id)
    SELECT pg_notify('job_due', '') FROM put_back
"""


def put_back(connection: Line, job: ClaimedJob, delay: timedelta, *, is_counted: bool, error: str) -> bool:
    """Queue the job again after `delay`, or end it as expired if that is too late.

    False means that it is no longer ours and nothing was written.
    """
    done = connection.execute(
        _PUT_BACK,
        {"id": job.id, "fence": job.fence, "delay": delay, "uncounted": 0 if is_counted else 1, "error": _clean(error)},
    )
    return done.rowcount == 1


# Where no relay runs, nobody has written down that its time is over.
_SUPERSEDE = """
    UPDATE job SET state = 'cancelled', finished_at = now(), error = %(error)s
    WHERE order_key = %(order_key)s AND name = %(name)s AND state = 'queued' AND id <> %(id)s
"""


def supersede(connection: Line, job: ClaimedJob) -> int:
    """Cancel the queued jobs of the same name and order_key: this one does what they were asked for."""
    values = {"order_key": job.order_key, "name": job.name, "id": job.id, "error": f"done by job {job.id}"}
    return connection.execute(_SUPERSEDE, values).rowcount


_HOLD_QUEUED = """
    SELECT id FROM job WHERE order_key = %(order_key)s AND name = %(name)s AND state = 'queued'
    LIMIT 1 FOR UPDATE SKIP LOCKED
"""


def hold_queued(connection: Line, name: str, order_key: str) -> UUID | None:
    """Return a queued job of this name and order_key, held until the transaction ends; None when there is none.

    Nobody can claim it before, so it will see what the transaction writes.
    """
    row = connection.execute(_HOLD_QUEUED, {"name": name, "order_key": order_key}).fetchone()
    return None if row is None else row[0]


_STATE_OF = """
    SELECT CASE WHEN state = 'queued' AND expires_at <= now() THEN 'expired' ELSE state END, run_at
    FROM job WHERE id = %(id)s
"""


def state_of(connection: Line, job_id: UUID) -> tuple[str, datetime] | None:
    """Return a job's state and when it may run; None when there is no such job."""
    row = connection.execute(_STATE_OF, {"id": job_id}).fetchone()
    return None if row is None else (row[0], row[1])


_LEASE_LEFT = """
    SELECT lease_until - clock_timestamp() FROM job WHERE id = %(id)s AND fence = %(fence)s AND state = 'running'
"""


def lease_left(connection: Line, job: ClaimedJob) -> timedelta:
    """Return for how long the job is still surely ours; zero or less when it is not."""
    row = connection.execute(_LEASE_LEFT, {"id": job.id, "fence": job.fence}).fetchone()
    left: timedelta = row[0] if row else timedelta(0)
    return left


_RENEW = (
    "UPDATE job SET lease_until = now() + %(lease)s::interval WHERE state = 'running' AND worker = ANY(%(workers)s)"
)


def renew(connection: Line, workers: Sequence[str]) -> int:
    """Extend the leases of everything these workers run; return how many."""
    return connection.execute(_RENEW, {"lease": LEASE, "workers": list(workers)}).rowcount


_WORKERS_OF = "SELECT DISTINCT worker FROM job WHERE state = 'running' AND starts_with(worker, %(node)s)"


def workers_of(connection: Line, node: str) -> list[str]:
    """Return the processes of a node that jobs are claimed by. `node` is <fleet>@<host>.<pid>."""
    return [worker for (worker,) in connection.execute(_WORKERS_OF, {"node": f"{node}/"})]


# An attempt that died with its process is counted: a job that kills its worker must not do so for ever.
_GIVE_BACK = """
    UPDATE job SET state = CASE WHEN attempt >= max_attempts THEN 'dead' ELSE 'queued' END,
           finished_at = CASE WHEN attempt >= max_attempts THEN now() END,
           run_at = now(), lease_until = NULL, worker = NULL, published_at = NULL, error = %(error)s
    WHERE state = 'running' AND worker = %(worker)s
"""


def give_back(connection: Line, worker: str, error: str) -> int:
    """Requeue what a lost worker process ran, or end it as dead when its attempts are spent."""
    return connection.execute(_GIVE_BACK, {"worker": worker, "error": _clean(error)}).rowcount


_HAND_BACK = """
    UPDATE job SET state = 'queued', run_at = now(), lease_until = NULL, worker = NULL, published_at = NULL,
           attempt = attempt - 1, error = 'handed back at shutdown'
    WHERE state = 'running' AND starts_with(worker, %(node)s)
"""


def hand_back(connection: Line, node: str) -> int:
    """Requeue, uncounted, what a stopped node's processes ran; they must be gone. `node` is <fleet>@<host>.<pid>."""
    return connection.execute(_HAND_BACK, {"node": f"{node}/"}).rowcount


_TAKE_BACK = """
    UPDATE job SET state = CASE WHEN attempt >= max_attempts THEN 'dead' ELSE 'queued' END,
           finished_at = CASE WHEN attempt >= max_attempts THEN now() END,
           run_at = now(), lease_until = NULL, published_at = NULL,
           error = 'lease ended: worker ' || coalesce(worker, '?') || ' went silent'
    WHERE id IN (SELECT id FROM job WHERE state = 'running' AND lease_until < now() LIMIT 500 FOR UPDATE SKIP LOCKED)
"""


def take_back_expired_leases(connection: Line) -> int:
    """Requeue what silent workers ran, or end it as dead; return how many."""
    return connection.execute(_TAKE_BACK).rowcount


_EXPIRE = """
    UPDATE job SET state = 'expired', finished_at = now(),
           error = concat_ws('; before that: ', 'not started before it expired', error)
    WHERE id IN (SELECT id FROM job WHERE state = 'queued' AND expires_at <= now() LIMIT 500 FOR UPDATE SKIP LOCKED)
"""


def expire(connection: Line) -> int:
    """End the queued jobs that nobody may start any more; return how many."""
    return connection.execute(_EXPIRE).rowcount


_GROWN = f"""
    SELECT name, count(*) FROM (
        SELECT * FROM job WHERE state = 'queued' AND queue = %(queue)s AND run_at <= now()
        ORDER BY run_at, id LIMIT %(most)s) AS head
    WHERE name = ANY(%(names)s) AND {_MAY_BE_BATCHED}
    GROUP BY name
"""  # noqa: S608  # no value enters the text


def grown(connection: Line, queue: Queue, names: Sequence[str], most: int) -> dict[str, int]:
    """Return how many jobs of each name wait at the head of the queue and may run in batches; `most` are looked at."""
    return dict(connection.execute(_GROWN, {"queue": queue.value, "names": list(names), "most": most}).fetchall())


_DUE = f"""
    WITH found AS MATERIALIZED (
        SELECT id, published_at IS NOT NULL AS is_again FROM job
        WHERE state = 'queued' AND queue = %(queue)s AND run_at <= now() AND (expires_at IS NULL OR expires_at > now())
          AND (published_at IS NULL OR published_at < run_at OR published_at < now() - interval '1 second')
          AND NOT (name = ANY(%(batched)s) AND {_MAY_BE_BATCHED})
          AND {IS_ITS_TURN}
        ORDER BY run_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
    UPDATE job SET published_at = now() FROM found WHERE job.id = found.id
    RETURNING job.id, name, queue, deadline, is_again
"""  # noqa: S608  # no value enters the text


def due(connection: Line, queue: Queue, limit: int, batched: Sequence[str] = ()) -> tuple[list[WakeUp], int]:
    """Return wake-ups for up to `limit` due jobs that nobody claimed for a second, and how many were published before.

    They are noted as published. Jobs called as in `batched` are left out when they may run in batches.
    """
    values = {"queue": queue.value, "limit": limit, "batched": list(batched)}
    found = connection.execute(_DUE, values).fetchall()
    return [_wake_up(row[:4]) for row in found], sum(row[4] for row in found)


# Queue by queue, as the index is ordered: a backlog that is due must not be read through.
_NEXT_DUE_IN = """
    SELECT min(next.run_at) - clock_timestamp()
    FROM unnest(%(queues)s::text[]) AS one (queue),
    LATERAL (SELECT run_at FROM job WHERE state = 'queued' AND queue = one.queue AND run_at > now()
             ORDER BY run_at LIMIT 1) AS next
"""


def next_due_in(connection: Line) -> timedelta | None:
    """Return how long until a queued job that is not yet due becomes so, or None."""
    row = connection.execute(_NEXT_DUE_IN, {"queues": [queue.value for queue in Queue]}).fetchone()
    wait: timedelta | None = row[0] if row else None
    return wait


_NEXT_OF_KEY = """
    SELECT id, name, queue, deadline FROM job
    WHERE order_key = %(order_key)s AND state = 'queued' AND run_at <= now()
      AND (expires_at IS NULL OR expires_at > now())
    ORDER BY turn LIMIT 1
"""


def next_of_key(connection: Line, order_key: str) -> WakeUp | None:
    """Return a wake-up for the job that an ended one of the same order_key kept waiting, if it is due."""
    row = connection.execute(_NEXT_OF_KEY, {"order_key": order_key}).fetchone()
    return None if row is None else _wake_up(row)


def _wake_up(row: Sequence[Any]) -> WakeUp:
    job_id, name, queue, deadline = row
    return WakeUp(job_id, name, Queue(queue), deadline)


def _clean(message: str | None) -> str | None:
    return None if message is None else message.replace("\x00", "\\0")[:20_000]
