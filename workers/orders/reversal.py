"""Closes what a market entry reverses before what is left of it is opened, whether an alert or a person asks for it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NoReturn
from uuid import UUID

from sqlalchemy import Connection

from shared.clock import machine_now
from shared.db.accounts import accounts
from shared.db.accounts.installations import describe_read_only
from shared.db.alerts import precedence
from shared.db.alerts.alerts import StoredAlert
from shared.db.orders import flatten_requests, orders, reversals, root_state
from shared.db.orders.orders import OrderRow
from shared.db.orders.reversals import RecordedReversal
from shared.db.orders.root_state import RootState
from shared.db.risk import entry_check
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.orders.order import OrderState, OrderType, Origin, Role, Side, direction_of
from shared.domain.orders.poll_pace import poll_pause
from shared.domain.orders.reversal import Reversal, plan_reversal
from shared.domain.risk.preconditions import EntryTerms
from shared.errors import PostponedError, RefusedError, RiskLimitError
from shared.hot.quotes import exit_price_from
from shared.ledger.jobs.alerts import CloseReversed
from shared.ledger.jobs.orders import Flatten, ReducePosition
from shared.ledger.ledger import Transaction
from workers.context import Context
from workers.orders.current_state import RETRY_AFTER, WAIT_FOR, has_waited, read_root_state, require_certain
from workers.orders.exit_permission import lock_and_require_may_exit

_CLOSE_AGAIN_AFTER, _CLOSE_AGAIN_AFTER_AT_MOST = timedelta(seconds=1), timedelta(seconds=15)
_CLOSE_FOR = timedelta(hours=1)  # a part that the venue rejects; it is no longer the part that was meant
_UNSENT = frozenset({OrderState.CREATED, OrderState.SUBMITTING, OrderState.IN_DOUBT})


@dataclass(frozen=True, slots=True)
class SidedRequest:
    """An entry without a target position that may be against what is held.

    `id` is that of the alert, or of the job of an entry that no alert requested. The quantity of a copy need not be a
    whole number.
    """

    id: UUID
    account_id: int
    contract: Contract
    side: Side
    type: OrderType
    quantity: Decimal | int
    origin: Origin
    stored: StoredAlert | None = None  # that requests it
    awaited: int | None = 0  # by earlier market entries against it that are jobs yet; None if that is not known

    def build_close(self, quantity: int, requested_at: datetime | None = None) -> ReducePosition:
        """Return the request to close so many contracts against the entry, first made at `requested_at` or now."""
        return ReducePosition(
            account_id=self.account_id,
            contract_id=self.contract.id,
            quantity=quantity,
            direction=direction_of(-self.side.sign),
            requested_at=requested_at,
            origin=self.origin,
        )


def measure_quantity(
    ctx: Context, account_id: int, contract: Contract, entry: EntryTerms, *, risk: Decimal | None, state: RootState
) -> int:
    """Return the contracts of an entry; those of one by risk only if it is against what is held, else 0.

    Raise PostponedError and RiskLimitError as its sizing does.
    """
    if risk is None:
        return entry.quantity
    if state.quantity(contract.id) * entry.side.sign >= 0:
        return 0
    with ctx.autocommit() as connection:
        account = accounts.get(connection, account_id)
        if account is None:
            return 0
        return entry_check.size_by_risk(
            connection,
            account,
            contract,
            entry,
            risk,
            settings=ctx.settings,
            clock=ctx.clock,
            exit_prices=lambda held: exit_price_from(ctx.quotes.read(held)),
        )


def measure_or_close_all(
    ctx: Context, account_id: int, contract: Contract, entry: EntryTerms, *, risk: Decimal | None, state: RootState
) -> int:
    """Return what `measure_quantity` does, or all that is held against the entry if its size is not to be found.

    That is so without a valid stop, and if the risk covers no contract. Raise PostponedError while a quote is missing,
    at most 15 s.
    """
    against = max(0, -state.quantity(contract.id) * entry.side.sign)
    try:
        return measure_quantity(ctx, account_id, contract, entry, risk=risk, state=state) or against
    except RiskLimitError:
        return against
    except PostponedError:
        if has_waited(ctx):
            return against
        raise


def close_reversed_first(
    ctx: Context, request: SidedRequest, state: RootState, recorded: RecordedReversal | None
) -> RecordedReversal | None:
    """Return the reversal once what it closes is closed, None for an entry that reverses nothing or is only recorded.

    That is so in shadow mode. `recorded` is what is known of the reversal from an earlier run. The close is an exit: no
    rule of entries denies it, and what it leaves to open is decided with it, once; that may be nothing.
    Raise PostponedError until so much is closed, and while an order on the other side may fill what it is to close, at
    most 15 s if something is held; an entry that may not be at the venue is not waited for, and is cancelled if it was
    not sent and all is closed. What is not closed after 15 s is flattened if it is all that is held, and else asked for
    again for an hour. Raise RefusedError if something is to be opened after a flatten or is held again, at once if
    another installation trades the account, and RiskLimitError for one whose live orders were never on.
    """
    if recorded is not None:
        _require_closed(ctx, request, recorded)
        return recorded
    contract_id = request.contract.id
    reversal = plan_reversal(request.side, request.type, request.quantity, state.quantity(contract_id))
    if reversal is None:
        if request.type is OrderType.MARKET and state.is_arriving(contract_id, request.side.opposite):
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
    require_certain(_leave_entries(ctx, request, state, reversal.opening), [contract_id])
    with ctx.transaction() as tx:
        lock_and_require_may_exit(tx, ctx, request.account_id)
        locked = root_state.read(tx.connection, request.account_id, ROOTS[request.contract.root])
        require_certain(_leave_entries(ctx, request, locked, reversal.opening), [contract_id])
        is_being_closed = precedence.has_open_reduction(tx.connection, request.account_id, contract_id)
        if is_being_closed or locked.quantity(contract_id) != state.quantity(contract_id):
            raise PostponedError(f"what is held of {contract_id} has just changed", RETRY_AFTER)
        other = (request.account_id, contract_id, request.side)
        if not has_waited(ctx) and reversals.is_other_unfinished(tx.connection, request.id, *other):
            raise PostponedError(f"another entry on its side is closing in {contract_id}", RETRY_AFTER)
        dropped = _list_dropped(tx.connection, ctx, request, locked) if reversal.closes_all else []
        if reversal.closes_all:  # nothing offsets an entry that is dropped
            offset = sum(order.quantity for order in dropped if order.type is OrderType.MARKET)
            opening = 0 if request.awaited is None else reversal.opening - request.awaited - offset
            reversal = reversal._replace(opening=max(0, opening))
        if reversals.record(
            tx.connection, request.id, request.account_id, contract_id, side=request.side, reversal=reversal
        ):
            reason = f"an entry that closes all of {contract_id} was requested after this one"
            orders.cancel_created(
                tx.connection, request.account_id, contract_id, reason, only=[order.id for order in dropped]
            )
            _enqueue_close(tx, ctx, request, reversal)  # else the other job of the alert has, or has decided already
    raise PostponedError(f"closing {reversal.closing} of {contract_id} before the entry", RETRY_AFTER)


def _list_dropped(connection: Connection, ctx: Context, request: SidedRequest, state: RootState) -> list[OrderRow]:
    """Return the entries that were requested before, are not sent, and would only add to what is closed."""
    unsent = [
        order
        for order in state.without_entries(request.side, frozenset(OrderState)).orders
        if order.contract_id == request.contract.id and order.role is Role.ENTRY and order.state is OrderState.CREATED
    ]
    if request.stored is None:
        return [order for order in unsent if order.created_at < ctx.job.enqueued_at]
    later = precedence.list_later_orders(connection, request.stored, [order.id for order in unsent])
    return [order for order in unsent if order.id not in later]


def _enqueue_close(tx: Transaction, ctx: Context, request: SidedRequest, reversal: Reversal) -> None:
    """Request the close; see it through also if the job of an alert's entry, which expires, has requested it."""
    tx.enqueue(request.build_close(reversal.closing), key=f"reversal:{request.id}:{request.account_id}:first")
    if request.origin is Origin.ALERT and ctx.job.name != CloseReversed.job_name():
        tx.enqueue(
            CloseReversed(alert_id=request.id, account_id=request.account_id, root=request.contract.root),
            key=f"reversed:{request.id}:{request.account_id}:until-closed",
        )


