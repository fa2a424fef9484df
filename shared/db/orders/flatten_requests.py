"""Flatten requests: open until the venue confirms flat, or dropped; while one is open no entry is submitted there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, DateTime, Select, Text, and_, cast, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.alerts.alerts import StoredAlert
from shared.db.rows import has_rows
from shared.db.tables.alerts import alert
from shared.db.tables.ledger import IS_UNFINISHED, job
from shared.db.tables.orders import flatten_request
from shared.domain.orders.order import Origin
from shared.ids import CLOCK_SKEW, lowest_id_at, new_id


@dataclass(frozen=True, slots=True)
class FlattenRequestRow:
    """A request to be flat: in one contract, or (None) in every contract of the account."""

    id: UUID
    account_id: int
    contract_id: str | None
    origin: str
    reason: str
    sweep_count: int
    progress: str | None
    correlation_id: UUID
    requested_at: datetime
    swept_at: datetime | None
    flat_at: datetime | None
    dropped_at: datetime | None

    def covers(self, contract_id: str) -> bool:
        """Whether the request includes this contract."""
        return self.contract_id in {None, contract_id}


_IS_OPEN = and_(flatten_request.c.flat_at.is_(None), flatten_request.c.dropped_at.is_(None))
_COLUMNS = [flatten_request.c[name] for name in FlattenRequestRow.__dataclass_fields__]


def create(
    connection: Connection,
    account_id: int,
    contract_id: str | None,
    *,
    origin: Origin,
    reason: str,
    correlation_id: UUID,
) -> UUID:
    """Insert a flatten request and return its id; the caller enqueues its job in the same transaction."""
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
    """Return the request, or None if there is none."""
    row = connection.execute(select(*_COLUMNS).where(flatten_request.c.id == flatten_request_id)).one_or_none()
    return None if row is None else FlattenRequestRow(*row)


def has_later_close(
    connection: Connection, account_id: int, contract_id: str, correlation_id: UUID, stored: StoredAlert
) -> bool:
    """Whether a close of the contract was requested after an alert was received, by another cause than that alert.

    One that was dropped has closed nothing, and does not count.
    A close that an alert requests counts from the receipt of that alert, as its job may have waited; one of the same
    hook that was sent before this alert does not count.
    """
    return has_rows(connection, select_later_closes(account_id, contract_id, correlation_id, stored))


def select_later_closes(
    account_id: int, contract_id: str, correlation_id: UUID, stored: StoredAlert
) -> Select[tuple[UUID]]:
    """Return the statement of `has_later_close`."""
    sent_at = literal(stored.sent_at, DateTime(timezone=True))
    was_sent_before = and_(alert.c.hook_id == stored.hook_id, alert.c.root == stored.root, alert.c.sent_at < sent_at)
    is_of_later_alert = (
        select(alert.c.id)
        .join(job, job.c.id == alert.c.job_id)
        .where(
            alert.c.id > stored.id,
            job.c.correlation_id == flatten_request.c.correlation_id,
            func.coalesce(~was_sent_before, literal(value=True)),
        )
        .exists()
    )
    return select(flatten_request.c.id).where(
        flatten_request.c.id >= lowest_id_at(stored.received_at - CLOCK_SKEW),
        flatten_request.c.account_id == account_id,
        or_(flatten_request.c.contract_id.is_(None), flatten_request.c.contract_id == contract_id),
        flatten_request.c.correlation_id != correlation_id,
        flatten_request.c.requested_at > stored.received_at,
        flatten_request.c.dropped_at.is_(None),
        or_(flatten_request.c.origin != Origin.ALERT, is_of_later_alert),
    )


def describe_later_close(contract_id: str) -> str:
    """Return why an entry is not made whose contract was closed after it was requested."""
    return f"{contract_id} was closed by a later request, so this entry is not made"


def was_closed_since(
    connection: Connection, account_id: int, contract_id: str, correlation_id: UUID, since: datetime
) -> bool:
    """Whether a close of the contract, or of the account, was requested after `since` by another cause, not dropped."""
    statement = select(flatten_request.c.id).where(
        flatten_request.c.id >= lowest_id_at(since - CLOCK_SKEW),
        flatten_request.c.account_id == account_id,
        or_(flatten_request.c.contract_id.is_(None), flatten_request.c.contract_id == contract_id),
        flatten_request.c.correlation_id != correlation_id,
        flatten_request.c.requested_at > since,
        flatten_request.c.dropped_at.is_(None),
    )
    return has_rows(connection, statement)


def find_open(connection: Connection, account_id: int, contract_id: str | None = None) -> FlattenRequestRow | None:
    """Return the oldest open request that covers the contract (or, for None, the whole account), or None."""
    covers = or_(flatten_request.c.contract_id.is_(None), flatten_request.c.contract_id == contract_id)
    statement = select(*_COLUMNS).where(flatten_request.c.account_id == account_id, _IS_OPEN, covers)
    row = connection.execute(statement.order_by(flatten_request.c.id).limit(1)).one_or_none()
    return None if row is None else FlattenRequestRow(*row)


def select_open_closes(account_id: int, contract_id: str) -> Select[tuple[UUID]]:
    """Return the open requests to close this contract; those for the whole account are no closes of it."""
    return select(flatten_request.c.id).where(
        flatten_request.c.account_id == account_id,
        flatten_request.c.contract_id == contract_id,
        _IS_OPEN,
    )


def list_contracts_requested_by(
    connection: Connection, account_id: int, correlation_id: UUID, since: datetime
) -> list[str]:
    """Return the contracts of which a job with this correlation id has requested a close after `since`."""
    statement = (
        select(flatten_request.c.contract_id)
        .distinct()
        .where(
            flatten_request.c.id >= lowest_id_at(since - CLOCK_SKEW),
            flatten_request.c.account_id == account_id,
            flatten_request.c.contract_id.is_not(None),
            flatten_request.c.correlation_id == correlation_id,
        )
        .order_by(flatten_request.c.contract_id)
    )
    return list(connection.execute(statement).scalars())


def list_by_ids(connection: Connection, flatten_request_ids: Sequence[UUID]) -> list[FlattenRequestRow]:
    """Return these requests, oldest first."""
    statement = select(*_COLUMNS).where(flatten_request.c.id.in_(flatten_request_ids)).order_by(flatten_request.c.id)
    return [FlattenRequestRow(*row) for row in connection.execute(statement)]


def list_orphaned(connection: Connection, longer_than: timedelta) -> list[FlattenRequestRow]:
    """Return the open requests, older than `longer_than`, that no queued or running job serves."""
    is_for_it = job.c.arguments["flatten_request_id"].astext == cast(flatten_request.c.id, Text)
    live_job = select(job.c.id).where(job.c.name == "orders.flatten", IS_UNFINISHED, is_for_it)
    statement = select(*_COLUMNS).where(
        _IS_OPEN,
        flatten_request.c.requested_at < func.now() - longer_than,
        ~live_job.exists(),
    )
    return [FlattenRequestRow(*row) for row in connection.execute(statement.order_by(flatten_request.c.id))]


def begin_sweep(connection: Connection, flatten_request_id: UUID) -> datetime:
    """Count a sweep of the request, one round of closes and cancels at the venue; return when it began, by Postgres."""
    statement = update(flatten_request).where(flatten_request.c.id == flatten_request_id)
    statement = statement.values(sweep_count=flatten_request.c.sweep_count + 1, swept_at=func.now())
    began_at: datetime = connection.execute(statement.returning(flatten_request.c.swept_at)).scalar_one()
    return began_at


def record_progress(connection: Connection, flatten_request_id: UUID, progress: str) -> None:
    """Record the last progress of the request."""
    statement = update(flatten_request).where(flatten_request.c.id == flatten_request_id)
    connection.execute(statement.values(progress=progress))


def drop(connection: Connection, flatten_request_id: UUID, reason: str) -> bool:
    """End an open request without its being flat; False if it has ended meanwhile."""
    statement = update(flatten_request).where(flatten_request.c.id == flatten_request_id, _IS_OPEN)
    done = connection.execute(statement.values(dropped_at=func.now(), progress=f"not flattened: {reason}"))
    return done.rowcount == 1


def find_leader(connection: Connection, request: FlattenRequestRow, within: timedelta) -> UUID | None:
    """Return the oldest open request that includes all of this one and began a sweep `within` this time, or None."""
    is_same = flatten_request.c.contract_id == request.contract_id  # never true for None
    includes = or_(flatten_request.c.contract_id.is_(None), is_same)
    statement = select(flatten_request.c.id).where(
        flatten_request.c.account_id == request.account_id,
        _IS_OPEN,
        flatten_request.c.id < request.id,
        flatten_request.c.swept_at > func.now() - within,
        includes,
    )
    return connection.execute(statement.order_by(flatten_request.c.id).limit(1)).scalar_one_or_none()


def finish(connection: Connection, request: FlattenRequestRow, venue_report: str, read_from: datetime) -> None:
    """Close the request, and those that it includes and that are older than `read_from`: the venue confirmed flat.

    `read_from` is when the last sweep began, before the venue was asked.
    """
    is_included = and_(
        flatten_request.c.requested_at < read_from,
        *(() if request.contract_id is None else (flatten_request.c.contract_id == request.contract_id,)),
    )
    statement = update(flatten_request).where(
        flatten_request.c.account_id == request.account_id,
        _IS_OPEN,
        or_(flatten_request.c.id == request.id, is_included),
    )
    connection.execute(statement.values(flat_at=func.now(), progress=venue_report))
