"""Sends an intended order to the venue, once."""

from uuid import UUID

from shared.db import orders
from shared.db.orders import OrderRow
from shared.domain.order import OrderState
from shared.errors import RefusedError
from shared.ledger.jobs.orders import FindFills, PlaceOrder, SettleOrder
from workers.context import Context
from workers.orders.find_fills import FIRST_LOOK_AFTER
from workers.orders.settle_order import POLLS
from workers.orders.submit import Answer, Submitted, send, submit
from workers.task import task


@task(PlaceOrder)
def place_order(job: PlaceOrder, ctx: Context) -> dict[str, str | None]:
    """Place the order if it was certainly never sent.

    A run that finds it SUBMITTING, and was not handed it by the one who made it so, does not send: it declares the
    outcome UNKNOWN and leaves it to be settled.
    """
    if isinstance(ctx.handed, Submitted) and ctx.handed.order.id == job.order_id:
        made = ctx.handed
        return _write_down(ctx, made.order, send(ctx, made.order, made.contract, made.lease_left))
    with ctx.autocommit() as connection:
        order = orders.get(connection, job.order_id)
    if order is None:
        raise RefusedError(f"order {job.order_id} does not exist")
    if order.state is OrderState.SUBMITTING:
        return declare_unknown(ctx, order.id, "the process that sent it was lost")
    if order.state is not OrderState.INTENDED:
        return {"order": order.state}
    return _write_down(ctx, order, submit(ctx, order))


def _write_down(ctx: Context, order: OrderRow, answer: Answer) -> dict[str, str | None]:
    if answer.refusal is not None:
        raise answer.refusal
    if answer.state is OrderState.UNKNOWN:
        return declare_unknown(ctx, order.id, answer.reason or "")
    if answer.state is not OrderState.WORKING:
        return {"order": answer.state, "reason": answer.reason}
    result: dict[str, str | None] = {"order": OrderState.WORKING, "venue_order_id": str(answer.venue_order_id)}
    with ctx.transaction() as tx:
        # Reconcile may have met the order at the venue before the answer came: then it is written down already.
        orders.move(
            tx.connection,
            order.id,
            [OrderState.SUBMITTING],
            OrderState.WORKING,
            venue_order_id=answer.venue_order_id,
        )
        tx.enqueue(FindFills(order_id=order.id), run_after=FIRST_LOOK_AFTER)
        tx.finish(result)
    return result


def declare_unknown(ctx: Context, order_id: UUID, reason: str) -> dict[str, str | None]:
    """Leave an order of unknown fate to be settled, and end the job that sent it."""
    result: dict[str, str | None] = {"order": OrderState.UNKNOWN, "reason": reason}
    with ctx.transaction() as tx:
        if orders.move(tx.connection, order_id, [OrderState.SUBMITTING], OrderState.UNKNOWN, reason=reason):
            tx.enqueue(SettleOrder(order_id=order_id), run_after=POLLS[0])
        tx.finish(result)
    return result
