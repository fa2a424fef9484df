"""Sends an intended order to the venue, once."""

from datetime import timedelta
from uuid import UUID

from shared.db.orders import orders
from shared.db.orders.orders import OrderRow
from shared.domain.orders.order import OrderState, Role
from shared.errors import RefusedError, RetryableError
from shared.ledger.jobs.orders import PlaceOrder, PollFills, ReducePosition, ResolveInDoubtOrder
from workers.context import Context
from workers.orders.poll_fills import FIRST_LOOK_AFTER
from workers.orders.resolve_in_doubt_order import POLLS
from workers.orders.submit import PreparedOrder, SubmitResult, send, submit
from workers.task import task

_ASK_AGAIN = timedelta(seconds=0.5)


@task(PlaceOrder)
def place_order(job: PlaceOrder, ctx: Context) -> dict[str, str | None]:
    """Place the order if it was certainly never sent.

    A run that finds it SUBMITTING, and has no handoff from the run that made it so, does not send: it declares the
    outcome UNKNOWN and leaves it to be settled.
    """
    if isinstance(ctx.handoff, PreparedOrder) and ctx.handoff.order.id == job.order_id:
        made = ctx.handoff
        return _write_down(ctx, made.order, send(ctx, made.order, made.contract, made.lease_left))
    with ctx.autocommit() as connection:
        order = orders.get(connection, job.order_id)
    if order is None:
        raise RefusedError(f"order {job.order_id} does not exist")
    if order.state is OrderState.SUBMITTING:
        return mark_in_doubt(ctx, order.id, "the process that sent it was lost")
    if order.state is not OrderState.CREATED:
        return {"order": order.state}
    if order.role is Role.EXIT and ctx.job.attempt > 1:
        return _ask_anew(ctx, order, "its first sender was lost", timedelta(0))
    try:
        answer = submit(ctx, order)
    except RetryableError as error:
        if order.role is not Role.EXIT:
            raise
        return _ask_anew(ctx, order, str(error), getattr(error, "retry_after", _ASK_AGAIN))
    return _write_down(ctx, order, answer)


def _ask_anew(ctx: Context, order: OrderRow, why: str, pause: timedelta) -> dict[str, str | None]:
    """Give up an exit that was certainly not sent, and have the position read again: its stop may have closed it."""
    result: dict[str, str | None] = {"order": OrderState.CANCELLED, "reason": why}
    with ctx.transaction() as tx:
        reason = f"not sent, the position is read again: {why}"
        if orders.move(tx.connection, order.id, [OrderState.CREATED], OrderState.CANCELLED, reason=reason):
            request = ReducePosition(
                account_id=order.account_id, contract_id=order.contract_id, quantity=order.quantity
            )
            tx.enqueue(request, run_after=pause)
        tx.finish(result)
    return result


def _write_down(ctx: Context, order: OrderRow, answer: SubmitResult) -> dict[str, str | None]:
    if answer.refusal is not None:
        raise answer.refusal
    if answer.state is OrderState.IN_DOUBT:
        return mark_in_doubt(ctx, order.id, answer.reason or "")
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
        tx.enqueue(PollFills(order_id=order.id), run_after=FIRST_LOOK_AFTER)
        tx.finish(result)
    return result


def mark_in_doubt(ctx: Context, order_id: UUID, reason: str) -> dict[str, str | None]:
    """Leave an order of unknown fate to be settled, and end the job that sent it."""
    result: dict[str, str | None] = {"order": OrderState.IN_DOUBT, "reason": reason}
    with ctx.transaction() as tx:
        if orders.move(tx.connection, order_id, [OrderState.SUBMITTING], OrderState.IN_DOUBT, reason=reason):
            tx.enqueue(ResolveInDoubtOrder(order_id=order_id), run_after=POLLS[0])
        tx.finish(result)
    return result
