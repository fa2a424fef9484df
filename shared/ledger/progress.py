"""The progress of jobs that a caller waits for, and of every job that they caused."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import LiteralString
from uuid import UUID

from shared.db.tables.ledger import UNFINISHED
from shared.fleets import LEASE
from shared.ledger.claims import LedgerConnection
from shared.ledger.transitions import DONE_BY

_LEASE_GRACE = timedelta(seconds=1)

# `to_start` is the unclaimed job that must run so that this one progresses: itself, or the first of its sequence_key.
_READ: LiteralString = """
    WITH RECURSIVE mine AS (
        SELECT id, correlation_id FROM job WHERE id = ANY(%(roots)s)
        UNION
        SELECT job.id, job.correlation_id FROM job
        JOIN mine ON job.correlation_id = mine.correlation_id AND job.parent_id = mine.id)
    SELECT job.id, job.name,
           CASE WHEN job.state = 'queued' AND job.expires_at <= now() THEN 'expired' ELSE job.state END,
           job.result, job.error,
           (SELECT first.id FROM job first
            WHERE job.state = 'queued' AND first.state = 'queued'
              AND first.run_at <= now() - %(claim_timeout)s::interval
              AND (first.expires_at IS NULL OR first.expires_at > now())
              AND (first.id = job.id OR first.sequence_key = job.sequence_key AND first.sequence_id < job.sequence_id)
              AND NOT EXISTS (SELECT 1 FROM job other
                              WHERE other.sequence_key = job.sequence_key AND other.state = 'running')
            ORDER BY first.sequence_id LIMIT 1) AS to_start,
           coalesce(job.state = 'running' AND job.lease_until < now() - %(grace)s::interval AND NOT EXISTS (
               SELECT 1 FROM worker WHERE worker.id = job.worker_id AND seen_at > now() - %(silent_for)s::interval),
               false) AS is_lost
    FROM mine JOIN job ON job.id = mine.id ORDER BY job.id
"""


@dataclass(frozen=True, slots=True)
class JobProgress:
    """The state of a job; `to_start` has waited too long for a worker, `is_lost` if its worker let the lease end."""

    id: UUID
    name: str
    state: str
    result: object
    error: str | None
    to_start: UUID | None
    is_lost: bool

    @property
    def is_over(self) -> bool:
        """Whether the job has ended."""
        return self.state not in UNFINISHED

    @property
    def is_done_by_another(self) -> bool:
        """Whether another job has done its work."""
        return self.state == "cancelled" and (self.error or "").startswith(DONE_BY)


def read_progress(connection: LedgerConnection, roots: Sequence[UUID], claim_timeout: timedelta) -> list[JobProgress]:
    """Return these jobs and all they caused, oldest first; a due job may stay unclaimed for `claim_timeout`."""
    values = {
        "roots": list(roots),
        "claim_timeout": claim_timeout,
        "grace": _LEASE_GRACE,
        "silent_for": LEASE + _LEASE_GRACE,
    }
    return [JobProgress(*row) for row in connection.execute(_READ, values)]
