"""Polls the venue for the fills and bracket legs of an order that it accepted."""

from dataclasses import replace
from datetime import timedelta

from shared.clock import machine_now
from shared.db.orders import fills, orders
from shared.db.orders.orders import OrderRow
from shared.domain.orders.order import OrderState, OrderType
from shared.domain.orders.poll_pace import LEFT_TO_RECONCILE_AFTER, poll_pause
from shared.errors import PostponedError, RefusedError
from shared.ledger.jobs.orders import PollFills
from workers.context import Context
from workers.orders import venue_state, venue_view
from workers.orders.resolve_in_doubt_order import OVERLAP
from workers.task import task

# A market order is filled some 10 ms after it is accepted, and the hub reports it: the poll is for a missing report.
FIRST_POLL_AFTER = timedelta(seconds=0.3)
NARROW_OVERLAP = timedelta(seconds=2)


@task(PollFills)
def poll_fills(job: PollFills, ctx: Context) -> dict[str, str | int | None]:
    """Record the order's fills, stop and target; a second run records nothing twice.

    An order that rests in the market is polled once: the hub, or the next reconcile, reports its later states. Raise
    PostponedError while a market order is not filled yet.
    """
    with ctx.autocommit() as connection:
        order = orders.get(connection, job.order_id)
    if order is None:
        raise RefusedError(f"order {job.order_id} does not exist")
    if _is_reported(ctx, order):
        return _build_result(ctx, order)
    age = machine_now() - (order.submitted_at or machine_now())
    # At first a short search, which stays quick on a busy account; a longer one in case the two clocks disagree.
    overlap = NARROW_OVERLAP if age < timedelta(seconds=1) else OVERLAP
    since = (order.submitted_market_at or ctx.market_now) - overlap
    listed = venue_view.fetch_orders_since(ctx, order.account_id, since)
    seen = listed.orders
    entry = next((one for one in seen if one.id == order.venue_order_id), None)
    is_waited_for = order.type is OrderType.MARKET and age < LEFT_TO_RECONCILE_AFTER
    if (entry is None or entry.state is None or not entry.state.is_final) and is_waited_for:
        raise PostponedError(f"order {order.id} is not filled yet", poll_pause(age))
    own_fills = [
        fill for fill in ctx.gateway.fills_since(order.account_id, since) if fill.order_id == order.venue_order_id
    ]
    own_orders = [one for one in seen if order.venue_order_id in {one.id, one.parent_order_id}]
    view = replace(listed, orders=own_orders, fills=own_fills)
    with ctx.transaction() as tx:
        venue_state.apply(tx, view)
        found = orders.get(tx.connection, order.id)
        price = fills.average_price_of(tx.connection, order.id)
    state = found.state if found else OrderState.IN_DOUBT
    # The venue shows the order as filled before it lists the fill: poll again rather than miss it.
    is_complete = state.is_final and (state is not OrderState.FILLED or price is not None)
    if not is_complete and is_waited_for:
        raise PostponedError(f"order {order.id} is {state}, its fill is not listed yet", poll_pause(age))
    return {"order": state, "average_fill_price": None if price is None else str(price)}


def _is_reported(ctx: Context, order: OrderRow) -> bool:
    """Whether the hub has already reported all of the order's fills and its bracket legs."""
    leg_count = (order.stop_loss_ticks is not None) + (order.take_profit_ticks is not None)
    with ctx.autocommit() as connection:
        return (
            order.state is OrderState.FILLED
            and fills.quantity_of(connection, order.id) == order.filled_quantity
            and orders.count_working_legs(connection, order.id) >= leg_count
        )


def _build_result(ctx: Context, order: OrderRow) -> dict[str, str | int | None]:
    with ctx.autocommit() as connection:
        price = fills.average_price_of(connection, order.id)
    return {"order": order.state, "average_fill_price": None if price is None else str(price)}
