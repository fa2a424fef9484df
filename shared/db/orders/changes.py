"""Requests to cancel or modify orders: a row before the call, settled by the venue's report of the order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import takewhile
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Connection,
    Row,
    Text,
    Update,
    and_,
    any_,
    bindparam,
    case,
    cast,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables.orders import IDS, order_change, orders
from shared.domain.orders.order import ChangeKind, ChangeState, OrderState, Origin, Role
from shared.domain.orders.stop_pace import StopMoves
from shared.ids import CLOCK_SKEW, lowest_id_at, new_id

_OPEN = [state.value for state in ChangeState if not state.is_final]
_REJECTIONS_COUNTED = 10
_IS_STOP_MOVE = and_(
    order_change.c.kind == ChangeKind.MODIFY.value,
    order_change.c.origin == Origin.PROTECTOR.value,
    order_change.c.stop_price.is_not(None),
)
RESIZED_AGAIN_AFTER = timedelta(seconds=5)  # one refusal may be that of a moment, as at the cash open
_IS_REFUSED_RESIZE = and_(
    order_change.c.kind == ChangeKind.MODIFY.value,
    order_change.c.origin == Origin.PROTECTOR.value,
    order_change.c.quantity.is_not(None),
    order_change.c.state == ChangeState.REJECTED.value,
)
_FINAL = [state.value for state in OrderState if state.is_final]


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A request to change an order; a part that is None stays as it is."""

    id: UUID
    order_id: UUID
    kind: ChangeKind
    origin: Origin
    quantity: int | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    state: ChangeState
    outcome: str | None
    sent_count: int
    created_at: datetime
    submitted_at: datetime | None


_ENUMS = {"kind": ChangeKind, "origin": Origin, "state": ChangeState}
_COLUMNS = [order_change.c[name] for name in ChangeRow.__dataclass_fields__]


def _row(row: Row[tuple[object, ...]]) -> ChangeRow:
    values: dict[str, Any] = dict(row._mapping)  # noqa: SLF001  # SQLAlchemy's documented name
    return ChangeRow(**values | {name: enum(values[name]) for name, enum in _ENUMS.items()})


def create(
    connection: Connection,
    order_id: UUID,
    kind: ChangeKind,
    *,
    origin: Origin,
    reason: str,
    correlation_id: UUID,
    quantity: int | None = None,
    limit_price: Decimal | None = None,
    stop_price: Decimal | None = None,
) -> ChangeRow:
    """Insert a change and return it; a second cancel of an order returns the open one.

    One of the protector that another origin joins is no longer the protector's, who may drop his own.
    """
    if kind is ChangeKind.CANCEL and (open_cancel := find_open(connection, order_id, kind)) is not None:
        if open_cancel.origin is not Origin.PROTECTOR or origin is Origin.PROTECTOR:
            return open_cancel
        joins = update(order_change).where(order_change.c.id == open_cancel.id, order_change.c.state.in_(_OPEN))
        joined = connection.execute(joins.values(origin=origin).returning(*_COLUMNS)).one_or_none()
        if joined is not None:
            return _row(joined)
    row = connection.execute(
        insert(order_change)
        .values(
            id=new_id(),
            order_id=order_id,
            kind=kind,
            quantity=quantity,
            limit_price=limit_price,
            stop_price=stop_price,
            state=ChangeState.CREATED,
            origin=origin,
            reason=reason,
            correlation_id=correlation_id,
        )
        .returning(*_COLUMNS)
    ).one()
    return _row(row)


