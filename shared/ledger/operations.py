"""Operations of a person on a job: requeue, discard, cancel; each is one statement, so that two people do it once."""

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from shared.db.id_part import NEWEST_SEARCHED
from shared.errors import RefusedError
from shared.fleets import ORDERING
from shared.ledger.claims import LedgerConnection
from shared.ledger.jobs import job_names_with

_ENDED_BADLY = ("dead", "failed", "expired", "cancelled")
_ID_DIGITS = 32
WITHDRAWN = "withdrawn: the person who requested it stopped waiting"

# The error stays until the job ends again. started_at is cleared: a duration must not include the days in between.
_REQUEUE: LiteralString = """
    WITH changed AS (
    UPDATE job SET state = 'queued', attempt = 0, run_at = now(), started_at = NULL, finished_at = NULL, result = NULL,
           lease_until = NULL, claim_id = NULL, worker_id = NULL, process_id = NULL, published_at = NULL,
           cancel_requested_at = NULL, failing_since = NULL,
           expires_at = CASE WHEN expires_at > now() THEN expires_at END
    WHERE id = %(id)s AND state = ANY(%(ended)s)
      AND (expires_at IS NULL OR expires_at > now() OR %(may_be_past_expiry)s AND NOT name = ANY(%(entries)s))
    RETURNING id)
    SELECT pg_notify('job_due', '') FROM changed
"""
_DISCARD: LiteralString = """
    UPDATE job SET state = 'cancelled', error = 'discarded by a person: ' || coalesce(error, 'no error was kept')
    WHERE id = %(id)s AND state IN ('dead', 'failed')
"""
# The next job of its sequence_key need not wait any more: the statement notifies the relay.
_CANCEL: LiteralString = """
    WITH changed AS (
    UPDATE job SET state = 'cancelled', finished_at = now(),
           error = %(by)s || coalesce('; before that: ' || error, '')
    WHERE id = %(id)s AND state = 'queued'
    RETURNING id)
    SELECT pg_notify('job_due', '') FROM changed
"""


def requeue(connection: LedgerConnection, job_id: UUID, *, may_be_past_expiry: bool = False) -> None:
    """Queue an ended job again with all its attempts; raise RefusedError if that is not allowed.

    A job past its expiry is refused unless `may_be_past_expiry`, which removes the expiry; an entry is refused
    even then. The job keeps its old position among the jobs of its sequence_key.
    """
    values = {
        "id": job_id,
        "ended": list(_ENDED_BADLY),
        "may_be_past_expiry": may_be_past_expiry,
        "entries": job_names_with("is_entry"),
    }
    if connection.execute(_REQUEUE, values).rowcount == 1:
        return
    found = _read_job(connection, job_id)
    if found.is_late and found.state in _ENDED_BADLY:
        hint = (
            "an entry is never submitted late: post the alert, or enter the order, again"
            if found.name in job_names_with("is_entry")
            else "add --past-expiry"
        )
        raise RefusedError(f"{found.name} {job_id} expired at {found.expires_at:%Y-%m-%d %H:%M:%S} UTC: {hint}")
    raise _refusal(job_id, found, "only one that is dead, failed, expired or cancelled is queued again")


def discard(connection: LedgerConnection, job_id: UUID) -> None:
    """End a dead or failed job as cancelled, once it needs no more attention; raise RefusedError for any other.

    Its error is kept, after a note that a person discarded it.
    """
    if connection.execute(_DISCARD, {"id": job_id}).rowcount == 0:
        raise _refusal(job_id, _read_job(connection, job_id), "only one that is dead or failed is discarded")


_REQUEST_CANCEL: LiteralString = """
    UPDATE job SET cancel_requested_at = coalesce(cancel_requested_at, now())
    WHERE id = %(id)s AND state = 'running' AND queue <> ALL(%(ordering)s)
"""


def cancel(connection: LedgerConnection, job_id: UUID) -> None:
    """Cancel a queued job, or ask the worker of a running one to; raise RefusedError for a job that has ended.

    A running job ends at its next step, or with its process some seconds later. What it did until then stays done. One
    that may be sending an order is refused: ended in the middle, it would leave an order that nothing follows.
    """
    values = {"id": job_id, "by": "cancelled by a person", "ordering": [queue.value for queue in ORDERING]}
    for statement in (_CANCEL, _REQUEST_CANCEL) * 2:  # a job may be queued again between two of them
        if connection.execute(statement, values).rowcount == 1:
            return
    found = _read_job(connection, job_id)
    if found.state == "running":
        raise _refusal(job_id, found, "it may be sending an order, and ends by itself within a minute")
    raise _refusal(job_id, found, "only one that is queued or runs is cancelled")


def lock_if_queued(connection: LedgerConnection, job_id: UUID) -> bool:
    """Keep a queued job from being claimed until this transaction ends; False if it is not queued."""
    statement = "SELECT FROM job WHERE id = %(id)s AND state = 'queued' FOR UPDATE"
    return connection.execute(statement, {"id": job_id}).rowcount == 1


def withdraw(connection: LedgerConnection, job_id: UUID) -> None:
    """Cancel a queued job that no person waits for any more; the caller has locked it."""
    connection.execute(_CANCEL, {"id": job_id, "by": WITHDRAWN})


@dataclass(frozen=True, slots=True)
class _JobFacts:
    """A job that the statement before did not change, for the error message."""

    name: str
    state: str
    expires_at: datetime | None
    is_late: bool


def _read_job(connection: LedgerConnection, job_id: UUID) -> _JobFacts:
    statement = """
        SELECT name, state, expires_at, coalesce(expires_at <= now(), false) FROM job WHERE id = %(id)s
    """
    row = connection.execute(statement, {"id": job_id}).fetchone()
    if row is None:
        raise RefusedError(f"no job has the id {job_id}: `tickwork jobs` lists those there are")
    return _JobFacts(*row)


def _refusal(job_id: UUID, found: _JobFacts, rule: str) -> RefusedError:
    return RefusedError(f"{found.name} {job_id} is {found.state}: {rule}")


def find_ids_by_part(connection: LedgerConnection, digits: str) -> list[UUID]:
    """Return up to three ids of jobs that start with these hexadecimal digits, or of the newest that end so.

    Endings are searched among the newest 100,000 jobs. The newest found comes first.
    """
    first, last = UUID(digits.ljust(_ID_DIGITS, "0")), UUID(digits.ljust(_ID_DIGITS, "f"))
    whole = "SELECT id FROM job WHERE id = %(first)s"
    statement = """
        SELECT id FROM job WHERE id BETWEEN %(first)s AND %(last)s
        UNION
        SELECT id FROM (SELECT id FROM job ORDER BY id DESC LIMIT %(newest)s) AS newest
        WHERE right(replace(id::text, '-', ''), %(length)s) = %(digits)s
        ORDER BY id DESC LIMIT 3
    """
    values = {"first": first, "last": last, "newest": NEWEST_SEARCHED, "length": len(digits), "digits": digits}
    found = connection.execute(whole if first == last else statement, values)
    return [job_id for (job_id,) in found]


def list_dead_ids(connection: LedgerConnection, name: str | None) -> list[UUID]:
    """Return the ids of all dead jobs, or of those with this name, oldest first; probes are left out."""
    statement = """
        SELECT id FROM job
        WHERE state = 'dead' AND name <> ALL(%(probes)s) AND (%(name)s::text IS NULL OR name = %(name)s)
        ORDER BY id
    """
    return [job_id for (job_id,) in connection.execute(statement, {"name": name, "probes": job_names_with("is_probe")})]
