"""Audited acts: who changed what trading depends on, from where, and why; they are kept for good."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, select

from shared.db.tables.accounts import account, audit
from shared.ids import new_id


@dataclass(frozen=True, slots=True)
class Actor:
    """The one who acts: the user of the operating system, or `tickwork` itself, and the program and computer."""

    who: str
    origin: str


PROGRAM = Actor("tickwork", "a program of the stack")


def record_act(
    connection: Connection,
    actor: Actor,
    act: str,
    account_id: int | None,
    *,
    before: Mapping[str, object],
    after: Mapping[str, object],
    reason: str | None,
) -> None:
    """Record an act, on an account or (None) on none, with the values that it changed, before and after; no secret."""
    row = {
        "id": new_id(),
        "who": actor.who,
        "origin": actor.origin,
        "act": act,
        "account_id": account_id,
        "before": _to_document(before),
        "after": _to_document(after),
        "reason": reason,
    }
    connection.execute(insert(audit).values(**row))


def list_acts(connection: Connection, account_id: int | None, *, limit: int) -> list[dict[str, Any]]:
    """Return the acts on an account, or all, newest first."""
    columns = (*(audit.c[name] for name in _SHOWN), account.c.name.label("account"))
    statement = (
        select(*columns)
        .outerjoin_from(audit, account, account.c.id == audit.c.account_id)
        .order_by(audit.c.id.desc())
        .limit(limit)
    )
    if account_id is not None:
        statement = statement.where(audit.c.account_id == account_id)
    return [dict(row) for row in connection.execute(statement).mappings()]


_SHOWN = ("happened_at", "who", "origin", "act", "account_id", "before", "after", "reason")


def _to_document(values: Mapping[str, object]) -> dict[str, object]:
    return {name: _to_json(value) for name, value in values.items()}


def _to_json(value: object) -> object:
    match value:
        case Decimal():
            return str(value)
        case UUID():
            return str(value)
        case datetime() | date():
            return value.isoformat()
        case Mapping():
            return dict(value)
    return value
