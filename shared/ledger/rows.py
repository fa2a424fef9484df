"""The SQL of the ledger: how a job's row moves from queued to its end. Time here is Postgres' now()."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError

from shared.fleets import Queue
from shared.ledger.envelope import WakeUp

LEASE = timedelta(seconds=10)

# An earlier job of the same order_key that is still to run, or running, goes first.
_IS_ITS_TURN = """
    (order_key IS NULL OR NOT EXISTS (
        SELECT 1 FROM job earlier
        WHERE earlier.order_key = job.order_key AND earlier.turn < job.turn
          AND (earlier.state = 'running'
               OR earlier.state = 'queued' AND (earlier.expires_at IS NULL OR earlier.expires_at > now()))))
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


_CLAIM = text(f"""
    UPDATE job SET state = 'running', fence = fence + 1, attempt = attempt + 1, worker = :worker,
           started_at = now(), lease_until = now() + :lease
    WHERE id = :id AND state = 'queued' AND run_at <= now() AND (expires_at IS NULL OR expires_at > now())
      AND {_IS_ITS_TURN}
    RETURNING id, name, queue, arguments, attempt, max_attempts, deadline, expires_at, order_key, turn, fence, worker,
              correlation_id, enqueued_at
""")  # noqa: S608  # no value enters the text


def claim(connection: Connection, job_id: UUID, worker: str) -> ClaimedJob | None:
    """Take the job if it is due and its turn; None means that another has it, or that it is over."""
    try:
        with connection.begin_nested():
            row = connection.execute(_CLAIM, {"id": job_id, "worker": worker, "lease": LEASE}).mappings().one_or_none()
    except IntegrityError:  # uq_job_order_key_running: a sibling was claimed at the same moment
        return None
    return None if row is None else ClaimedJob(**{**row, "queue": Queue(row["queue"])})


_CLAIM_FOLLOW_UP = text("""
    UPDATE job SET state = 'running', fence = 1, attempt = 1, worker = :worker, started_at = now(),
           lease_until = now() + :lease
    WHERE id = :id
    RETURNING id, name, queue, arguments, attempt, max_attempts, deadline, expires_at, order_key, turn, fence, worker,
              correlation_id, enqueued_at
""")


def claim_follow_up(connection: Connection, job_id: UUID, worker: str) -> ClaimedJob:
    """Take a job that this very transaction inserted, ahead of those that wait for the same order_key."""
    row = connection.execute(_CLAIM_FOLLOW_UP, {"id": job_id, "worker": worker, "lease": LEASE}).mappings().one()
    return ClaimedJob(**{**row, "queue": Queue(row["queue"])})


_FINISH = text("""
    UPDATE job SET state = :state, finished_at = now(), lease_until = NULL, result = :result, error = :error
    WHERE id = :id AND fence = :fence AND state = 'running'
""").bindparams(bindparam("result", type_=JSONB(none_as_null=True)))


def finish(
    connection: Connection, job: ClaimedJob, state: str, *, result: object = None, error: str | None = None
) -> bool:
    """End the job as succeeded, failed or dead; False means that it is no longer ours and nothing was written."""
    done = connection.execute(
        _FINISH, {"id": job.id, "fence": job.fence, "state": state, "result": result, "error": _clean(error)}
    )
    return done.rowcount == 1


# One that could start only after it expires ends now, with the reason, instead of waiting for its end.
_PUT_BACK = text("""
    UPDATE job SET state = CASE WHEN expires_at <= now() + :delay THEN 'expired' ELSE 'queued' END,
           finished_at = CASE WHEN expires_at <= now() + :delay THEN now() END,
           run_at = now() + :delay, lease_until = NULL, worker = NULL, published_at = NULL,
           attempt = attempt - :uncounted, error = :error
    WHERE id = :id AND fence = :fence AND state = 'running'
""")


_TELL_RELAY = text("SELECT pg_notify('job_due', '')")


def put_back(connection: Connection, job: ClaimedJob, delay: timedelta, *, is_counted: bool, error: str) -> bool:
    """Queue the job again after `delay`, or end it as expired if that is too late.

    False means that it is no longer ours and nothing was written.
    """
    connection.execute(_TELL_RELAY)
    done = connection.execute(
        _PUT_BACK,
        {"id": job.id, "fence": job.fence, "delay": delay, "uncounted": 0 if is_counted else 1, "error": _clean(error)},
    )
    return done.rowcount == 1


_LEASE_LEFT = text("""
    SELECT lease_until - clock_timestamp() FROM job WHERE id = :id AND fence = :fence AND state = 'running'
""")


def lease_left(connection: Connection, job: ClaimedJob) -> timedelta:
    """Return for how long the job is still surely ours; zero or less when it is not."""
    left: timedelta | None = connection.execute(_LEASE_LEFT, {"id": job.id, "fence": job.fence}).scalar_one_or_none()
    return left or timedelta(0)


