"""Leases and what becomes of jobs whose worker is lost: renew, release, reclaim, expire, in SQL."""

from collections.abc import Sequence

from shared.ledger.transitions import LEASE, LedgerConnection, clean

_RENEW = (
    "UPDATE job SET lease_until = now() + %(lease)s::interval WHERE state = 'running' AND worker = ANY(%(workers)s)"
)


def renew(connection: LedgerConnection, workers: Sequence[str]) -> int:
    """Extend the leases of everything these workers run; return how many."""
    return connection.execute(_RENEW, {"lease": LEASE, "workers": list(workers)}).rowcount


_WORKERS_OF = "SELECT DISTINCT worker FROM job WHERE state = 'running' AND starts_with(worker, %(node)s)"


def workers_of(connection: LedgerConnection, node: str) -> list[str]:
    """Return the processes of a node that jobs are claimed by. `node` is <fleet>@<host>.<pid>."""
    return [worker for (worker,) in connection.execute(_WORKERS_OF, {"node": f"{node}/"})]


# An attempt that died with its process is counted: a job that kills its worker must not do so for ever.
_RELEASE_LOST = """
    UPDATE job SET state = CASE WHEN attempt >= max_attempts THEN 'dead' ELSE 'queued' END,
           finished_at = CASE WHEN attempt >= max_attempts THEN now() END,
           run_at = now(), lease_until = NULL, worker = NULL, published_at = NULL, error = %(error)s
    WHERE state = 'running' AND worker = %(worker)s
"""


def release_lost(connection: LedgerConnection, worker: str, error: str) -> int:
    """Requeue what a lost worker process ran, or end it as dead when its attempts are spent."""
    return connection.execute(_RELEASE_LOST, {"worker": worker, "error": clean(error)}).rowcount


_RELEASE_ON_SHUTDOWN = """
    UPDATE job SET state = 'queued', run_at = now(), lease_until = NULL, worker = NULL, published_at = NULL,
           attempt = attempt - 1, error = 'handed back at shutdown'
    WHERE state = 'running' AND starts_with(worker, %(node)s)
"""


def release_on_shutdown(connection: LedgerConnection, node: str) -> int:
    """Requeue, uncounted, what a stopped node's processes ran; they must be gone. `node` is <fleet>@<host>.<pid>."""
    return connection.execute(_RELEASE_ON_SHUTDOWN, {"node": f"{node}/"}).rowcount


_RECLAIM = """
    UPDATE job SET state = CASE WHEN attempt >= max_attempts THEN 'dead' ELSE 'queued' END,
           finished_at = CASE WHEN attempt >= max_attempts THEN now() END,
           run_at = now(), lease_until = NULL, published_at = NULL,
           error = 'lease ended: worker ' || coalesce(worker, '?') || ' went silent'
    WHERE id IN (SELECT id FROM job WHERE state = 'running' AND lease_until < now() LIMIT 500 FOR UPDATE SKIP LOCKED)
"""


def reclaim_expired_leases(connection: LedgerConnection) -> int:
    """Requeue what silent workers ran, or end it as dead; return how many."""
    return connection.execute(_RECLAIM).rowcount


_EXPIRE = """
    UPDATE job SET state = 'expired', finished_at = now(),
           error = concat_ws('; before that: ', 'not started before it expired', error)
    WHERE id IN (SELECT id FROM job WHERE state = 'queued' AND expires_at <= now() LIMIT 500 FOR UPDATE SKIP LOCKED)
"""


def expire(connection: LedgerConnection) -> int:
    """End the queued jobs that nobody may start any more; return how many."""
    return connection.execute(_EXPIRE).rowcount
