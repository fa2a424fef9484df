"""The SQL of leases and of jobs whose worker is lost: renew, release, reclaim, expire."""

from collections.abc import Sequence

from shared.ledger.transitions import LEASE, LedgerConnection, clean_error

# A job whose row another session locks keeps no other from being renewed; it cannot be reclaimed meanwhile either.
_RENEW = """
    UPDATE job SET lease_until = now() + %(lease)s::interval
    WHERE id IN (SELECT id FROM job WHERE state = 'running' AND worker = ANY(%(workers)s) FOR UPDATE SKIP LOCKED)
"""


def renew(connection: LedgerConnection, workers: Sequence[str]) -> int:
    """Extend the leases of all jobs that these workers run; return how many."""
    return connection.execute(_RENEW, {"lease": LEASE, "workers": list(workers)}).rowcount


_WORKERS_OF = "SELECT DISTINCT worker FROM job WHERE state = 'running' AND starts_with(worker, %(node)s)"


def workers_of(connection: LedgerConnection, node: str) -> list[str]:
    """Return the worker processes of a node that run jobs. `node` is <fleet>@<host>.<pid>."""
    return [worker for (worker,) in connection.execute(_WORKERS_OF, {"node": f"{node}/"})]


# An attempt that died with its process counts: a job that kills its worker must not do so for ever.
_RELEASE_LOST = """
    UPDATE job SET state = CASE WHEN attempt >= max_attempts THEN 'dead' ELSE 'queued' END,
           finished_at = CASE WHEN attempt >= max_attempts THEN now() END,
           run_at = now(), lease_until = NULL, worker = NULL, published_at = NULL, error = %(error)s
    WHERE state = 'running' AND worker = %(worker)s
"""


def release_lost(connection: LedgerConnection, worker: str, error: str) -> int:
    """Queue the jobs of a lost worker again, or end them as dead if their attempts are used up; return how many."""
    return connection.execute(_RELEASE_LOST, {"worker": worker, "error": clean_error(error)}).rowcount


_RELEASE_ON_SHUTDOWN = """
    UPDATE job SET state = 'queued', run_at = now(), lease_until = NULL, worker = NULL, published_at = NULL,
           attempt = attempt - 1, error = 'released at shutdown'
    WHERE state = 'running' AND starts_with(worker, %(node)s)
"""


def release_on_shutdown(connection: LedgerConnection, node: str) -> int:
    """Queue the jobs of a stopped node again without counting the attempt; return how many.

    The node's processes must have ended. `node` is <fleet>@<host>.<pid>.
    """
    return connection.execute(_RELEASE_ON_SHUTDOWN, {"node": f"{node}/"}).rowcount


_RECLAIM = """
    UPDATE job SET state = CASE WHEN attempt >= max_attempts THEN 'dead' ELSE 'queued' END,
           finished_at = CASE WHEN attempt >= max_attempts THEN now() END,
           run_at = now(), lease_until = NULL, published_at = NULL,
           error = 'lease expired: worker ' || coalesce(worker, '?') || ' stopped renewing it'
    WHERE id IN (SELECT id FROM job WHERE state = 'running' AND lease_until < now() LIMIT 500 FOR UPDATE SKIP LOCKED)
"""


def reclaim_expired_leases(connection: LedgerConnection) -> int:
    """Requeue jobs whose lease has expired, or end them as dead if their attempts are used up; return how many."""
    return connection.execute(_RECLAIM).rowcount


_EXPIRE = """
    UPDATE job SET state = 'expired', finished_at = now(),
           error = concat_ws('; before that: ', 'not started before it expired', error)
    WHERE id IN (SELECT id FROM job WHERE state = 'queued' AND expires_at <= now() LIMIT 500 FOR UPDATE SKIP LOCKED)
"""


def expire(connection: LedgerConnection) -> int:
    """End queued jobs whose expiry has passed; return how many."""
    return connection.execute(_EXPIRE).rowcount
