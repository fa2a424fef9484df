"""Wishes to be flat: kept until the venue's own word says so; while one is open nothing is entered there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Text, cast, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables.accounts import account
from shared.db.tables.ledger import job
from shared.db.tables.orders import flatten_request
from shared.domain.orders.order import Origin
from shared.ids import new_id


@dataclass(frozen=True, slots=True)
class FlattenRequestRow:
    """One wish to be flat: in a contract, or (None) in everything the account holds."""

    id: UUID
    account_id: int
    contract_id: str | None
    origin: str
    reason: str
    sweep_count: int
    progress: str | None
    asked_at: datetime
    flat_at: datetime | None

    def covers(self, contract_id: str) -> bool:
        """Whether it is about a contract."""
        return self.contract_id in {None, contract_id}


_COLUMNS = [flatten_request.c[name] for name in FlattenRequestRow.__dataclass_fields__]


def ask(
    connection: Connection,
    account_id: int,
    contract_id: str | None,
    *,
    origin: Origin,
    reason: str,
    correlation_id: UUID,
) -> UUID:
    """Keep a wish to be flat and return its id; the caller enqueues the job that fulfils it in the same commit."""
    flatten_request_id = new_id()
    connection.execute(
        insert(flatten_request).values(
            id=flatten_request_id,
            account_id=account_id,
            contract_id=contract_id,
            origin=origin,
            reason=reason,
            correlation_id=correlation_id,
        )
    )
    return flatten_request_id


def get(connection: Connection, flatten_request_id: UUID) -> FlattenRequestRow | None:
    """Return the wish, or None."""
    row = connection.execute(select(*_COLUMNS).where(flatten_request.c.id == flatten_request_id)).one_or_none()
    return None if row is None else FlattenRequestRow(*row)


def open_on(connection: Connection, account_id: int, contract_id: str | None = None) -> FlattenRequestRow | None:
    """Return an open wish that covers the contract (or, for None, the whole account), the oldest first."""
    covers = or_(flatten_request.c.contract_id.is_(None), flatten_request.c.contract_id == contract_id)
    statement = select(*_COLUMNS).where(
        flatten_request.c.account_id == account_id, flatten_request.c.flat_at.is_(None), covers
    )
    row = connection.execute(statement.order_by(flatten_request.c.id).limit(1)).one_or_none()
    return None if row is None else FlattenRequestRow(*row)


def these(connection: Connection, flattening_ids: Sequence[UUID]) -> list[FlattenRequestRow]:
    """Return these wishes, oldest first."""
    statement = select(*_COLUMNS).where(flatten_request.c.id.in_(flattening_ids)).order_by(flatten_request.c.id)
    return [FlattenRequestRow(*row) for row in connection.execute(statement)]


def forsaken(connection: Connection, longer_than: timedelta) -> list[FlattenRequestRow]:
    """Return the open wishes, older than that, which no job is about any more."""
    about = job.c.arguments["flatten_request_id"].astext == cast(flatten_request.c.id, Text)
    alive = select(job.c.id).where(job.c.name == "orders.flatten", job.c.state.in_(["queued", "running"]), about)
    statement = select(*_COLUMNS).where(
        flatten_request.c.flat_at.is_(None), flatten_request.c.asked_at < func.now() - longer_than, ~alive.exists()
    )
    return [FlattenRequestRow(*row) for row in connection.execute(statement.order_by(flatten_request.c.id))]


def note_sweep(connection: Connection, flatten_request_id: UUID, progress: str) -> None:
    """Keep how far it has come."""
    values: dict[str, Any] = {"sweep_count": flatten_request.c.sweep_count + 1, "progress": progress}
    connection.execute(update(flatten_request).where(flatten_request.c.id == flatten_request_id).values(**values))


def end(connection: Connection, flatten_request_id: UUID, venue_says: str) -> None:
    """Note that the venue said flat."""
    statement = update(flatten_request).where(
        flatten_request.c.id == flatten_request_id, flatten_request.c.flat_at.is_(None)
    )
    connection.execute(statement.values(flat_at=func.now(), progress=venue_says))


def newest(connection: Connection, *, limit: int) -> list[dict[str, Any]]:
    """Return the newest wishes, with their accounts' names."""
    statement = select(*_COLUMNS, account.c.name.label("account_name")).join(
        account, account.c.id == flatten_request.c.account_id
    )
    rows = connection.execute(statement.order_by(flatten_request.c.id.desc()).limit(limit))
    return [dict(row) for row in rows.mappings()]
