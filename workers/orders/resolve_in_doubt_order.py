"""Finds out what became of an order whose submission had no clear answer."""

from datetime import timedelta
from uuid import UUID

from shared.clock import machine_now
from shared.db.orders import orders
from shared.domain.orders.order import OrderState, Role
from shared.errors import PostponedError, RefusedError
from shared.gateway.wire import VenueOrder
from shared.ledger.jobs.orders import PlaceOrder, PollFills, ResolveInDoubtOrder
from workers.context import Context
from workers.orders import venue_state
from workers.task import task

# When to fetch, counted from the call, in machine time; after the last, absence is believed. Source: venue.md 11.1.
POLLS = tuple(timedelta(seconds=seconds) for seconds in (0.5, 1, 2, 4, 8, 15))
# Searches reach further back than the call, in market time: the two sides' clocks need not agree.
OVERLAP = timedelta(minutes=2)


def entries_key(account_id: int) -> str:
    """Return the sequence_key that the entries of one account share: one at a time, in the order they came."""
    return f"account:{account_id}:entries"


@task(ResolveInDoubtOrder)
def resolve_in_doubt_order(job: ResolveInDoubtOrder, ctx: Context) -> dict[str, str]:
    """Search the venue for the order's tag; a search may run any number of times.

    Found: adopt it. Not found until the horizon: the venue never had it, so an entry that is still wanted is sent again
    under the same tag (the venue refuses a second of one tag, for ever), and one that is not is EXPIRED. What is no
    entry is never sent again: whoever wanted it reads the position first and asks anew. A tag that was given up is
    still looked for by every reconcile of its trading day.
    """
    with ctx.autocommit() as connection:
        order = orders.get(connection, job.order_id)
    if order is None:
        raise RefusedError(f"order {job.order_id} does not exist")
    if order.state is not OrderState.IN_DOUBT:
        return {"order": order.state}
    now = machine_now()
    submitted_at = order.submitted_at or now
    view = venue_state.fetch(ctx.gateway, order.account_id, (order.submitted_market_at or ctx.market_now) - OVERLAP)
    age = now - submitted_at
    found = view.with_tag(order.client_order_id)
    # A rejected one may be the second arrival of a request whose first was accepted and is not shown so far.
    if found is not None and (found.state is not OrderState.REJECTED or age > POLLS[-1]):
        if found.state is OrderState.REJECTED:
            return _rejected(ctx, order.id, found)
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
            orders.move(tx.connection, order.id, [OrderState.IN_DOUBT], OrderState.EXPIRED, reason=reason)
            return {"order": OrderState.EXPIRED}
        orders.move(tx.connection, order.id, [OrderState.IN_DOUBT], OrderState.CREATED)
        tx.enqueue(PlaceOrder(order_id=order.id), sequence_key=entries_key(order.account_id), sequence_id=order.id)
    return {"order": "sent again under the same tag"}


def _rejected(ctx: Context, order_id: UUID, found: VenueOrder) -> dict[str, str]:
    with ctx.transaction() as tx:
        reason = "rejected by the venue, as a search for its tag has shown"
        orders.move(tx.connection, order_id, [OrderState.IN_DOUBT], OrderState.REJECTED, reason=reason)
        orders.name(tx.connection, order_id, found.id)
        tx.finish({"order": OrderState.REJECTED})
    return {"order": OrderState.REJECTED}
