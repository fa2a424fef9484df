"""The SQL of jobs whose worker is lost: release, reclaim, expire.

A job that a person asked to cancel is not queued again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from shared.fleets import LEASE
from shared.ledger.claims import LedgerConnection
from shared.ledger.transitions import CANCELLED, clean_error
from shared.ledger.worker import WorkerProcess

# An attempt that died with its process counts: a job that kills its worker must not do so for ever.
_LOST: LiteralString = """
    state = CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled'
                 WHEN attempt >= max_attempts THEN 'dead' ELSE 'queued' END,
    finished_at = CASE WHEN cancel_requested_at IS NOT NULL OR attempt >= max_attempts THEN now() END,
    run_at = now(), lease_until = NULL, published_at = NULL
"""
_RELEASE_LOST: LiteralString = f"""
    UPDATE job SET {_LOST}, worker_id = NULL, process_id = NULL,
           error = CASE WHEN cancel_requested_at IS NULL THEN %(error)s ELSE %(cancelled)s || ': ' || %(error)s END
    WHERE state = 'running' AND worker_id = %(worker_id)s AND process_id = %(process_id)s
    RETURNING id, name, state, error, started_at, now() - started_at
"""  # noqa: S608  # no value enters the text


@dataclass(frozen=True, slots=True)
class LostJob:
    """A job whose process was lost: its state and error now, and when that run began and for how long it ran."""

    id: UUID
    name: str
    state: str
    error: str
    began_at: datetime
    ran_for: timedelta


def release_lost(connection: LedgerConnection, worker: WorkerProcess, error: str) -> list[LostJob]:
    """Queue the jobs of a lost process again, or end them as dead if their attempts are used up; return them."""
    values = {
        "worker_id": worker.worker_id,
        "process_id": worker.process_id,
        "error": clean_error(error),
        "cancelled": CANCELLED,
    }
    return [LostJob(*row) for row in connection.execute(_RELEASE_LOST, values)]


_RELEASE_ON_SHUTDOWN = """
    UPDATE job SET state = CASE WHEN cancel_requested_at IS NULL THEN 'queued' ELSE 'cancelled' END,
           finished_at = CASE WHEN cancel_requested_at IS NOT NULL THEN now() END,
           run_at = now(), lease_until = NULL, worker_id = NULL, process_id = NULL, published_at = NULL,
           attempt = attempt - 1,
           error = CASE WHEN cancel_requested_at IS NULL THEN 'released at shutdown' ELSE %(cancelled)s END
    WHERE state = 'running' AND worker_id = %(worker_id)s
"""


def release_on_shutdown(connection: LedgerConnection, worker_id: UUID) -> int:
    """Queue the jobs of a stopped worker again without counting the attempt; return how many.

    The worker's processes must have ended.
    """
    return connection.execute(_RELEASE_ON_SHUTDOWN, {"worker_id": worker_id, "cancelled": CANCELLED}).rowcount


GRACE = timedelta(seconds=15)  # a lease ends this long after the job's deadline, however healthy its worker is
# After a step back of Postgres' clock its times lie in the future: a lease holds for no longer than it could have been
# given, and a heartbeat that is to come is none.
_OVERRAN: LiteralString = "started_at + deadline + %(grace)s::interval < now()"
_LEASE_HAS_ENDED: LiteralString = "NOT lease_until BETWEEN now() AND now() + %(lease)s::interval"
_IS_SILENT: LiteralString = "NOT seen_at BETWEEN now() - %(lease)s::interval AND now() + interval '1 second'"
# Worker rows are locked so that a worker whose heartbeat waits for a lock keeps its jobs as long as that is held.
_RECLAIM: LiteralString = f"""
    WITH silent AS MATERIALIZED (
        SELECT id FROM worker
        WHERE id IN (SELECT worker_id FROM job WHERE state = 'running') AND {_IS_SILENT}
        ORDER BY id FOR UPDATE SKIP LOCKED)
    UPDATE job SET {_LOST},
           error = CASE WHEN {_OVERRAN} THEN 'lease ended: it overran its deadline, and its process did not end'
                        ELSE 'lease expired: worker ' || coalesce(worker_id::text, '?') || ' went silent' END
    WHERE id IN (
        SELECT id FROM job
        WHERE state = 'running' AND (%(only)s::uuid[] IS NULL OR id = ANY(%(only)s))
          AND ({_OVERRAN} OR {_LEASE_HAS_ENDED}
               AND (worker_id IN (SELECT id FROM silent) OR NOT EXISTS (SELECT 1 FROM worker WHERE id = worker_id)))
        LIMIT 500 FOR UPDATE SKIP LOCKED)
"""  # noqa: S608  # as above


def reclaim_expired_leases(connection: LedgerConnection, only: Sequence[UUID] | None = None) -> int:
    """Requeue jobs whose lease has ended, or end them as dead if their attempts are used up; return how many.

    With `only`, those of these ids. A lease ends when the worker's heartbeat is older than LEASE, or GRACE after the
    job's deadline.
    """
    return connection.execute(_RECLAIM, {"lease": LEASE, "grace": GRACE, "only": only and list(only)}).rowcount


# By how much the clock was set back is known from each row: by as much as the row seems to come from the future. A
# wake-up that seems to be published then would not be published again.
_FORGET_FUTURE = """
    WITH found AS MATERIALIZED (
        SELECT id, greatest(enqueued_at - now(), interval '0') AS ahead FROM job
        WHERE state = 'queued' AND greatest(enqueued_at, published_at) > now() + interval '1 second'
        FOR UPDATE SKIP LOCKED)
    UPDATE job SET enqueued_at = enqueued_at - ahead, run_at = run_at - ahead, expires_at = expires_at - ahead,
           published_at = NULL
    FROM found WHERE job.id = found.id
"""


def forget_future(connection: LedgerConnection) -> int:
    """After Postgres' clock was set back, set the times of queued jobs back by as much; return how many.

    Else they would be due, and expire, later than they were to: a late entry is another trade.
    """
    return connection.execute(_FORGET_FUTURE).rowcount


_EXPIRE = """
    UPDATE job SET state = 'expired', finished_at = now(),
           error = concat_ws('; before that: ', 'not started before it expired', error)
    WHERE id IN (SELECT id FROM job WHERE state = 'queued' AND expires_at <= now() LIMIT 500 FOR UPDATE SKIP LOCKED)
"""


def expire(connection: LedgerConnection) -> int:
    """End queued jobs whose expiry has passed; return how many."""
    return connection.execute(_EXPIRE).rowcount
