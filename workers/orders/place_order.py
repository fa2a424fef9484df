"""Sends an intended order to the venue, once."""

from datetime import timedelta
from uuid import UUID

from shared.clock import machine_now
from shared.db import contracts, orders
from shared.db.orders import OrderRow
from shared.domain.order import OrderState
from shared.errors import AmbiguousOutcomeError, RefusedError, RetryableError
from shared.gateway.asker import TIMEOUT
from shared.gateway.errors import NotSentError
from shared.gateway.ticket import OrderTicket
from shared.ledger.jobs.orders import FindFills, PlaceOrder, SettleOrder
from workers.context import Context
from workers.orders.find_fills import FIRST_LOOK_AFTER
from workers.orders.settle_order import POLLS
from workers.task import task

_MARGIN = timedelta(seconds=0.5)


@task(PlaceOrder)
def place_order(job: PlaceOrder, ctx: Context) -> dict[str, str | None]:
    """Place the order if it was certainly never sent.

    A second run that finds it SUBMITTING does not send: it declares the outcome UNKNOWN and leaves it to be settled.
    """
    with ctx.ledger.engine.connect() as connection:
        order = orders.get(connection, job.order_id)
    if order is None:
        raise RefusedError(f"order {job.order_id} does not exist")
    if order.state is OrderState.SUBMITTING:
        return _declare_unknown(ctx, order.id, "the process that sent it was lost")
    if order.state is not OrderState.INTENDED:
        return {"order": order.state}
    if order.expires_at is not None and order.expires_at <= machine_now():
        return _end(ctx, order.id, OrderState.EXPIRED, f"not sent before {order.expires_at:%H:%M:%S} UTC")
    return _send(ctx, order)


def _send(ctx: Context, order: OrderRow) -> dict[str, str | None]:
    ctx.gateway.get_ready()  # a login may take long or fail, and must do so before anything is SUBMITTING
    with ctx.ledger.engine.begin() as connection:
        contract = contracts.known(connection, order.contract_id)
        submitted = {
            "submitted_at": machine_now(),
            "submitted_market_at": order.submitted_market_at or ctx.market_now,  # the first call: searches start there
        }
        if not orders.move(connection, order.id, [OrderState.INTENDED], OrderState.SUBMITTING, **submitted):
            return {"order": "moved by another"}
    try:
        _need_lease(ctx)
        ticket = OrderTicket(
            account_id=order.account_id,
            contract=contract,
            side=order.side,
            quantity=order.quantity,
            tag=order.client_order_id or str(order.id),
            stop_loss_ticks=order.stop_loss_ticks,
            take_profit_ticks=order.take_profit_ticks,
        )
        venue_order_id = ctx.gateway.place(ticket)
    except RetryableError:  # certainly not sent
        with ctx.ledger.engine.begin() as connection:
            orders.move(connection, order.id, [OrderState.SUBMITTING], OrderState.INTENDED)
        raise
    except RefusedError as error:
        _end(ctx, order.id, OrderState.REJECTED, str(error))
        raise
    except AmbiguousOutcomeError as error:
        return _declare_unknown(ctx, order.id, str(error))
    with ctx.transaction() as tx:
        # Reconcile may have met the order at the venue before the answer came: then it is written down already.
        orders.move(tx.connection, order.id, [OrderState.SUBMITTING], OrderState.WORKING, venue_order_id=venue_order_id)
        tx.enqueue(FindFills(order_id=order.id), run_after=FIRST_LOOK_AFTER)
        result: dict[str, str | None] = {"order": OrderState.WORKING, "venue_order_id": str(venue_order_id)}
        tx.finish(result)
    return result


def _need_lease(ctx: Context) -> None:
    """Never start a call that somebody else might repeat before it ends."""
    if not ctx.lease_outlasts(TIMEOUT + _MARGIN):
        raise NotSentError("the lease would not outlast the call")


def _declare_unknown(ctx: Context, order_id: UUID, reason: str) -> dict[str, str | None]:
    result: dict[str, str | None] = {"order": OrderState.UNKNOWN, "reason": reason}
    with ctx.transaction() as tx:
        if orders.move(tx.connection, order_id, [OrderState.SUBMITTING], OrderState.UNKNOWN, reason=reason):
            tx.enqueue(SettleOrder(order_id=order_id), run_after=POLLS[0])
        tx.finish(result)
    return result


def _end(ctx: Context, order_id: UUID, state: OrderState, reason: str) -> dict[str, str | None]:
    # The hub may have told of a rejection before the answer came, without a reason.
    sources = [OrderState.INTENDED, OrderState.SUBMITTING, *({OrderState.REJECTED} & {state})]
    with ctx.ledger.engine.begin() as connection:
        orders.move(connection, order_id, sources, state, reason=reason)
    return {"order": state, "reason": reason}
