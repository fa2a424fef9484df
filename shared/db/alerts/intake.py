"""Stores the alerts that arrive together, accepted and refused ones, in one statement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

import psycopg

from shared.domain.alerts.alert import Alert

_INSERT: LiteralString = """
    INSERT INTO alert (id, hook_id, received_at, body, payload, dialect, action, root, sent_at, external_id, verdict,
                       reason, job_id)
    SELECT id, hook_id, coalesce(received_at, now()), body, payload::jsonb, dialect, action, root, sent_at, external_id,
           CASE WHEN job_id IS NULL THEN 'refused' ELSE 'accepted' END, reason, job_id
    FROM unnest(
        %(ids)s::uuid[], %(hooks)s::uuid[], %(received)s::timestamptz[], %(bodies)s::bytea[], %(payloads)s::text[],
        %(dialects)s::text[], %(actions)s::text[], %(roots)s::text[], %(sent)s::timestamptz[], %(externals)s::text[],
        %(reasons)s::text[], %(jobs)s::uuid[])
    AS alert (id, hook_id, received_at, body, payload, dialect, action, root, sent_at, external_id, reason, job_id)
    ON CONFLICT (id) DO NOTHING
"""
_FIRST: LiteralString = """
    SELECT job.id, alert.body, now() - alert.received_at
    FROM job JOIN alert ON alert.id = (job.arguments->>'alert_id')::uuid
    WHERE job.id = ANY(%(jobs)s::uuid[])
"""


@dataclass(frozen=True, slots=True)
class NewAlert:
    """One alert to store: accepted with a job, or refused with a reason.

    `received_at` is None for one that arrives now. `payload` is the JSON text of the body, None if it has none.
    """

    id: UUID
    hook_id: UUID
    received_at: datetime | None
    body: bytes
    payload: str | None
    dialect: str
    alert: Alert | None
    reason: str | None
    job_id: UUID | None


async def insert_alerts(connection: psycopg.AsyncConnection[Any], new: Sequence[NewAlert]) -> None:
    """Insert alerts; one that is stored already is left as it is."""
    values = {
        "ids": [one.id for one in new],
        "hooks": [one.hook_id for one in new],
        "received": [one.received_at for one in new],
        "bodies": [one.body for one in new],
        "payloads": [one.payload for one in new],
        "dialects": [one.dialect for one in new],
        "actions": [one.alert.kind if one.alert else None for one in new],
        "roots": [one.alert.root.name if one.alert else None for one in new],
        "sent": [one.alert.sent_at if one.alert else None for one in new],
        "externals": [one.alert.external_id if one.alert else None for one in new],
        "reasons": [one.reason for one in new],
        "jobs": [one.job_id for one in new],
    }
    await connection.execute(_INSERT, values)


async def first_deliveries(
    connection: psycopg.AsyncConnection[Any], job_ids: Sequence[UUID]
) -> Mapping[UUID, tuple[bytes, timedelta]]:
    """Return, by the job that handles it, the body of an alert and the time since it was received."""
    rows = await (await connection.execute(_FIRST, {"jobs": list(job_ids)})).fetchall()
    return {job_id: (body, age) for job_id, body, age in rows}
