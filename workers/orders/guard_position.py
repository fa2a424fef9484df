"""Proves that a working stop covers a position, else places one, else flattens; sweeps what is left when flat."""

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from sqlalchemy import Connection

from shared.clock import machine_now
from shared.db.accounts import accounts
from shared.db.market_data import contracts
from shared.db.orders import changes, fills, flatten_requests, orders, positions
from shared.db.orders.orders import OrderRow
from shared.db.orders.positions import PositionRow
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import ChangeKind, OrderState, OrderType, Origin, Role, Side
from shared.domain.orders.protection import ClosingOrder, ProtectionPlan, plan
from shared.errors import PostponedError, RetryableError
from shared.ids import new_id
from shared.ledger.jobs.orders import Flatten, GuardPosition
from workers.context import Context
from workers.orders import venue_state
from workers.orders.change_order import send
from workers.orders.resolve_in_doubt_order import OVERLAP
from workers.orders.submit import submit
from workers.task import task

# The venue's events tell of the stop within milliseconds of its fill; asking before that would ask too early.
GRACE = timedelta(seconds=0.25)
LOOK_EVERY = timedelta(seconds=0.1)
# By then a stop of our own must snapshot, or the position goes.
FLATTEN_AFTER = timedelta(seconds=1.4)
WHILE_VENUE_IS_AWAY = timedelta(seconds=0.5)
# For a position of which nobody said where its stop belongs: this part of what the account may still lose.
EXTERNAL_RISK_SHARE = Decimal("0.10")
_EXTERNAL_RISK_BUDGET = Decimal(2_000)  # of the smallest account, where no rule tells
_LEAST_TICKS = 4  # the venue takes no stop nearer than this; source: venue.md section 5.6
_LEFT_ALONE = "its owner: live orders were never on"
_ON_THEIR_WAY = {OrderState.CREATED, OrderState.SUBMITTING, OrderState.IN_DOUBT}
_SHOWN = {OrderState.WORKING}


@dataclass(frozen=True, slots=True)
class ProtectionState:
    """What our rows, the venue's words, say of one contract; `quantity` is signed."""

    contract: Contract
    quantity: int
    position: PositionRow | None
    open_orders: list[OrderRow]
    shown: frozenset[int] = frozenset()  # the venue's ids that it showed before it told the position

    @property
    def plan(self) -> ProtectionPlan:
        """What is to do."""
        return plan(self.quantity, [_closer(row, self.contract) for row in self.open_orders if row.state in _SHOWN])

    @property
    def has_stop_on_its_way(self) -> bool:
        """Whether a stop of ours was sent and is not shown so far."""
        return any(row.role is Role.STOP_LOSS and row.state in _ON_THEIR_WAY for row in self.open_orders)


@task(GuardPosition)
def guard_position(job: GuardPosition, ctx: Context) -> dict[str, str | int]:
    """Aim at a stop of the position's size; each run reads what is there first, so any number may run.

    One run snapshots for all that were asked for until it began.
    """
    with ctx.transaction() as tx:
        tx.supersede()
        account = accounts.get(tx.connection, job.account_id)
        if account is None or not ctx.may_act_for(account):
            fills.note_guarded(tx.connection, job.account_id, job.contract_id, _LEFT_ALONE)
            return {"left_to": _LEFT_ALONE}
        if flatten_requests.open_on(tx.connection, job.account_id, job.contract_id) is not None:
            return {"left_to": "a flatten_request"}
        seen = load_state(tx.connection, job.account_id, job.contract_id)
        if seen.plan.is_covered:
            _record_protection(tx.connection, job, seen)
        if seen.plan.is_empty:
            return _result(seen)
        newest, unguarded = fills.waiting(tx.connection, job.account_id, job.contract_id)
    now = machine_now()
    if newest is not None and now - newest < GRACE:
        raise PostponedError(f"{job.contract_id}: {_describe(seen)}; the venue may still tell", LOOK_EVERY)
    waited = now - (unguarded or ctx.job.enqueued_at)
    try:
        seen = _ask_venue(ctx, job, waited)
        if seen.plan.is_empty:
            return _result(seen)
        if seen.plan.missing and _must_flatten(ctx, job, seen, waited):
            return _flatten(ctx, job, f"no working stop within {waited.total_seconds():.1f} s")
        return _repair(ctx, job, seen)
    except PostponedError:
        raise
    except RetryableError as error:  # an attempt that the venue did not hear is none
        raise PostponedError(str(error), WHILE_VENUE_IS_AWAY) from error


