"""The stops that the guard places: for contracts without one, and in the place of one that is too large."""

from datetime import timedelta
from decimal import Decimal

from sqlalchemy import Connection

from shared.clock import machine_now
from shared.db.orders import orders
from shared.db.orders.orders import OrderRow
from shared.db.orders.stops import find_rejected
from shared.domain.orders.order import OrderState, OrderType, Origin, Role, Side
from shared.domain.orders.stop_pace import pause_after
from shared.errors import PostponedError, RetryableError
from shared.ids import new_id
from workers.context import Context
from workers.orders.protection_state import ProtectionState
from workers.orders.protective_stop import find_stop_price
from workers.orders.submit import submit_order


def place_stop(
    ctx: Context, state: ProtectionState, quantity: int, pause: timedelta, price: Decimal | None = None
) -> str | None:
    """Place a stop for `quantity` contracts, at `price` or where the rules have it; return why the venue rejects it.

    None means that it has not. Raise PostponedError with `pause` while no price of the position is known, and
    RetryableError if the stop was certainly not sent.
    """
    order = _create_stop(ctx, state, quantity, pause, price)
    try:
        answer = submit_order(ctx, order)
    except RetryableError:  # no other job sends it: the next run places another
        cancel_unsent_stops(ctx, state)
        raise
    if answer.state is OrderState.IN_DOUBT:
        with ctx.ledger.engine.begin() as connection:
            orders.change_state(
                connection, order.id, [OrderState.SUBMITTING], OrderState.IN_DOUBT, reason=answer.reason
            )
    elif answer.state is OrderState.WORKING:
        with ctx.ledger.engine.begin() as connection:
            orders.change_state(
                connection, order.id, [OrderState.SUBMITTING], OrderState.WORKING, venue_order_id=answer.venue_order_id
            )
    return answer.reason if answer.state is OrderState.REJECTED else None


def replace_stop(ctx: Context, state: ProtectionState, too_large: OrderRow, quantity: int, pause: timedelta) -> bool:
    """Place a stop of the right size at the price of one that the venue does not shrink; return whether it took it.

    The too large one protects the position until then. None is placed while the last rejection is young.
    """
    with ctx.autocommit() as connection:
        if find_replacement_wait(connection, ctx, state) > timedelta(0):
            return False
    return place_stop(ctx, state, quantity, pause, too_large.stop_price) is None


def find_replacement_wait(connection: Connection, ctx: Context, state: ProtectionState) -> timedelta:
    """Return how long the guard waits before it places such a stop again, that the venue has rejected; else zero."""
    rejected = find_rejected(connection, state.account_id, state.contract.id, ctx.job.enqueued_at)
    if rejected.last_at is None or state.has_unconfirmed_stop:
        return timedelta(0)
    return max(pause_after(rejected.rejected_count) - abs(machine_now() - rejected.last_at), timedelta(0))


def cancel_unsent_stops(ctx: Context, state: ProtectionState) -> None:
    """Cancel the stops that a guard created and did not send: only one guard runs at a time, so none is in flight."""
    with ctx.ledger.engine.begin() as connection:
        reason = "its guard did not send it"
        orders.cancel_created(connection, state.account_id, state.contract.id, reason, Role.STOP_LOSS)


def _create_stop(
    ctx: Context, state: ProtectionState, quantity: int, pause: timedelta, price: Decimal | None
) -> OrderRow:
    with ctx.ledger.engine.begin() as connection:
        if price is None and state.position is not None:
            price = find_stop_price(connection, ctx, state.position, state.contract)
        if price is None:
            raise PostponedError(f"{state.contract.id}: the price of the position is not known yet", pause)
        return orders.create(
            connection,
            order_id=new_id(),
            account_id=state.account_id,
            contract_id=state.contract.id,
            origin=Origin.PROTECTOR,
            role=Role.STOP_LOSS,
            side=Side.SELL if state.quantity > 0 else Side.BUY,
            quantity=quantity,
            correlation_id=ctx.job.correlation_id,
            type_=OrderType.STOP,
            stop_price=price,
        )