def _leave_unsent(request: SidedRequest, state: RootState, opening: int) -> RootState:
    """Return the state without the entries that may not be at the venue, and which only add to what is held.

    Before something is opened, one that may be there counts: it is a part of what is to be reversed.
    """
    return state.without_entries(request.side.opposite, frozenset({OrderState.CREATED}) if opening else _UNSENT)


def _leave_entries(ctx: Context, request: SidedRequest, state: RootState, opening: int) -> RootState:
    """Return the state without the entries that are not waited for: after 15 s none is, but each exit always.

    An exit that may have filled is not to be requested again.
    """
    if not has_waited(ctx):
        return _leave_unsent(request, state, opening)
    every = frozenset(OrderState)
    return state.without_entries(Side.BUY, every).without_entries(Side.SELL, every)


def describe_closed(ctx: Context, request: SidedRequest, recorded: RecordedReversal) -> dict[str, str]:
    """Return the exit of an entry that leaves nothing to open; raise RefusedError if something else has closed all."""
    contract_id = request.contract.id
    with ctx.autocommit() as connection:
        order_id = orders.find_exit(connection, request.account_id, contract_id, ctx.job.correlation_id)
    if order_id is None:
        raise RefusedError(f"nothing is held of {contract_id} any more: nothing to close")
    return {"order_id": str(order_id), "note": f"{recorded.closing} of {contract_id} closed, and nothing opened"}


