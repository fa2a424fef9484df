"""Resolves an order in doubt: one whose submission had no clear answer."""

from datetime import timedelta
from uuid import UUID

from shared.clock import machine_now
from shared.db.orders import orders
from shared.domain.orders.order import OrderState, Role
from shared.errors import PostponedError, RefusedError
from shared.gateway.wire import VenueOrder
from shared.ledger.jobs.orders import PlaceOrder, PollFills, ResolveInDoubtOrder
from workers.context import Context
from workers.orders import resend, venue_state, venue_view
from workers.orders.exit_retry import request_exit_again
from workers.task import task

# When to fetch, in machine time from the call; after the last, the order counts as never sent. Source: venue.md 11.1.
POLLS = tuple(timedelta(seconds=seconds) for seconds in (0.5, 1, 2, 4, 8, 15))
# Searches reach further back than the call, in market time: the two sides' clocks need not agree.
OVERLAP = timedelta(minutes=2)


@task(ResolveInDoubtOrder)
def resolve_in_doubt_order(job: ResolveInDoubtOrder, ctx: Context) -> dict[str, str]:
    """Search the venue for the order's tag; a search may run any number of times.

    Found: apply its state. Not found until the last poll: the venue never received it, so an entry that has not expired
    and that the rules still allow is sent again under the same tag (the venue rejects a second order of one tag, for
    ever); any other becomes EXPIRED. Exits and stops also become EXPIRED and are never sent again: an exit is requested
    again, which reads the position first, and the guard places a new stop. Every reconcile of the trading day still
    searches for a tag that was given up.
    """
    with ctx.autocommit() as connection:
        order = orders.get(connection, job.order_id)
    if order is None:
        raise RefusedError(f"order {job.order_id} does not exist")
    if order.state is not OrderState.IN_DOUBT:
        return {"order": order.state}
    now = machine_now()
    submitted_at = order.submitted_at or now
    age = now - submitted_at
    with venue_view.postpone_refused_read(min(max(venue_view.RETRY_WHEN_REFUSED, age / 4), POLLS[-1])):
        view = venue_view.fetch(ctx, order.account_id, (order.submitted_market_at or ctx.market_now) - OVERLAP)
    found = view.with_tag(order.client_order_id)
    # A rejected one may be the second arrival of a request whose first was accepted and is not listed yet.
    if found is not None and (found.state is not OrderState.REJECTED or age > POLLS[-1]):
        if found.state is OrderState.REJECTED:
            return _finish_rejected(ctx, order.id, found)
        with ctx.transaction() as tx:
            venue_state.apply(tx, view)
            tx.enqueue(PollFills(order_id=order.id))
            tx.finish({"order": "found"})
        return {"order": "found"}
    later = [poll for poll in POLLS if poll > age]
    if later:
        raise PostponedError(
            f"order {order.id} not seen at the venue after {age.total_seconds():.1f} s", later[0] - age
        )
    with ctx.transaction() as tx:
        if order.role is not Role.ENTRY or (order.expires_at is not None and order.expires_at <= now):
            reason = f"never seen at the venue within {POLLS[-1].total_seconds():.0f} s, and not to be sent again"
            is_changed = orders.change_state(
                tx.connection, order.id, [OrderState.IN_DOUBT], OrderState.EXPIRED, reason=reason
            )
            if is_changed and order.role is Role.EXIT:
                request_exit_again(tx, order, pause=timedelta(0))
            return {"order": OrderState.EXPIRED}
        obstacle = resend.find_obstacle(tx.connection, ctx, order)
        if obstacle is not None:
            reason = f"never seen at the venue, and not sent again: {obstacle}"
            orders.change_state(tx.connection, order.id, [OrderState.IN_DOUBT], OrderState.EXPIRED, reason=reason)
            return {"order": OrderState.EXPIRED, "reason": reason}
        orders.change_state(tx.connection, order.id, [OrderState.IN_DOUBT], OrderState.CREATED)
        tx.enqueue(PlaceOrder(order_id=order.id))  # behind no alert: those received later wait for it
    return {"order": OrderState.CREATED, "reason": "absent at the venue: to be sent again under the same tag"}


def _finish_rejected(ctx: Context, order_id: UUID, found: VenueOrder) -> dict[str, str]:
    with ctx.transaction() as tx:
        reason = "rejected by the venue, found by a search for its tag"
        orders.change_state(tx.connection, order_id, [OrderState.IN_DOUBT], OrderState.REJECTED, reason=reason)
        orders.record_venue_order_id(tx.connection, order_id, found.id)
        tx.finish({"order": OrderState.REJECTED})
    return {"order": OrderState.REJECTED}
