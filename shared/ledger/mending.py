"""What a person may do to a job: requeue, discard, cancel; each is one statement, so that two people do it once."""

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from shared.errors import RefusedError
from shared.ledger.rows import Line

# An entry sent late is another trade: these are never begun after their time, whoever asks.
_NEVER_LATE = ("alerts.handle_alert", "orders.place_order")

_REQUEUE: LiteralString = """
    WITH mended AS (
    UPDATE job SET state = 'queued', attempt = 0, fence = fence + 1, run_at = now(), finished_at = NULL, result = NULL,
           lease_until = NULL, worker = NULL, published_at = NULL,
           expires_at = CASE WHEN expires_at <= now() THEN NULL ELSE expires_at END
    WHERE id = %(id)s AND state IN ('dead', 'failed', 'expired', 'cancelled')
      AND (expires_at IS NULL OR expires_at > now() OR %(is_late_fine)s AND NOT name = ANY(%(never_late)s))
    RETURNING id)
    SELECT pg_notify('job_due', '') FROM mended
"""
_DISCARD: LiteralString = """
    WITH mended AS (
    UPDATE job SET state = 'cancelled', error = 'discarded by a person: ' || coalesce(error, '')
    WHERE id = %(id)s AND state IN ('dead', 'failed')
    RETURNING id)
    SELECT pg_notify('job_due', '') FROM mended
"""
_CANCEL: LiteralString = """
    WITH mended AS (
    UPDATE job SET state = 'cancelled', finished_at = now(), error = 'cancelled by a person'
    WHERE id = %(id)s AND state = 'queued'
    RETURNING id)
    SELECT pg_notify('job_due', '') FROM mended
"""


def requeue(connection: Line, job_id: UUID, *, is_late_fine: bool = False) -> None:
    """Queue an ended job again, its attempts not counted; raise RefusedError when it may not be.

    One whose time is over is refused unless `is_late_fine`; an entry is refused even then.
    """
    values = {"id": job_id, "is_late_fine": is_late_fine, "never_late": list(_NEVER_LATE)}
    _mend(connection, _REQUEUE, values, "only one that is dead, failed, expired or cancelled is queued again")


def discard(connection: Line, job_id: UUID) -> None:
    """End a dead or failed job that nobody needs to look at any more as cancelled; raise RefusedError otherwise."""
    _mend(connection, _DISCARD, {"id": job_id}, "only one that is dead or failed is discarded")


def cancel(connection: Line, job_id: UUID) -> None:
    """Cancel a job that has not begun; raise RefusedError otherwise."""
    cure = "only one that has not begun is cancelled; a running one ends by itself, at its deadline at the latest"
    _mend(connection, _CANCEL, {"id": job_id}, cure)


def _mend(connection: Line, statement: LiteralString, values: dict[str, object], cure: str) -> None:
    if connection.execute(statement, values).rowcount == 1:
        return
    row = connection.execute(
        "SELECT name, state, expires_at, expires_at <= now() FROM job WHERE id = %(id)s", {"id": values["id"]}
    ).fetchone()
    if row is None:
        raise RefusedError(f"no job has the id {values['id']}: `tickwork jobs` lists those there are")
    name, state, expires_at, is_late = row
    if is_late and statement is _REQUEUE and state != "queued":
        late = "an entry is never sent late: post the alert again" if name in _NEVER_LATE else "add --past-expiry"
        raise RefusedError(f"{name} {values['id']} had to begin by {expires_at:%Y-%m-%d %H:%M:%S} UTC: {late}")
    raise RefusedError(f"{name} {values['id']} is {state}: {cure}")


def ids_starting(connection: Line, prefix: str) -> list[UUID]:
    """Return the ids of up to three jobs whose id starts with `prefix`."""
    statement = "SELECT id FROM job WHERE starts_with(id::text, %(prefix)s) ORDER BY id DESC LIMIT 3"
    return [job_id for (job_id,) in connection.execute(statement, {"prefix": prefix.lower()})]


def dead_ids(connection: Line, name: str | None) -> Sequence[UUID]:
    """Return every dead job, or every one of this name, oldest first."""
    statement = "SELECT id FROM job WHERE state = 'dead' AND (%(name)s::text IS NULL OR name = %(name)s) ORDER BY id"
    return [job_id for (job_id,) in connection.execute(statement, {"name": name})]