def _require_closed(ctx: Context, request: SidedRequest, recorded: RecordedReversal) -> None:
    """Raise PostponedError while the position is not closed; request that again, as its exit may have been rejected.

    The position is read after the exits: one that fills meanwhile counts as none of them, and shows in the position.
    What is held after the close was made by something else later, and nothing is opened against that.
    """
    contract_id, account_id = request.contract.id, request.account_id
    with ctx.autocommit() as connection:
        if precedence.has_open_reduction(connection, account_id, contract_id):
            raise PostponedError(f"closing {recorded.closing} of {contract_id} before the entry", RETRY_AFTER)
        exited = orders.count_exited(connection, account_id, contract_id, ctx.job.correlation_id)
    state = read_root_state(ctx, account_id, ROOTS[request.contract.root])
    is_exited = exited >= recorded.closing
    is_final = is_exited and bool(recorded.opening)
    certain = (
        _leave_unsent(request, state, recorded.opening) if is_final else _leave_entries(ctx, request, state, opening=0)
    )
    require_certain(certain, [contract_id])
    if recorded.opening:
        _require_no_flatten(ctx, request, recorded)
    if state.quantity(contract_id) * request.side.sign >= 0 or (is_exited and not recorded.opening):
        return
    if is_exited:
        raise RefusedError(f"{contract_id} is held against it again, and was closed once")
    waited, missing = machine_now() - recorded.requested_at, recorded.closing - exited
    if waited >= WAIT_FOR and recorded.closes_all and abs(state.quantity(contract_id)) <= missing:
        _flatten(ctx, request, recorded)
    if waited >= _CLOSE_FOR:
        raise RefusedError(f"{contract_id} could not be closed in time")
    with ctx.transaction() as tx:
        lock_and_require_may_exit(tx, ctx, account_id)
        is_being_closed = precedence.has_open_reduction(tx.connection, account_id, contract_id)
        exits = orders.count_exited(tx.connection, account_id, contract_id, ctx.job.correlation_id)
        locked = root_state.read(tx.connection, account_id, ROOTS[request.contract.root])
        require_certain(_leave_entries(ctx, request, locked, opening=0), [contract_id])
        if is_being_closed or exits != exited:  # by the other job of the alert, since it was read
            raise PostponedError(f"closing {recorded.closing} of {contract_id} before the entry", RETRY_AFTER)
        close = request.build_close(missing, recorded.requested_at)
        tx.enqueue(close, key=f"reversal:{request.id}:{account_id}:{machine_now():%H%M%S}")
    pause = max(_CLOSE_AGAIN_AFTER, min(waited / 4, _CLOSE_AGAIN_AFTER_AT_MOST))
    raise PostponedError(f"{contract_id} is not closed yet, so it is closed again", pause)


def _require_no_flatten(ctx: Context, request: SidedRequest, recorded: RecordedReversal) -> None:
    """Raise RefusedError once a flatten of what is reversed was requested, by this job or the other one of an alert."""
    with ctx.autocommit() as connection:
        flattened = flatten_requests.list_contracts_requested_by(
            connection, request.account_id, ctx.job.correlation_id, recorded.requested_at
        )
    if request.contract.id in flattened:
        raise RefusedError(f"{request.contract.id} could not be closed in time, so it opens nothing")


def _flatten(ctx: Context, request: SidedRequest, recorded: RecordedReversal) -> NoReturn:
    """Request a flatten of what could not be closed in time, unless one is open; what would be opened is given up."""
    account_id, contract_id = request.account_id, request.contract.id
    with ctx.transaction() as tx:
        lock_and_require_may_exit(tx, ctx, account_id)
        held_side, since = request.side.opposite, recorded.requested_at
        if reversals.was_entered_since(tx.connection, account_id, contract_id, held_side, since):
            raise RefusedError(f"{contract_id} was entered against it again since its close was requested")
        if flatten_requests.find_open(tx.connection, account_id, contract_id) is None:
            flatten_request_id = flatten_requests.create(
                tx.connection,
                account_id,
                contract_id,
                origin=request.origin,
                reason="the exit of a market entry was rejected",
                correlation_id=ctx.job.correlation_id,
            )
            tx.enqueue(Flatten(flatten_request_id=flatten_request_id))
    if recorded.opening:
        raise RefusedError(f"{contract_id} could not be closed in time, so it opens nothing")
    raise PostponedError(f"{contract_id} could not be closed in time, so it is flattened", _CLOSE_AGAIN_AFTER)
