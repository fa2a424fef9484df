"""Sends a created order to the venue; only a search that finds no such order lets it be sent again, under its tag."""

from datetime import timedelta

from shared.clock import machine_now
from shared.db.orders import orders
from shared.db.orders.orders import OrderRow
from shared.domain.orders.order import OrderState, Role
from shared.errors import HaltError, RefusedError, RetryableError, SettingsError
from shared.ledger.jobs.orders import PlaceOrder, PollFills, ResolveInDoubtOrder
from workers.context import Context
from workers.orders import resend
from workers.orders.exit_retry import MeasuredExit, request_exit_again
from workers.orders.poll_fills import FIRST_POLL_AFTER
from workers.orders.resolve_in_doubt_order import POLLS
from workers.orders.submit import PreparedOrder, SubmitResult, send_order, submit_order
from workers.task import task

_RETRY_EXIT_AFTER = timedelta(seconds=0.5)
_CHECKED_FOR = timedelta(seconds=5)  # how long the check of an entry holds


@task(PlaceOrder)
def place_order(job: PlaceOrder, ctx: Context) -> dict[str, str | None]:
    """Place the order if it was certainly never sent.

    A run without a handoff from the job that recorded the order sends no exit, which lets the position be read again,
    and nothing that it finds SUBMITTING: it marks the order IN_DOUBT and enqueues its resolution. Raise RefusedError
    when the order does not exist, is denied or rejected.
    """
    if isinstance(ctx.handoff, PreparedOrder) and ctx.handoff.order.id == job.order_id:
        prepared = ctx.handoff
        return _record_result(
            ctx, job, prepared.order, send_order(ctx, prepared.order, prepared.contract, prepared.lease_left)
        )
    with ctx.autocommit() as connection:
        order = orders.get(connection, job.order_id)
    if order is None:
        raise RefusedError(f"order {job.order_id} does not exist")
    if order.state is OrderState.SUBMITTING:
        return _mark_in_doubt(ctx, job, "the process that sent it was lost")
    if order.state is not OrderState.CREATED:
        return {"order": order.state}
    try:
        if order.role is Role.EXIT:
            ctx.gateway.ensure_token()  # a login may take long, and the position is to be known when the exit is sent
            if not (isinstance(ctx.handoff, MeasuredExit) and ctx.handoff.is_fresh(order.id)):
                reason = "the position was not read just before"
                return _retry_exit(ctx, order, reason, timedelta(0))
        answer = _submit_if_allowed(ctx, order)
    except (RetryableError, HaltError, SettingsError) as error:  # certainly not sent
        if order.role is not Role.EXIT:
            raise
        return _retry_exit(ctx, order, str(error), getattr(error, "retry_after", _RETRY_EXIT_AFTER))
    return _record_result(ctx, job, order, answer)


def _has_waited(order: OrderRow) -> bool:
    """Whether an entry was checked too long ago to be sent without asking the rules again."""
    now = machine_now()
    has_expired = order.expires_at is not None and order.expires_at <= now
    return order.role is Role.ENTRY and not has_expired and now - order.created_at > _CHECKED_FOR


def _submit_if_allowed(ctx: Context, order: OrderRow) -> SubmitResult:
    """Submit an order as `submit_order` does, unless it is an entry that has waited and the rules forbid it now."""
    if _has_waited(order):
        with ctx.transaction() as tx:
            obstacle = resend.find_obstacle(tx.connection, ctx, order)
            if obstacle is not None:
                reason = f"not sent at once, and no longer allowed: {obstacle}"
                orders.change_state(tx.connection, order.id, [OrderState.CREATED], OrderState.EXPIRED, reason=reason)
                return SubmitResult(OrderState.EXPIRED, reason=reason)
    return submit_order(ctx, order)


def _retry_exit(ctx: Context, order: OrderRow, reason: str, pause: timedelta) -> dict[str, str | None]:
    """Cancel an exit that was certainly not sent and enqueue a new one: its stop may have closed the position."""
    result: dict[str, str | None] = {"order": OrderState.CANCELLED, "reason": reason}
    with ctx.transaction() as tx:
        outcome = f"not sent, the position is read again: {reason}"
        if orders.change_state(tx.connection, order.id, [OrderState.CREATED], OrderState.CANCELLED, reason=outcome):
            request_exit_again(tx, order, pause)
        tx.finish(result)
    return result


def _record_result(ctx: Context, job: PlaceOrder, order: OrderRow, answer: SubmitResult) -> dict[str, str | None]:
    if answer.refusal is not None:
        raise answer.refusal
    if answer.state is OrderState.IN_DOUBT:
        return _mark_in_doubt(ctx, job, answer.reason or "")
    if answer.state is not OrderState.WORKING:
        return {"order": answer.state, "reason": answer.reason}
    result: dict[str, str | None] = {"order": OrderState.WORKING, "venue_order_id": str(answer.venue_order_id)}
    is_reported = ctx.user_hub.is_up()  # a report that is lost all the same is noticed by the risk-monitor
    with ctx.transaction() as tx:
        # Reconcile may have found the order at the venue before the answer came: then its row has that state already.
        orders.change_state(
            tx.connection,
            order.id,
            [OrderState.SUBMITTING],
            OrderState.WORKING,
            venue_order_id=answer.venue_order_id,
        )
        if not is_reported:
            tx.enqueue(PollFills(order_id=order.id), run_after=FIRST_POLL_AFTER)
        tx.finish(result)
    return result


def _mark_in_doubt(ctx: Context, job: PlaceOrder, reason: str) -> dict[str, str | None]:
    """Mark an order as in doubt, enqueue its resolution, and end the job that sent it."""
    result: dict[str, str | None] = {"order": OrderState.IN_DOUBT, "reason": reason}
    with ctx.transaction() as tx:
        if orders.change_state(
            tx.connection, job.order_id, [OrderState.SUBMITTING], OrderState.IN_DOUBT, reason=reason
        ):
            tx.enqueue(ResolveInDoubtOrder(order_id=job.order_id), run_after=POLLS[0])
        tx.finish(result)
    return result
