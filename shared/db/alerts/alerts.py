"""Alerts: the raw bytes, the parsed payload, the verdict, and the job that acts on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Connection,
    DateTime,
    Insert,
    LargeBinary,
    Select,
    Text,
    Uuid,
    bindparam,
    cast,
    func,
    insert,
    literal,
    null,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.db.tables.alerts import alert, hook, hook_follower, signal
from shared.db.tables.ledger import job
from shared.domain.alerts.alert import Alert
from shared.domain.alerts.hook_settings import HookSettings, decode_settings


def _payload(text: Any) -> Any:  # noqa: ANN401  # SQLAlchemy's cast has no narrower type here
    # Postgres parses the text, so that no number passes through a float.
    return cast(text, JSONB)


_ADD_ACCEPTED = insert(alert).values(  # built once: it is on the path of a request
    id=bindparam("new_id", type_=Uuid),
    hook_id=bindparam("hook", type_=Uuid),
    body=bindparam("raw", type_=LargeBinary),
    payload=_payload(bindparam("text", type_=Text)),
    dialect=bindparam("alert_dialect", type_=Text),
    action=bindparam("alert_action", type_=Text),
    root=bindparam("alert_root", type_=Text),
    sent_at=bindparam("sent", type_=DateTime(timezone=True)),
    external_id=bindparam("external", type_=Text),
    verdict="accepted",
    job_id=bindparam("job", type_=Uuid),
)


def add_accepted(
    alert_id: UUID, hook_id: UUID, body: bytes, alert: Alert, job_id: UUID, *, dialect: str = "tickwork"
) -> tuple[Insert, dict[str, object]]:
    """Return the insert of an accepted alert that was parsed from `body`, and its values."""
    return _ADD_ACCEPTED, {
        "new_id": alert_id,
        "hook": hook_id,
        "raw": body,
        "text": body.decode() if alert.is_storable and dialect == "tickwork" else None,
        "alert_dialect": dialect,
        "alert_action": alert.kind,
        "alert_root": alert.root.name,
        "sent": alert.sent_at,
        "external": alert.external_id,
        "job": job_id,
    }


def add_refused(alert_id: UUID, hook_id: UUID, body: bytes, reason: str, *, is_json: bool) -> Insert:
    """Return the insert of a refused alert; `is_json` if jsonb can store the body."""
    return insert(alert).values(
        id=alert_id,
        hook_id=hook_id,
        body=body,
        payload=_payload(literal(body.decode(), Text)) if is_json else null(),
        verdict="refused",
        reason=reason,
    )


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert as the receiver stored it, and its hook."""

    id: UUID
    body: bytes
    dialect: str
    received_at: datetime
    sent_at: datetime | None
    root: str | None
    hook_id: UUID
    hook_name: str
    settings: HookSettings
    is_hook_paused: bool
    account_id: int  # the hook's
    followers: Sequence[int]
    denial: str | None  # the reason why it was denied for the account in question, if it was


def _build_to_handle() -> Select[Any]:
    followers = (
        select(hook_follower.c.account_id)
        .where(hook_follower.c.hook_id == hook.c.id)
        .order_by(hook_follower.c.account_id)
    )
    account_id = func.coalesce(bindparam("account", type_=BigInteger), hook.c.account_id)
    denial = select(signal.c.reason).where(
        signal.c.alert_id == alert.c.id, signal.c.account_id == account_id, signal.c.verdict == "denied"
    )
    return (
        select(
            alert.c.id,
            alert.c.body,
            alert.c.dialect,
            alert.c.received_at,
            alert.c.sent_at,
            alert.c.root,
            alert.c.hook_id,
            hook.c.name.label("hook_name"),
            hook.c.settings,
            hook.c.paused_at.is_not(None).label("is_hook_paused"),
            hook.c.account_id,
            func.array(followers.scalar_subquery()).label("followers"),
            denial.scalar_subquery().label("denial"),
        )
        .join(hook, hook.c.id == alert.c.hook_id)
        .where(alert.c.id == bindparam("alert", type_=Uuid))
    )


_TO_HANDLE = _build_to_handle()  # built once: it is on the path of an alert


def read_alert(connection: Connection, alert_id: UUID, account_id: int | None = None) -> StoredAlert | None:
    """Return an alert with its hook, None if there is none; `denial` is that of `account_id`, or the hook's account."""
    row = connection.execute(_TO_HANDLE, {"alert": alert_id, "account": account_id}).one_or_none()
    if row is None:
        return None
    values = row._asdict()
    return StoredAlert(**values | {"settings": decode_settings(values["settings"])})


def first_delivery(job_id: UUID) -> Select[bytes, timedelta]:
    """Return the select of the body of the alert that a job handles, and of the time since it was received."""
    alert_id = cast(job.c.arguments["alert_id"].astext, Uuid)
    age = func.now() - alert.c.received_at
    return select(alert.c.body, age).join(job, alert.c.id == alert_id).where(job.c.id == job_id)
