"""Approvals: the entries of alerts and strategies that wait for a person, with all terms of the request."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Uuid, and_, cast, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.alerts import signals
from shared.db.alerts.signals import NewSignal
from shared.db.id_part import has_id_part
from shared.db.orders.reversals import RecordedReversal
from shared.db.rows import has_rows
from shared.db.tables.accounts import account
from shared.db.tables.alerts import alert, hook
from shared.db.tables.ledger import HAS_TIME, IS_UNFINISHED, job
from shared.db.tables.orders import entry_approval
from shared.domain.alerts.alert import AlertAction
from shared.domain.orders.approval import ApprovalState
from shared.domain.orders.order import OrderType, Origin, Side
from shared.domain.risk.preconditions import EntryTerms
from shared.fleets import Queue
from shared.ids import new_id


@dataclass(frozen=True, slots=True)
class EntryApproval:
    """A row of the table `entry_approval`; `quantity` is the most that is entered, also if it follows from `risk`."""

    id: UUID
    account_id: int
    contract_id: str
    origin: Origin
    alert_id: UUID | None
    strategy: str | None
    reason: str | None
    side: Side
    type: OrderType
    quantity: int
    risk: Decimal | None
    target_position: int | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    trail_price: Decimal | None
    stop_loss_ticks: int | None
    take_profit_ticks: int | None
    stop_loss: Decimal | None
    take_profit: Decimal | None
    breakeven_ticks: int | None
    trail_ticks: int | None
    correlation_id: UUID
    requested_at: datetime
    asked_at: datetime
    expires_at: datetime
    state: ApprovalState
    decided_at: datetime | None
    decided_by: str | None
    decision_reason: str | None
    outcome: str | None
    order_id: UUID | None
    closed_first: int  # what the alert had closed by then of what it reverses: `quantity` is the rest

    def find_opening(self, reversal: RecordedReversal) -> int:
        """Return how much may be opened after a reversal, which another job may have measured after the approval.

        With what it closes that is no more than was approved.
        """
        closed = 0 if self.closed_first else reversal.closing + reversal.offset
        return min(reversal.opening, max(0, self.quantity - closed))

    def entry_of(self, quantity: int) -> EntryTerms:
        """Return the terms of the entry that was requested, for so many contracts."""
        return EntryTerms(**{name: getattr(self, name) for name in _TERMS} | {"quantity": quantity})


_TERMS = tuple(EntryTerms.__dataclass_fields__)
_COLUMNS = [entry_approval.c[name] for name in EntryApproval.__dataclass_fields__]
_ENUMS = {"origin": Origin, "side": Side, "type": OrderType, "state": ApprovalState}
_IS_WAITING = entry_approval.c.state == ApprovalState.WAITING.value


def _row(row: Row[tuple[object, ...]]) -> EntryApproval:
    values: dict[str, Any] = dict(row._mapping)  # noqa: SLF001  # SQLAlchemy's documented name
    return EntryApproval(**values | {name: enum(values[name]) for name, enum in _ENUMS.items()})


def create(connection: Connection, entry: EntryTerms, lives: timedelta, source: Mapping[str, object]) -> EntryApproval:
    """Insert an approval that waits for `lives`, and return it; `source` has the other columns of the request."""
    terms = {name: getattr(entry, name) for name in _TERMS}
    statement = insert(entry_approval).values(id=new_id(), expires_at=func.now() + lives, **terms, **source)
    return _row(connection.execute(statement.returning(*_COLUMNS)).one())


def get(connection: Connection, approval_id: UUID) -> EntryApproval | None:
    """Return the approval, or None if there is none."""
    row = connection.execute(select(*_COLUMNS).where(entry_approval.c.id == approval_id)).one_or_none()
    return None if row is None else _row(row)


def find_by_id_part(connection: Connection, digits: str) -> list[EntryApproval]:
    """Return up to three approvals whose id begins or ends with these hexadecimal digits, newest first."""
    statement = select(*_COLUMNS).where(has_id_part(entry_approval.c.id, digits))
    return [_row(row) for row in connection.execute(statement.order_by(entry_approval.c.id.desc()).limit(3))]


def list_to_be_made(
    connection: Connection, account_id: int, contract_id: str, side: Side, *, before: UUID
) -> list[EntryApproval]:
    """Return the market entries of alerts on a side of a contract that wait for a person, or for their job after that.

    Only those of alerts received before an alert or a job, `before`, count; a strategy's is made only while flat.
    """
    unfinished = select(cast(job.c.arguments["approval_id"].astext, Uuid)).where(
        IS_UNFINISHED, HAS_TIME, job.c.queue == Queue.HIGH.value, job.c.name == "orders.enter_approved"
    )
    statement = select(*_COLUMNS).where(
        entry_approval.c.account_id == account_id,
        entry_approval.c.contract_id == contract_id,
        entry_approval.c.side == side.value,
        entry_approval.c.type == OrderType.MARKET.value,
        entry_approval.c.alert_id < before,
        or_(
            _IS_WAITING & (entry_approval.c.expires_at > func.now()),
            and_(entry_approval.c.state == ApprovalState.APPROVED.value, entry_approval.c.id.in_(unfinished)),
        ),
    )
    return [_row(row) for row in connection.execute(statement)]


def list_rows(connection: Connection, *, is_decided_too: bool, limit: int) -> list[dict[str, Any]]:
    """Return the approvals that wait, or with `is_decided_too` all, newest first, with the names of account and hook.

    One whose time is over is shown as LAPSED, also before its job has recorded that.
    """
    is_waiting = _IS_WAITING & (entry_approval.c.expires_at > func.now())
    statement = (
        select(*_COLUMNS, account.c.name.label("account_name"), hook.c.name.label("hook"), is_waiting.label("waits"))
        .join(account, account.c.id == entry_approval.c.account_id)
        .outerjoin(alert, alert.c.id == entry_approval.c.alert_id)
        .outerjoin(hook, hook.c.id == alert.c.hook_id)
        .order_by(entry_approval.c.id.desc())
        .limit(limit)
    )
    if not is_decided_too:
        statement = statement.where(is_waiting)
    return [_to_shown(dict(row)) for row in connection.execute(statement).mappings()]


def _to_shown(row: dict[str, Any]) -> dict[str, Any]:
    waits = row.pop("waits")
    return row if waits or row["state"] != ApprovalState.WAITING else row | {"state": ApprovalState.LAPSED.value}


def decide(
    connection: Connection, approval_id: UUID, state: ApprovalState, *, by: str, reason: str | None = None
) -> bool:
    """Set the state of an approval that waits; False if another decision, or the end of its time, came first."""
    is_over = entry_approval.c.expires_at <= func.now()
    statement = update(entry_approval).where(
        entry_approval.c.id == approval_id, _IS_WAITING, is_over if state is ApprovalState.LAPSED else ~is_over
    )
    values = {"state": state.value, "decided_at": func.now(), "decided_by": by, "decision_reason": reason}
    return connection.execute(statement.values(**values)).rowcount == 1


def record_order(connection: Connection, approval_id: UUID, order_id: UUID, denial: str | None) -> bool:
    """End an approved entry as ORDERED, or DENIED if its order was; False if it has ended, or was not approved."""
    state = ApprovalState.ORDERED if denial is None else ApprovalState.DENIED
    return _end_approved(connection, approval_id, state, order_id=order_id, outcome=denial)


def end_without_order(
    connection: Connection, row: EntryApproval, state: ApprovalState, reason: str, decided_market_at: datetime
) -> bool:
    """End an approved entry of which no order was made, with its denied signal; False if it has ended already."""
    is_ended = _end_approved(connection, row.id, state, outcome=reason)
    if is_ended:
        record_denial(connection, row, reason, decided_market_at)
    return is_ended


def find_last_attempt(connection: Connection, row: EntryApproval) -> tuple[bool, str | None]:
    """Return whether a job still makes the approved entry, and the error of the last one that did or tried.

    One that closes what the entry reverses counts too: it closes nothing more once the alert has its denied signal.
    """
    unfinished = and_(IS_UNFINISHED, HAS_TIME)
    statement = select(unfinished, job.c.error).where(
        job.c.correlation_id == row.correlation_id,
        job.c.name == "orders.enter_approved",
        job.c.arguments["approval_id"].astext == str(row.id),
    )
    closing = select(job.c.id).where(
        job.c.correlation_id == row.correlation_id,
        job.c.name == "alerts.close_reversed",
        job.c.arguments["account_id"].astext == str(row.account_id),
        unfinished,
    )
    found = connection.execute(statement.order_by(job.c.id.desc()).limit(1)).one_or_none()
    is_being_made, error = (False, None) if found is None else (found[0], found[1])
    return is_being_made or has_rows(connection, closing), error


def _end_approved(connection: Connection, approval_id: UUID, state: ApprovalState, **values: object) -> bool:
    statement = update(entry_approval).where(
        entry_approval.c.id == approval_id, entry_approval.c.state == ApprovalState.APPROVED.value
    )
    return connection.execute(statement.values(state=state.value, **values)).rowcount == 1


def record_exit(
    connection: Connection, row: EntryApproval, order_id: UUID, note: str, decided_market_at: datetime
) -> bool:
    """End an approved entry, of which only an exit was made, as ORDERED, with its signal; False if it has ended."""
    is_ended = record_order(connection, row.id, order_id, denial=None)
    if is_ended:
        reason = f"{note}; approved by {row.decided_by}"
        _record_signal(
            connection, row, AlertAction.CLOSE, reason, decided_market_at=decided_market_at, verdict="accepted"
        )
    return is_ended


def record_denial(connection: Connection, row: EntryApproval, reason: str, decided_market_at: datetime) -> None:
    """Record the signal of an entry that was not approved, or not made after that."""
    _record_signal(connection, row, row.side, reason, decided_market_at=decided_market_at, verdict="denied")


def _record_signal(
    connection: Connection,
    row: EntryApproval,
    action: Side | AlertAction,
    reason: str,
    *,
    decided_market_at: datetime,
    verdict: str,
) -> None:
    signals.add(
        connection,
        NewSignal(
            id=new_id(),
            origin=row.origin,
            account_id=row.account_id,
            contract_id=row.contract_id,
            action=action,
            quantity=row.quantity,
            verdict=verdict,
            reason=reason,
            correlation_id=row.correlation_id,
            decided_market_at=decided_market_at,
            alert_id=row.alert_id,
            strategy=row.strategy,
        ),
    )
