"""Closes what a market entry reverses before what is left of it is opened, whether an alert or a person asks for it."""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from shared.clock import machine_now
from shared.db.accounts import accounts
from shared.db.accounts.installations import describe_read_only
from shared.db.alerts import awaited_entries, precedence
from shared.db.alerts.awaited_entries import EntryScope
from shared.db.orders import flatten_requests, orders, reversals, root_state
from shared.db.orders.orders import OrderRow
from shared.db.orders.reversals import RecordedReversal
from shared.db.orders.root_state import RootState
from shared.domain.orders.order import OrderState, OrderType, Origin, Role
from shared.domain.orders.poll_pace import poll_pause
from shared.domain.orders.reversal import Reversal, plan_reversal
from shared.errors import PostponedError, RefusedError
from shared.ledger.jobs.alerts import CloseReversed
from shared.ledger.ledger import Transaction
from workers.context import Context
from workers.orders.current_state import RETRY_AFTER, require_certain
from workers.orders.exit_permission import lock_and_require_may_exit
from workers.orders.reversal_close import require_active, require_closed
from workers.orders.sided_request import SidedRequest, leave_entries

_OTHER_CLOSE_FOR = timedelta(seconds=20)  # what it could not close is flattened after 15 s
_UNCONFIRMED = frozenset({OrderState.SUBMITTING, OrderState.IN_DOUBT, OrderState.WORKING})

log = logging.getLogger(__name__)


def close_reversed_first(
    ctx: Context, request: SidedRequest, state: RootState, recorded: RecordedReversal | None
) -> RecordedReversal | None:
    """Return the reversal once what it closes is closed, None for an entry that reverses nothing or is only recorded.

    That is so in shadow mode. `recorded` is what is known of the reversal from an earlier run. The close is an exit: no
    rule of entries denies it, and what it leaves to open is decided with it, once; that may be nothing.
    Raise PostponedError until so much is closed, and while an order on the other side may fill what it is to close, at
    most 15 s if something is held; an entry that may not be at the venue is not waited for, and is cancelled if it was
    not sent and all is closed. What is not closed after 15 s is flattened if it is all that is held, and else asked for
    again for an hour, or until a person's entry expires. Raise RefusedError if something is to be opened after a
    flatten or is held again, if what came late may be newer by now, once a later request closes it or has reversed it,
    at once if another installation trades the account, and RiskLimitError for one whose live orders were never on.
    """
    if recorded is not None:
        closed = require_closed(ctx, request, recorded)
        require_active(recorded, request.contract_id)
        return closed
    contract_id = request.contract_id
    reversal = plan_reversal(request.side, request.type, request.quantity, state.quantity(contract_id))
    if reversal is None:
        if request.type is OrderType.MARKET and state.is_arriving(contract_id, request.side.opposite):
            with ctx.transaction() as tx:
                _enqueue_closing_job(tx, ctx, request)
            raise PostponedError(
                f"an order against it in {contract_id} is not confirmed",
                poll_pause(machine_now() - ctx.job.enqueued_at),
            )
        return None
    with ctx.autocommit() as connection:
        account = accounts.get(connection, request.account_id)
    if account is not None and account.is_shadow:
        return None
    if account is not None and (read_only := describe_read_only(account, ctx.market_now)) is not None:
        raise RefusedError(read_only)
    limited = reversal.limit_to(request.most_opening)
    require_certain(leave_entries(ctx, request, state, limited.opening), [contract_id])
    _request_close(ctx, request, state, reversal)
    raise PostponedError(f"closing {reversal.closing} of {contract_id} before the entry", RETRY_AFTER)


def _request_close(ctx: Context, request: SidedRequest, state: RootState, reversal: Reversal) -> None:
    """Record what is closed and opened and request the close, once, with the account locked."""
    contract_id = request.contract_id
    with ctx.transaction() as tx:
        lock_and_require_may_exit(tx, ctx, request.account_id)
        _require_no_later_request(tx.connection, ctx, request)
        locked = root_state.read(tx.connection, request.account_id, request.root)
        limited = reversal.limit_to(request.most_opening)
        require_certain(leave_entries(ctx, request, locked, limited.opening), [contract_id])
        is_being_closed = precedence.has_open_reduction(tx.connection, request.account_id, contract_id)
        if is_being_closed or locked.quantity(contract_id) != state.quantity(contract_id):
            raise PostponedError(f"what is held of {contract_id} has just changed", RETRY_AFTER)
        other, since = (request.account_id, contract_id, request.side), machine_now() - _OTHER_CLOSE_FOR
        if reversals.is_other_unfinished(tx.connection, request.id, *other, since=since):
            raise PostponedError(f"another entry on its side is closing in {contract_id}", RETRY_AFTER)
        dropped: list[OrderRow] = []
        unconfirmed: list[OrderRow] = []
        if reversal.closes_all:
            dropped = _list_dropped(tx.connection, ctx, request, locked)
            if reversal.opening:
                unconfirmed = _list_unconfirmed(tx.connection, ctx, request, locked)
                arriving = _sum_left(unconfirmed)
                count = _count_dropped(tx.connection, request, locked, dropped, arriving)
                reversal = reversal.offset_by(count, arriving)
        if reversals.record(
            tx.connection,
            request.id,
            request.account_id,
            contract_id,
            side=request.side,
            reversal=reversal.limit_to(request.most_opening),
            unconfirmed={order.id: order.filled_quantity for order in unconfirmed},
        ):
            reason = f"an entry that closes all of {contract_id} was requested after this one"
            orders.cancel_created(
                tx.connection, request.account_id, contract_id, reason, only=[order.id for order in dropped]
            )
            _enqueue_close(tx, ctx, request, reversal)  # else the other job of the alert has, or has decided already


