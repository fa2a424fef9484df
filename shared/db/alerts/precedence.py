"""The precedence of alerts: what was received or sent before one, and what of that is still to be done."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import (
    Connection,
    DateTime,
    Select,
    Uuid,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    true,
)

from shared.db.alerts.alerts import StoredAlert
from shared.db.rows import has_rows
from shared.db.tables.alerts import alert, hook, hook_follower, signal
from shared.db.tables.ledger import HAS_TIME, IS_UNFINISHED, job
from shared.db.tables.orders import orders
from shared.domain.alerts.alert import AlertAction
from shared.domain.alerts.hook_rules import apply_settings
from shared.domain.alerts.hook_settings import decode_settings
from shared.domain.alerts.parse import parse_alert
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import NEVER_SENT, Origin, Role, Side
from shared.fleets import Queue
from shared.ids import CLOCK_SKEW, lowest_id_at

ENTRY_KINDS = ("BUY", "SELL", "TARGET")
_REQUESTED_BY = case((orders.c.origin == Origin.MANUAL.value, orders.c.correlation_id), else_=signal.c.alert_id)
_LOOK_BACK = timedelta(minutes=10)  # before an alert was sent: senders' clocks differ, so one sent later may be there


def is_late(
    connection: Connection, stored: StoredAlert, kinds: tuple[str, ...], acted_on_by: int | None = None
) -> bool:
    """Whether an alert of the same hook and symbol was received before this one although it was sent later.

    Only those of `kinds` count, and with `acted_on_by`, an account, only those that were accepted on that account; one
    not handled yet does not count. Return False for an alert without a sending time.
    """
    return has_rows(connection, select_sent_later(stored, kinds, acted_on_by))


def select_sent_later(
    stored: StoredAlert, kinds: tuple[str, ...], acted_on_by: int | None = None
) -> Select[tuple[UUID]]:
    """Return the statement of `is_late`, which finds the alerts that were sent later."""
    if stored.sent_at is None:
        return select(alert.c.id).where(false())
    is_acted_on = exists().where(
        signal.c.alert_id == alert.c.id, signal.c.account_id == acted_on_by, signal.c.verdict == "accepted"
    )
    return select(alert.c.id).where(
        alert.c.hook_id == stored.hook_id,
        alert.c.root == stored.root,
        alert.c.verdict == "accepted",
        alert.c.id.between(lowest_id_at(min(stored.sent_at, stored.received_at) - _LOOK_BACK), stored.id),
        alert.c.id != stored.id,
        alert.c.sent_at > stored.sent_at,
        alert.c.action.in_(kinds),
        true() if acted_on_by is None else is_acted_on,
    )


def has_later_change(
    connection: Connection, stored: StoredAlert, account_id: int, actions: Sequence[AlertAction]
) -> bool:
    """Whether an alert of the same hook and symbol with one of these actions was received later, and acted on first."""
    statement = (
        select(signal.c.id)
        .join(alert, alert.c.id == signal.c.alert_id)
        .where(
            alert.c.hook_id == stored.hook_id,
            alert.c.root == stored.root,
            alert.c.id > stored.id,
            signal.c.account_id == account_id,
            signal.c.action.in_([action.value for action in actions]),
            signal.c.verdict == "accepted",
        )
    )
    return has_rows(connection, statement)


def awaits_entry(connection: Connection, stored: StoredAlert, account_id: int) -> bool:
    """Whether an entry that was received before this alert, for the same account and symbol, is still to be made."""
    return has_rows(connection, select_awaited(account_id, stored.root, ENTRY_KINDS, Queue.HIGH, before=stored.id))


def awaits_exit(connection: Connection, stored: StoredAlert, account_id: int) -> bool:
    """Whether an exit that was received before this alert, for the same account and symbol, is still to be requested.

    Exits and entries are on different queues, so an entry could run before the exit that its sender meant to be first.
    """
    return has_rows(connection, select_awaited_exits(stored, account_id))


def select_awaited_exits(stored: StoredAlert, account_id: int) -> Select[tuple[UUID]]:
    """Return the statement of `awaits_exit`."""
    return select_awaited(account_id, stored.root, ("CLOSE",), Queue.CRITICAL, before=stored.id)


def select_awaited(
    account_id: int, root: str | None, kinds: Sequence[str], queue: Queue, *, before: UUID
) -> Select[tuple[UUID]]:
    """Return alerts of these kinds, received before, with an unfinished job on a queue that concerns the account.

    The root of an alert is stored as its hook trades it, so other hooks count too.
    """
    hook_ids = select(hook.c.id).where(hook.c.account_id == account_id)
    is_of_hook = and_(job.c.name == "alerts.handle_alert", alert.c.hook_id.in_(hook_ids))
    is_of_follower = and_(
        job.c.name.in_(("alerts.handle_follower_alert", "orders.enter_approved")),
        job.c.arguments["account_id"].astext == str(account_id),
    )
    return (
        select(alert.c.id)
        .join(job, alert.c.id == cast(job.c.arguments["alert_id"].astext, Uuid))
        .where(
            IS_UNFINISHED,
            job.c.queue == queue.value,
            HAS_TIME,
            or_(is_of_hook, is_of_follower),
            alert.c.root == root,
            alert.c.action.in_(kinds),
            alert.c.id < before,
        )
    )


def has_later_alert(
    connection: Connection,
    account_id: int,
    root: str,
    kinds: Collection[str],
    *,
    since: datetime,
    stored: StoredAlert | None,
) -> bool:
    """Whether an alert of these kinds for the account and root was received after an entry was requested at `since`.

    If an alert requested it, `stored`, those received after that alert count, without one of the same hook that was
    sent before it.
    """
    return has_rows(connection, _select_later(account_id, root, kinds, since=since, stored=stored))


def has_later_cancel(connection: Connection, account_id: int, contract: Contract, stored: StoredAlert) -> bool:
    """Whether an alert that cancels the resting entries of the contract was received after `stored`, as above."""
    later = _select_later(account_id, contract.root, ("CANCEL",), since=stored.received_at, stored=stored)
    rows = connection.execute(later.with_only_columns(alert.c.body, alert.c.dialect, hook.c.settings))
    return any(
        apply_settings(parse_alert(row.body, row.dialect), decode_settings(row.settings)).symbol.names(contract.id)
        for row in rows
    )


def _select_later(
    account_id: int, root: str, kinds: Collection[str], *, since: datetime, stored: StoredAlert | None
) -> Select[tuple[UUID]]:
    follows = select(hook_follower.c.account_id).where(
        hook_follower.c.hook_id == hook.c.id,
        hook_follower.c.account_id == account_id,
        func.coalesce(hook_follower.c.unfollowed_at > alert.c.received_at, True),
    )
    is_later = [alert.c.received_at > since]
    if stored is not None:
        sent_at = literal(stored.sent_at, DateTime(timezone=True))
        was_sent_before = and_(alert.c.hook_id == stored.hook_id, alert.c.sent_at < sent_at)
        is_later = [alert.c.id > stored.id, func.coalesce(~was_sent_before, literal(value=True))]
    return (
        select(alert.c.id)
        .join(hook, hook.c.id == alert.c.hook_id)
        .where(
            alert.c.id >= lowest_id_at(since - CLOCK_SKEW) if stored is None else true(),
            alert.c.verdict == "accepted",
            alert.c.root == root,
            alert.c.action.in_(kinds),
            or_(hook.c.account_id == account_id, follows.exists()),
            *is_later,
        )
    )


def has_open_reduction(connection: Connection, account_id: int, contract_id: str) -> bool:
    """Whether a job that closes a part of a position is still to be done."""
    return has_rows(connection, select_open_reductions(account_id, contract_id))


def select_open_reductions(account_id: int, contract_id: str) -> Select[tuple[UUID]]:
    """Return the statement of `has_open_reduction`."""
    return select(job.c.id).where(
        IS_UNFINISHED,
        job.c.queue == Queue.CRITICAL.value,
        job.c.name == "orders.reduce_position",
        job.c.arguments["account_id"].astext == str(account_id),
        job.c.arguments["contract_id"].astext == contract_id,
    )


def list_entered_later(connection: Connection, stored: StoredAlert, account_id: int) -> set[tuple[str, Side]]:
    """Return contract and side of the entries of an account that were requested after an alert was received.

    An order made elsewhere counts as one, from when we knew it. An entry of another alert counts from the receipt of
    that alert, one that was denied or that shadow mode only recorded not at all.
    """
    statement = (
        select(orders.c.contract_id, orders.c.side)
        .outerjoin(signal, signal.c.id == orders.c.signal_id)
        .where(
            orders.c.account_id == account_id,
            orders.c.created_at > stored.received_at,
            or_(orders.c.role == Role.ENTRY.value, orders.c.origin == Origin.EXTERNAL.value),
            orders.c.state.not_in([state.value for state in NEVER_SENT]),
            func.coalesce(signal.c.alert_id > stored.id, True),
        )
    )
    return {(row.contract_id, Side(row.side)) for row in connection.execute(statement)}


def list_later_orders(
    connection: Connection, request_id: UUID, requested_at: datetime, order_ids: Collection[UUID]
) -> set[UUID]:
    """Return the entries requested after an alert or a job, `request_id`, which was received or enqueued at an instant.

    One of an alert or a person counts from when that was received or enqueued, as its job may have waited.
    """
    statement = (
        select(orders.c.id)
        .outerjoin(signal, signal.c.id == orders.c.signal_id)
        .where(
            orders.c.id.in_(order_ids),
            func.coalesce(request_id < _REQUESTED_BY, orders.c.created_at > requested_at),
        )
    )
    return set(connection.execute(statement).scalars())