def load_state(connection: Connection, account_id: int, contract_id: str) -> ProtectionState:
    """Return what our rows say of the contract."""
    held = [row for row in positions.of_account(connection, account_id) if row.contract_id == contract_id]
    return ProtectionState(
        contracts.require(connection, contract_id),
        held[0].quantity if held else 0,
        held[0] if held else None,
        orders.open_in(connection, account_id, contract_id),
    )


def _closer(row: OrderRow, contract: Contract) -> ClosingOrder:
    price = row.stop_price if row.stop_price is not None else row.limit_price
    return ClosingOrder(
        id=row.id,
        role=row.role,
        type=row.type,
        side=row.side,
        quantity=max(row.quantity - row.filled_quantity, 0),
        price=0 if price is None else int(price / contract.tick_size),
        is_ours=row.role is not Role.OTHER,
    )


def _record_protection(connection: Connection, job: GuardPosition, seen: ProtectionState) -> None:
    how = "flat"
    if seen.quantity:
        by_us = any(row.origin is Origin.PROTECTOR and row.state in _SHOWN for row in seen.open_orders)
        how = "a stop of the protector" if by_us else "the bracket's stop"
    fills.note_guarded(connection, job.account_id, job.contract_id, how)


def _ask_venue(ctx: Context, job: GuardPosition, waited: timedelta) -> ProtectionState:
    view = venue_state.fetch_current(ctx, job.account_id)
    with ctx.autocommit() as connection:
        known = positions.quantity_of(connection, job.account_id, job.contract_id)
    if venue_state.quantity_at_venue(view, job.contract_id) != known:  # a fill that nobody has told of
        view = venue_state.fetch_complete(ctx, job.account_id, ctx.market_now - OVERLAP)
    theirs = venue_state.quantity_at_venue(view, job.contract_id)
    with ctx.transaction() as tx:
        venue_state.apply(tx, view)
        shown = frozenset(order.id for order in view.orders)
        seen = replace(load_state(tx.connection, job.account_id, job.contract_id), shown=shown)
        ours = seen.quantity
        if ours != theirs and waited >= FLATTEN_AFTER:
            seen = replace(seen, quantity=theirs)  # the venue is right; reconcile finds out why
        if seen.quantity == theirs and seen.plan.is_covered:
            _record_protection(tx.connection, job, seen)
    if seen.quantity != theirs:
        raise PostponedError(f"{job.contract_id}: the venue holds {theirs}, our fills make {ours}", LOOK_EVERY)
    return seen


def _must_flatten(ctx: Context, job: GuardPosition, seen: ProtectionState, waited: timedelta) -> bool:
    """Whether our own stop had its chance: rejected, or not seen to work in time."""
    tried = _last_try(ctx, job)
    if tried is None:
        return False
    return tried.state is OrderState.REJECTED or (waited > FLATTEN_AFTER and not seen.plan.is_covered)


def _last_try(ctx: Context, job: GuardPosition) -> OrderRow | None:
    with ctx.autocommit() as connection:
        return orders.newest_stop_of_ours(connection, job.account_id, job.contract_id, ctx.job.enqueued_at)


def _repair(ctx: Context, job: GuardPosition, seen: ProtectionState) -> dict[str, str | int]:
    todo = seen.plan
    if any(row.state is OrderState.CREATED and row.role is Role.STOP_LOSS for row in seen.open_orders):
        _give_up_unsent(ctx, job)  # its guard was lost before it could send
        raise PostponedError(f"{job.contract_id}: a stop was intended and never sent; looking again", LOOK_EVERY)
    if todo.missing and not seen.has_stop_on_its_way:
        refusal = _place_stop(ctx, job, seen, todo.missing)
        if refusal is not None:
            return _flatten(ctx, job, f"the stop was rejected: {refusal}")
    rows = {row.id: row for row in seen.open_orders}
    for order_id in todo.cancels:
        if rows[order_id].venue_order_id not in seen.shown:
            continue  # it came to work after the position was told: it may guard a fill that we do not know of
        _change(ctx, rows[order_id], ChangeKind.CANCEL, "nothing is left for it to close")
    for order_id, quantity in todo.shrinks:
        _change(ctx, rows[order_id], ChangeKind.MODIFY, "larger than the position", quantity=quantity)
    raise PostponedError(f"{job.contract_id}: {_describe(seen)}; mended, looking again", LOOK_EVERY)


