"""The SQL of workers: the heartbeat, on which all leases of a worker depend, and the jobs that it runs."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from shared.ledger.claims import LedgerConnection
from shared.ledger.worker import Worker

OVERRUN_AFTER = timedelta(seconds=5)  # beyond a job's deadline: then its process did not end itself

# Also registers: at the start, and again if a person has deleted the row.
_BEAT = """
    INSERT INTO worker (id, fleet, host, process_id, version)
    VALUES (%(id)s, %(fleet)s, %(host)s, %(process_id)s, %(version)s)
    ON CONFLICT (id) DO UPDATE SET seen_at = now()
"""
_RUNNING = """
    SELECT process_id, id, name, now() - cancel_requested_at AS cancelling_for,
           coalesce(started_at + deadline + %(overrun_after)s::interval < now(), false) AS has_overrun
    FROM job WHERE worker_id = %(id)s AND state = 'running'
"""
_END = "UPDATE worker SET ended_at = now() WHERE id = %(id)s"


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that a worker runs; `cancelling_for` is the time since a person asked to cancel it, or None."""

    process_id: int
    id: UUID
    name: str
    cancelling_for: timedelta | None
    has_overrun: bool


def beat(connection: LedgerConnection, worker: Worker) -> None:
    """Record that the worker is alive, which keeps the leases of all jobs that it runs."""
    values = {
        "id": worker.id,
        "fleet": worker.fleet,
        "host": worker.host,
        "process_id": worker.process_id,
        "version": worker.version,
    }
    connection.execute(_BEAT, values)


def list_running(connection: LedgerConnection, worker: Worker) -> list[RunningJob]:
    """Return the jobs that the worker and its children run."""
    values = {"id": worker.id, "overrun_after": OVERRUN_AFTER}
    return [RunningJob(*row) for row in connection.execute(_RUNNING, values)]


def record_end(connection: LedgerConnection, worker: Worker) -> None:
    """Record that the worker has ended in order."""
    connection.execute(_END, {"id": worker.id})