def _require_no_later_request(connection: Connection, ctx: Context, request: SidedRequest) -> None:
    """Raise RefusedError if the contract was closed or reversed after the entry was requested: it is held anew."""
    account_id, contract_id, since = request.account_id, request.contract_id, ctx.job.enqueued_at
    if request.stored is None and flatten_requests.was_closed_since(
        connection, account_id, contract_id, ctx.job.correlation_id, since
    ):
        raise RefusedError(flatten_requests.describe_later_close(contract_id))
    if reversals.was_reversed_since(connection, account_id, contract_id, request.side, after=request.id, since=since):
        raise RefusedError(reversals.describe_later_reversal(contract_id))


def _list_dropped(connection: Connection, ctx: Context, request: SidedRequest, state: RootState) -> list[OrderRow]:
    """Return the entries that were requested before, are not sent, and would only add to what is closed."""
    unsent = [
        order
        for order in state.without_entries(request.side, frozenset(OrderState)).orders
        if order.contract_id == request.contract_id and order.role is Role.ENTRY and order.state is OrderState.CREATED
    ]
    later = precedence.list_later_orders(
        connection, request.id, _requested_at(ctx, request), [order.id for order in unsent]
    )
    return [order for order in unsent if order.id not in later]


def _list_unconfirmed(connection: Connection, ctx: Context, request: SidedRequest, state: RootState) -> list[OrderRow]:
    """Return the market entries that were requested before, and that the venue may fill next or has filled."""
    found = [
        order
        for order in state.orders
        if (order.contract_id, order.side, order.role) == (request.contract_id, request.side.opposite, Role.ENTRY)
        and order.state in _UNCONFIRMED
        and order.type is OrderType.MARKET
    ]
    later = precedence.list_later_orders(
        connection, request.id, _requested_at(ctx, request), [order.id for order in found]
    )
    return [order for order in found if order.id not in later]


def _count_dropped(
    connection: Connection, request: SidedRequest, state: RootState, dropped: list[OrderRow], arriving: int
) -> int | None:
    """Return the contracts of the market entries that are dropped; None if one has no size, or they cannot be counted.

    Those are orders that are not sent, and entries that are still to be made: as the account is locked, none is both,
    and none is missed. `arriving` are those that the venue has not confirmed.
    """
    scope = EntryScope(request.id, request.account_id, request.contract_id, request.side.opposite)
    recorded = _sum_left(order for order in dropped if order.type is OrderType.MARKET)
    planned = recorded + arriving + state.planned_quantity(scope.contract_id, scope.side)
    try:
        with connection.begin_nested():
            awaited = awaited_entries.count_contracts(connection, scope, state, planned=planned)
    except Exception:  # an exit does not depend on it
        if connection.invalidated:
            raise  # the transaction is lost, and an outage counts as no attempt
        log.exception("request %s: the entries before it cannot be counted, so it opens nothing", request.id)
        return None
    return None if awaited is None else recorded + awaited


def _sum_left(entries: Iterable[OrderRow]) -> int:
    return sum(order.quantity - order.filled_quantity for order in entries)


def _requested_at(ctx: Context, request: SidedRequest) -> datetime:
    return ctx.job.enqueued_at if request.stored is None else request.stored.received_at


def _enqueue_close(tx: Transaction, ctx: Context, request: SidedRequest, reversal: Reversal) -> None:
    """Request the close, and see it through."""
    tx.enqueue(request.build_close(reversal.closing), key=f"reversal:{request.id}:{request.account_id}:first")
    _enqueue_closing_job(tx, ctx, request)


def _enqueue_closing_job(tx: Transaction, ctx: Context, request: SidedRequest) -> None:
    """Let what an alert closes not expire with its entry; it may have come before what it closes was known."""
    if request.origin is Origin.ALERT and ctx.job.name != CloseReversed.job_name():
        tx.enqueue_unless_queued(
            CloseReversed(alert_id=request.id, account_id=request.account_id, root=request.root.name),
            f"reversed:{request.id}:{request.account_id}",
        )