def _change(ctx: Context, order: OrderRow, kind: ChangeKind, reason: str, quantity: int | None = None) -> None:
    with ctx.ledger.engine.begin() as connection:
        change = changes.create(
            connection,
            order.id,
            kind,
            origin=Origin.PROTECTOR,
            reason=reason,
            correlation_id=order.correlation_id,
            quantity=None if quantity is None else order.filled_quantity + quantity,
        )
    if order.venue_order_id is not None:
        send(ctx, change, order)


def _place_stop(ctx: Context, job: GuardPosition, seen: ProtectionState, missing: int) -> str | None:
    """Place a stop for what has none; return why the venue rejects it, if it does."""
    order = _create_stop(ctx, job, seen, missing)
    try:
        answer = submit(ctx, order)
    except RetryableError:  # certainly not sent, and nobody else would send it: the next look places another
        _give_up_unsent(ctx, job)
        raise
    if answer.state is OrderState.IN_DOUBT:
        with ctx.ledger.engine.begin() as connection:
            orders.move(connection, order.id, [OrderState.SUBMITTING], OrderState.IN_DOUBT, reason=answer.reason)
    elif answer.state is OrderState.WORKING:
        with ctx.ledger.engine.begin() as connection:
            orders.move(
                connection, order.id, [OrderState.SUBMITTING], OrderState.WORKING, venue_order_id=answer.venue_order_id
            )
    return answer.reason if answer.state is OrderState.REJECTED else None


def _give_up_unsent(ctx: Context, job: GuardPosition) -> None:
    """Cancel the stops that a guard has intended and not sent: one guards at a time, so none is on its way any more."""
    with ctx.ledger.engine.begin() as connection:
        reason = "its guard did not send it"
        orders.cancel_created(connection, job.account_id, job.contract_id, reason, Role.STOP_LOSS)


def _create_stop(ctx: Context, job: GuardPosition, seen: ProtectionState, missing: int) -> OrderRow:
    with ctx.ledger.engine.begin() as connection:
        price = _stop_price(connection, job, seen)
        return orders.create(
            connection,
            order_id=new_id(),
            account_id=job.account_id,
            contract_id=job.contract_id,
            origin=Origin.PROTECTOR,
            role=Role.STOP_LOSS,
            side=Side.SELL if seen.quantity > 0 else Side.BUY,
            quantity=missing,
            correlation_id=ctx.job.correlation_id,
            type_=OrderType.STOP,
            stop_price=price,
        )


def _stop_price(connection: Connection, job: GuardPosition, seen: ProtectionState) -> Decimal:
    """Return where the stop belongs: as far from the average price as the newest entry, or the account, says."""
    account = accounts.get(connection, job.account_id)
    entry = orders.newest_entry(connection, job.account_id, job.contract_id)
    ticks = entry.stop_loss_ticks if entry is not None else None
    ticks = ticks or (account.default_stop_ticks if account else None)
    if ticks is None:
        budget = _EXTERNAL_RISK_BUDGET * EXTERNAL_RISK_SHARE
        ticks = max(_LEAST_TICKS, int(budget / (abs(seen.quantity) * seen.contract.tick_value)))
    average = seen.position.average_price if seen.position else None
    basis = average if average is not None else (entry.average_fill_price if entry else None)
    if basis is None:
        raise PostponedError(f"{job.contract_id}: the price of the position is not known so far", LOOK_EVERY)
    nearest = int((basis / seen.contract.tick_size).to_integral_value())
    return (nearest - ticks * (1 if seen.quantity > 0 else -1)) * seen.contract.tick_size


def _flatten(ctx: Context, job: GuardPosition, reason: str) -> dict[str, str | int]:
    result: dict[str, str | int] = {"flattens": job.contract_id, "reason": reason}
    with ctx.transaction() as tx:
        accounts.lock(tx.connection, job.account_id)
        accounts.note(tx.connection, job.account_id, "unprotected", f"{job.contract_id}: {reason}; flattened")
        request = flatten_requests.ask(
            tx.connection,
            job.account_id,
            job.contract_id,
            origin=Origin.PROTECTOR,
            reason=reason,
            correlation_id=ctx.job.correlation_id,
        )
        tx.continue_with(result, Flatten(flatten_request_id=request))
    return result


def _result(seen: ProtectionState) -> dict[str, str | int]:
    return {"held": seen.quantity, "guarded_by": "a working stop" if seen.quantity else "flat, nothing working"}


def _describe(seen: ProtectionState) -> str:
    todo = seen.plan
    return f"{seen.quantity} held, {todo.missing} without a stop, {len(todo.cancels) + len(todo.shrinks)} too many"
