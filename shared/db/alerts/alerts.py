"""Alerts: the raw bytes, the parsed payload, the verdict, and the job that acts on it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Connection,
    Insert,
    LargeBinary,
    Row,
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


def _payload(text: Any) -> Any:  # noqa: ANN401  # SQLAlchemy's cast has no narrower type here
    # Postgres parses the text, so that no number passes through a float.
    return cast(text, JSONB)


_ADD_ACCEPTED = insert(alert).values(  # built once: it is on the path of a request
    id=bindparam("new_id", type_=Uuid),
    hook_id=bindparam("hook", type_=Uuid),
    body=bindparam("raw", type_=LargeBinary),
    payload=_payload(bindparam("text", type_=Text)),
    external_id=bindparam("external", type_=Text),
    verdict="accepted",
    job_id=bindparam("job", type_=Uuid),
)


def add_accepted(
    alert_id: UUID, hook_id: UUID, body: bytes, external_id: str | None, job_id: UUID, *, is_storable: bool = True
) -> tuple[Insert, dict[str, object]]:
    """Return the insert of an accepted alert; `body` is UTF-8 JSON, and `is_storable` tells if jsonb can store it."""
    values = {"new_id": alert_id, "hook": hook_id, "raw": body, "text": body.decode() if is_storable else None}
    return _ADD_ACCEPTED, values | {"external": external_id, "job": job_id}


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


def _build_to_handle() -> Select[bytes, datetime, int, list[int], str | None]:
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
            alert.c.body,
            alert.c.received_at,
            hook.c.account_id,
            func.array(followers.scalar_subquery()).label("others"),
            denial.scalar_subquery().label("denial"),
        )
        .join(hook, hook.c.id == alert.c.hook_id)
        .where(alert.c.id == bindparam("alert", type_=Uuid))
    )


_TO_HANDLE = _build_to_handle()  # built once: it is on the path of an alert


def read_alert(
    connection: Connection, alert_id: UUID, account_id: int | None = None
) -> Row[bytes, datetime, int, list[int], str | None] | None:
    """Return an alert's body and time, its hook's account and followers, and an earlier denial; None without an alert.

    The denial is the reason why the alert was denied for `account_id`, or the hook's account, if it was; else None.
    """
    return connection.execute(_TO_HANDLE, {"alert": alert_id, "account": account_id}).one_or_none()


def first_delivery(job_id: UUID) -> Select[bytes, timedelta]:
    """Return the select of the body of the alert that a job handles, and of the time since it was received."""
    alert_id = cast(job.c.arguments["alert_id"].astext, Uuid)
    age = func.now() - alert.c.received_at
    return select(alert.c.body, age).join(job, alert.c.id == alert_id).where(job.c.id == job_id)