_RENEW = text("UPDATE job SET lease_until = now() + :lease WHERE state = 'running' AND worker = ANY(:workers)")


def renew(connection: Connection, workers: Sequence[str]) -> int:
    """Extend the leases of everything these workers run; return how many."""
    return connection.execute(_RENEW, {"lease": LEASE, "workers": list(workers)}).rowcount


# An attempt that died with its process is counted: a job that kills its worker must not do so for ever.
_GIVE_BACK = text("""
    UPDATE job SET state = CASE WHEN attempt >= max_attempts THEN 'dead' ELSE 'queued' END,
           finished_at = CASE WHEN attempt >= max_attempts THEN now() END,
           run_at = now(), lease_until = NULL, worker = NULL, published_at = NULL, error = :error
    WHERE state = 'running' AND worker = :worker
""")


def give_back(connection: Connection, worker: str, error: str) -> int:
    """Requeue what a lost worker process ran, or end it as dead when its attempts are spent."""
    return connection.execute(_GIVE_BACK, {"worker": worker, "error": _clean(error)}).rowcount


_HAND_BACK = text("""
    UPDATE job SET state = 'queued', run_at = now(), lease_until = NULL, worker = NULL, published_at = NULL,
           attempt = attempt - 1, error = 'handed back at shutdown'
    WHERE state = 'running' AND starts_with(worker, :node)
""")


def hand_back(connection: Connection, node: str) -> int:
    """Requeue, uncounted, what a stopped node's processes ran; they must be gone. `node` is <fleet>@<host>.<pid>."""
    return connection.execute(_HAND_BACK, {"node": f"{node}/"}).rowcount


_TAKE_BACK = text("""
    UPDATE job SET state = CASE WHEN attempt >= max_attempts THEN 'dead' ELSE 'queued' END,
           finished_at = CASE WHEN attempt >= max_attempts THEN now() END,
           run_at = now(), lease_until = NULL, published_at = NULL,
           error = 'lease ended: worker ' || coalesce(worker, '?') || ' went silent'
    WHERE id IN (SELECT id FROM job WHERE state = 'running' AND lease_until < now() LIMIT 500 FOR UPDATE SKIP LOCKED)
""")


def take_back_expired_leases(connection: Connection) -> int:
    """Requeue what silent workers ran, or end it as dead; return how many."""
    return connection.execute(_TAKE_BACK).rowcount


_EXPIRE = text("""
    UPDATE job SET state = 'expired', finished_at = now(), error = coalesce(error, 'not started before it expired')
    WHERE id IN (SELECT id FROM job WHERE state = 'queued' AND expires_at <= now() LIMIT 500 FOR UPDATE SKIP LOCKED)
""")


def expire(connection: Connection) -> int:
    """End the queued jobs that nobody may start any more; return how many."""
    return connection.execute(_EXPIRE).rowcount


_DUE = text(f"""
    UPDATE job SET published_at = now()
    WHERE id IN (
        SELECT id FROM job
        WHERE state = 'queued' AND queue = :queue AND run_at <= now() AND (expires_at IS NULL OR expires_at > now())
          AND (published_at IS NULL OR published_at < run_at OR published_at < now() - interval '1 second')
          AND {_IS_ITS_TURN}
        ORDER BY run_at, id LIMIT :limit FOR UPDATE SKIP LOCKED)
    RETURNING id, name, queue, deadline
""")  # noqa: S608  # no value enters the text


def due(connection: Connection, queue: Queue, limit: int) -> list[WakeUp]:
    """Return wake-ups for up to `limit` due jobs that nobody claimed for a second, noting them as published."""
    rows = connection.execute(_DUE, {"queue": queue, "limit": limit})
    return [WakeUp(row.id, row.name, Queue(row.queue), row.deadline) for row in rows]


_NEXT_DUE_IN = text("SELECT min(run_at) - clock_timestamp() FROM job WHERE state = 'queued' AND run_at > now()")


def next_due_in(connection: Connection) -> timedelta | None:
    """Return how long until a queued job that is not yet due becomes so, or None."""
    wait: timedelta | None = connection.execute(_NEXT_DUE_IN).scalar_one()
    return wait


_NEXT_OF_KEY = text("""
    SELECT id, name, queue, deadline FROM job
    WHERE order_key = :order_key AND state = 'queued' AND run_at <= now() AND (expires_at IS NULL OR expires_at > now())
    ORDER BY turn LIMIT 1
""")


def next_of_key(connection: Connection, order_key: str) -> WakeUp | None:
    """Return a wake-up for the job that an ended one of the same order_key kept waiting, if it is due."""
    row = connection.execute(_NEXT_OF_KEY, {"order_key": order_key}).one_or_none()
    return None if row is None else WakeUp(row.id, row.name, Queue(row.queue), row.deadline)


def _clean(message: str | None) -> str | None:
    return None if message is None else message.replace("\x00", "\\0")[:20_000]
