"""Stores the alerts that arrive together, accepted and refused ones, in one statement."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import msgspec
import psycopg

from shared.domain.alerts.alert import Alert
from shared.ids import new_id

INSERT_ROWS: LiteralString = """
    INSERT INTO alert (id, hook_id, received_at, body, payload, dialect, action, root, sent_at, external_id, verdict,
                       reason, job_id)
    SELECT id, hook_id, coalesce(received_at, now()), decode(body, 'base64'), payload::jsonb, dialect, action, root,
           sent_at, external_id, CASE WHEN job_id IS NULL THEN 'refused' ELSE 'accepted' END, reason, job_id
    FROM json_to_recordset(%(alerts)s::json) AS alert (
        id uuid, hook_id uuid, received_at timestamptz, body text, payload text, dialect text, action text, root text,
        sent_at timestamptz, external_id text, reason text, job_id uuid)
"""
IF_NEW: LiteralString = "ON CONFLICT (id) DO NOTHING"
_FIRST: LiteralString = """
    SELECT job.id, alert.body, alert.received_at, now()
    FROM job JOIN alert ON alert.id = (job.arguments->>'alert_id')::uuid
    WHERE job.id = ANY(%(jobs)s::uuid[])
"""

# An alert that cannot be stored may name an account that is not there: then it is an event of the first one.
_REJECTED: LiteralString = """
    INSERT INTO account_event (id, account_id, kind, message)
    SELECT %(id)s, id, 'alerts_not_stored', %(message)s FROM account
    ORDER BY id IS DISTINCT FROM %(account)s::bigint, id LIMIT 1
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


@dataclass(frozen=True, slots=True)
class FirstDelivery:
    """The body of a stored alert, when it was received, and when that was read."""

    body: bytes
    received_at: datetime
    read_at: datetime


async def insert_alerts(connection: psycopg.AsyncConnection[Any], new: Sequence[NewAlert]) -> None:
    """Insert alerts; one that is stored already is left as it is."""
    await connection.execute(f"{INSERT_ROWS} {IF_NEW}", values_of(map(encode_alert, new)))


def encode_alert(new: NewAlert) -> msgspec.Raw:
    """Return an alert as a row of INSERT_ROWS."""
    row = {
        "id": new.id,
        "hook_id": new.hook_id,
        "received_at": new.received_at,
        "body": new.body,  # as base64
        "payload": new.payload,
        "dialect": new.dialect,
        "action": new.alert.kind if new.alert else None,
        "root": new.alert.root.name if new.alert else None,
        "sent_at": new.alert.sent_at if new.alert else None,
        "external_id": new.alert.external_id if new.alert else None,
        "reason": new.reason,
        "job_id": new.job_id,
    }
    return msgspec.Raw(msgspec.json.encode(row))


def values_of(rows: Iterable[msgspec.Raw]) -> dict[str, object]:
    """Return the values of a statement that has INSERT_ROWS."""
    return {"alerts": msgspec.json.encode(list(rows)).decode()}


async def find_first_deliveries(
    connection: psycopg.AsyncConnection[Any], job_ids: Sequence[UUID]
) -> Mapping[UUID, FirstDelivery]:
    """Return stored alerts by the job that handles each."""
    rows = await (await connection.execute(_FIRST, {"jobs": list(job_ids)})).fetchall()
    return {job_id: FirstDelivery(*delivery) for job_id, *delivery in rows}


async def record_rejected_alerts(
    connection: psycopg.AsyncConnection[Any], account_id: int | None, message: str
) -> None:
    """Record the event that accepted alerts stay in a file of the spool, as they could not be stored."""
    await connection.execute(_REJECTED, {"id": new_id(), "account": account_id, "message": message})