def find_open(
    connection: Connection, order_id: UUID, kind: ChangeKind, quantity: int | None = None
) -> ChangeRow | None:
    """Return the newest change of this kind, to this quantity, that is not settled; None if there is none."""
    statement = select(*_COLUMNS).where(
        order_change.c.order_id == order_id,
        order_change.c.kind == kind.value,
        order_change.c.quantity.is_not_distinct_from(quantity),
        order_change.c.state.in_(_OPEN),
    )
    row = connection.execute(statement.order_by(order_change.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else _row(row)


def get(connection: Connection, change_id: UUID) -> ChangeRow | None:
    """Return the change, or None if there is none."""
    row = connection.execute(select(*_COLUMNS).where(order_change.c.id == change_id)).one_or_none()
    return None if row is None else _row(row)


def has_open(connection: Connection, order_id: UUID, kind: ChangeKind | None = None) -> bool:
    """Whether the order has a change, of one kind or of any, that is not settled."""
    statement = select(order_change.c.id).where(order_change.c.order_id == order_id, order_change.c.state.in_(_OPEN))
    if kind is not None:
        statement = statement.where(order_change.c.kind == kind.value)
    return connection.execute(statement.limit(1)).one_or_none() is not None


def list_outlived_cancels(connection: Connection, account_id: int) -> list[tuple[UUID, UUID]]:
    """Return the entries that work although their cancel has ended, with the correlation id of that cancel.

    The venue has listed them after they were given up as never received.
    """
    later = order_change.alias("later")
    is_open = select(later.c.id).where(
        later.c.order_id == orders.c.id, later.c.kind == ChangeKind.CANCEL.value, later.c.state.in_(_OPEN)
    )
    statement = (
        select(orders.c.id, func.max(cast(order_change.c.correlation_id, Text)))
        .join(order_change, order_change.c.order_id == orders.c.id)
        .where(
            orders.c.account_id == account_id,
            orders.c.state == OrderState.WORKING.value,
            orders.c.role == Role.ENTRY.value,
            order_change.c.kind == ChangeKind.CANCEL.value,
            order_change.c.state.in_([ChangeState.DONE.value, ChangeState.TOO_LATE.value]),
            ~is_open.exists(),
        )
        .group_by(orders.c.id)
    )
    return [(order_id, UUID(cause)) for order_id, cause in connection.execute(statement)]


def find_stop_moves(connection: Connection, order_id: UUID) -> StopMoves:
    """Return when the stop last moved by itself, and how many such moves the venue has rejected in a row since."""
    statement = select(order_change.c.state, order_change.c.created_at).where(
        order_change.c.order_id == order_id, _IS_STOP_MOVE
    )
    newest = connection.execute(statement.order_by(order_change.c.id.desc()).limit(_REJECTIONS_COUNTED)).all()
    rejected = list(takewhile(lambda row: row.state == ChangeState.REJECTED.value, newest))
    return StopMoves(newest[0].created_at if newest else None, len(rejected))


def list_refused_resizes(connection: Connection, order_ids: Sequence[UUID]) -> frozenset[UUID]:
    """Return those of these orders whose quantity the venue refuses to change: twice, RESIZED_AGAIN_AFTER apart."""
    created_at = order_change.c.created_at
    statement = select(order_change.c.order_id).where(order_change.c.order_id.in_(order_ids), _IS_REFUSED_RESIZE)
    is_lasting = func.max(created_at) - func.min(created_at) >= RESIZED_AGAIN_AFTER
    return frozenset(connection.execute(statement.group_by(order_change.c.order_id).having(is_lasting)).scalars())


def find_refused_resize_age(connection: Connection, order_id: UUID) -> timedelta | None:
    """Return how long ago the guard last asked for a quantity that the venue refused; None if it has refused none."""
    newest = select(func.clock_timestamp() - func.max(order_change.c.created_at))
    found: timedelta | None = connection.execute(
        newest.where(order_change.c.order_id == order_id, _IS_REFUSED_RESIZE)
    ).scalar_one()
    return found


def count_stop_moves(connection: Connection, since: datetime) -> int:
    """Return how many moves of stops by themselves were requested after `since`, over all accounts."""
    statement = select(func.count()).where(
        order_change.c.id >= lowest_id_at(since - CLOCK_SKEW),  # the table is never pruned
        order_change.c.created_at > since,
        _IS_STOP_MOVE,
    )
    return connection.execute(statement).scalar_one()


def change_state(connection: Connection, change_id: UUID, target: ChangeState, outcome: str | None = None) -> None:
    """Set the state of a change that is not settled."""
    values: dict[str, Any] = {"state": target.value}
    if outcome is not None:
        values["outcome"] = outcome
    if target is ChangeState.SUBMITTING:
        values |= {"submitted_at": func.now(), "sent_count": order_change.c.sent_count + 1}
    if target.is_final:
        values["settled_at"] = func.now()
    statement = update(order_change).where(order_change.c.id == change_id, order_change.c.state.in_(_OPEN))
    connection.execute(statement.values(**values))


def drop(connection: Connection, change_id: UUID, outcome: str) -> None:
    """End a change of the protector that was not sent, as it may not act any more."""
    statement = update(order_change).where(
        order_change.c.id == change_id,
        order_change.c.origin == Origin.PROTECTOR.value,
        order_change.c.state == ChangeState.CREATED.value,
    )
    connection.execute(statement.values(state=ChangeState.TOO_LATE.value, outcome=outcome, settled_at=func.now()))


def _build_settle() -> Update:
    is_cancel = order_change.c.kind == ChangeKind.CANCEL.value
    was_sent = order_change.c.sent_count > 0
    is_done = case(
        (is_cancel, orders.c.state == OrderState.CANCELLED.value),
        else_=was_sent
        & or_(order_change.c.quantity.is_(None), order_change.c.quantity == orders.c.quantity)
        & or_(order_change.c.limit_price.is_(None), order_change.c.limit_price == orders.c.limit_price)
        & or_(order_change.c.stop_price.is_(None), order_change.c.stop_price == orders.c.stop_price),
    )
    is_over = orders.c.state.in_(_FINAL)
    target = case((is_done, ChangeState.DONE.value), else_=ChangeState.TOO_LATE.value)
    statement = update(order_change).where(
        order_change.c.order_id == orders.c.id,
        orders.c.account_id == bindparam("account"),
        orders.c.venue_order_id == any_(bindparam("ids", type_=IDS)),
        order_change.c.state.in_(_OPEN),
        or_(is_done, is_over),
    )
    return statement.values(state=target, outcome=func.concat("the order is ", orders.c.state), settled_at=func.now())


_SETTLE = _build_settle()  # built once: it runs with every report


def settle(connection: Connection, account_id: int, venue_order_ids: Sequence[int]) -> None:
    """Settle the open changes of these orders by their rows, which hold the venue's latest report."""
    if venue_order_ids:
        connection.execute(_SETTLE, {"account": account_id, "ids": list(venue_order_ids)})


def list_open(connection: Connection, account_id: int) -> list[ChangeRow]:
    """Return the account's changes that are not settled, oldest first."""
    statement = select(*_COLUMNS).join(orders, orders.c.id == order_change.c.order_id)
    found = statement.where(orders.c.account_id == account_id, order_change.c.state.in_(_OPEN))
    return [_row(row) for row in connection.execute(found.order_by(order_change.c.id))]


def record_answer(connection: Connection, change_id: UUID, outcome: str) -> None:
    """Record the venue's answer; the state of the change stays."""
    statement = update(order_change).where(order_change.c.id == change_id, order_change.c.state.in_(_OPEN))
    connection.execute(statement.values(outcome=outcome))


def list_caused_by(connection: Connection, account_id: int, correlation_id: UUID, since: datetime) -> list[ChangeRow]:
    """Return the changes of the account's orders that one cause has requested after `since`, oldest first."""
    statement = select(*_COLUMNS).join(orders, orders.c.id == order_change.c.order_id)
    found = statement.where(
        order_change.c.id >= lowest_id_at(since - CLOCK_SKEW),  # the table is never pruned
        orders.c.account_id == account_id,
        order_change.c.correlation_id == correlation_id,
    )
    return [_row(row) for row in connection.execute(found.order_by(order_change.c.id))]
