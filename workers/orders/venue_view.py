"""Fetches an account's orders, fills and positions from the venue, and notices those of another installation."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.clock import machine_now
from shared.db.orders import fills, orders, positions
from shared.domain.accounts.installation import OtherInstallation
from shared.domain.orders.order import OrderState, direction_of
from shared.errors import HaltError, PostponedError, RateLimitedError, RefusedError, RetryableError
from shared.gateway.wire import VenueFill, VenueOrder, VenuePosition
from workers.context import Context
from workers.orders.other_installation import notice_others

RETRY_WHEN_UNREACHABLE = timedelta(seconds=0.5)
RETRY_WHEN_REFUSED = timedelta(seconds=2)
MAX_SINGLE = 20  # requested one by one; the rest at the next fetch


@dataclass(frozen=True, slots=True)
class VenueView:
    """One account's orders, fills and positions at the venue at one time.

    `foreign` are the ids of the orders of another installation, which are not applied to our rows; `other` is that
    installation, and None if no order of it is among these. All of it is at least as new as `requested_at`.
    """

    account_id: int
    orders: Sequence[VenueOrder]
    fills: Sequence[VenueFill] = ()
    positions: Sequence[VenuePosition] = ()
    other: OtherInstallation | None = None
    foreign: frozenset[int] = frozenset()
    requested_at: datetime = field(default_factory=machine_now)

    @property
    def applicable_orders(self) -> Sequence[VenueOrder]:
        """The orders to apply to our rows."""
        return [order for order in self.orders if order.id not in self.foreign]

    def with_tag(self, tag: str | None) -> VenueOrder | None:
        """Return the order with `tag`, or None, which within the first seconds does not prove that there is none.

        Of several orders, return the one that was not rejected: the venue accepts a tag once.
        """
        found = [order for order in self.orders if tag is not None and order.tag == tag]
        return min(found, key=lambda order: order.state is OrderState.REJECTED, default=None)


def notice(
    ctx: Context,
    account_id: int,
    shown: Sequence[VenueOrder],
    filled: Sequence[VenueFill] = (),
    held: Sequence[VenuePosition] = (),
    *,
    must_record: bool = True,
) -> VenueView:
    """Return what the venue has shown as a view; every order that this program reads comes by here.

    An order of another installation makes the account read-only before anything is applied or sent. With `must_record`,
    raise PostponedError while another session locks the account, so that this cannot be recorded.
    """
    others = notice_others(ctx, account_id, shown, must_record=must_record)
    held = _find_directions(ctx, account_id, held)
    return VenueView(account_id, shown, filled, held, others.other, others.foreign)


def _find_directions(ctx: Context, account_id: int, found: Sequence[VenuePosition]) -> Sequence[VenuePosition]:
    """Return the positions; one whose direction cannot be read has that of our rows, if they hold its contract."""
    if all(one.direction is not None for one in found):
        return found
    with ctx.autocommit() as connection:
        ours = {row.contract_id: row.quantity for row in positions.list_in_accounts(connection, [account_id])}
    return [
        replace(one, direction=direction_of(ours[one.contract_id]))
        if one.direction is None and one.contract_id in ours
        else one
        for one in found
    ]


def fetch(ctx: Context, account_id: int, since_market_at: datetime, *, must_record: bool = True) -> VenueView:
    """Request the account's working orders and positions, and its orders and fills since `since_market_at`."""
    gateway, requested_at = ctx.gateway, machine_now()
    seen = _by_id(gateway.orders_since(account_id, since_market_at)) | _by_id(gateway.orders_working(account_id))
    filled, held = gateway.fills_since(account_id, since_market_at), gateway.positions(account_id)
    view = notice(ctx, account_id, list(seen.values()), filled, held, must_record=must_record)
    return replace(view, requested_at=requested_at)


def fetch_complete(ctx: Context, account_id: int, since_market_at: datetime, *, must_record: bool = True) -> VenueView:
    """As `fetch`, and also request each order that is open in our rows and that the venue did not list."""
    return _add_vanished(ctx, fetch(ctx, account_id, since_market_at, must_record=must_record))


def fetch_current(ctx: Context, account_id: int) -> VenueView:
    """Fetch working orders and positions, with as few other orders as a guard needs.

    Those are our open orders that no longer work, and orders that are in none of our rows and have filled: one may be
    of another installation, which nothing else shows.
    """
    working, held = ctx.gateway.orders_working(account_id), ctx.gateway.positions(account_id)
    with ctx.autocommit() as connection:
        unknown = set(fills.list_unknown_orders(connection, account_id)) - {order.id for order in working}
    shown = [*working, *_request_orders(ctx, account_id, sorted(unknown))]
    return _add_vanished(ctx, notice(ctx, account_id, shown, (), held))


def fetch_orders_since(ctx: Context, account_id: int, since_market_at: datetime) -> VenueView:
    """Request the account's orders since `since_market_at`, and nothing else."""
    return notice(ctx, account_id, ctx.gateway.orders_since(account_id, since_market_at))


def fetch_working(ctx: Context, account_id: int) -> VenueView:
    """Request the account's working orders for an exit, which no lock of another session may keep waiting."""
    return notice(ctx, account_id, ctx.gateway.orders_working(account_id), must_record=False)


def fetch_order(ctx: Context, account_id: int, venue_order_id: int) -> VenueView:
    """Request one order; the view is empty if the venue does not show it."""
    found = ctx.gateway.order(account_id, venue_order_id)
    return notice(ctx, account_id, [] if found is None else [found], must_record=False)


def _by_id(shown: Iterable[VenueOrder]) -> dict[int, VenueOrder]:
    return {order.id: order for order in shown}


def _add_vanished(ctx: Context, view: VenueView) -> VenueView:
    """Add the orders that are open in our rows and that the venue did not list; those are known, so not foreign."""
    shown = {order.id for order in view.orders}
    with ctx.autocommit() as connection:
        ours = orders.list_open(connection, view.account_id)
    vanished = [row.venue_order_id for row in ours if row.venue_order_id and row.venue_order_id not in shown]
    return replace(view, orders=[*view.orders, *_request_orders(ctx, view.account_id, vanished)])


def _request_orders(ctx: Context, account_id: int, venue_order_ids: Sequence[int]) -> list[VenueOrder]:
    found = [ctx.gateway.order(account_id, order_id) for order_id in venue_order_ids[:MAX_SINGLE]]
    return [order for order in found if order is not None]


def fetch_positions(ctx: Context, account_id: int) -> Sequence[VenuePosition]:
    """Return the positions at the venue, for an exit; raise PostponedError while it does not say them.

    The read is one of the requests that are kept for exits. An exit does not wait for longer the longer the venue is
    away, and no refusal ends it: it may come from a proxy.
    """
    wait = RETRY_WHEN_REFUSED
    try:
        return _find_directions(ctx, account_id, ctx.gateway.positions(account_id, is_exit=True))
    except RateLimitedError as error:
        problem: Exception = error
        wait = error.retry_after
    except RetryableError as error:
        problem, wait = error, RETRY_WHEN_UNREACHABLE
    except HaltError as error:
        ctx.halt(error)
        problem = error
    except RefusedError as error:
        problem = error
    raise PostponedError(f"the venue could not be asked what is held: {problem}", wait) from None


def quantity_at_venue(view: VenueView, contract_id: str) -> int:
    """Return the position in a contract at the venue, above zero when long; raise PostponedError as signed_quantity."""
    return sum(signed_quantity(one) for one in view.positions if one.contract_id == contract_id)


def signed_quantity(held: VenuePosition) -> int:
    """Return what is held, above zero when long; raise PostponedError if its direction is unknown."""
    if held.direction is None and held.quantity:
        raise PostponedError(
            f"the venue holds {held.quantity} of {held.contract_id} and the direction cannot be read: close it by hand",
            RETRY_WHEN_REFUSED,
        )
    return 0 if held.direction is None else held.quantity * held.direction.sign


@contextmanager
def postpone_refused_read(wait: timedelta = RETRY_WHEN_REFUSED) -> Iterator[None]:
    """Raise PostponedError if the venue refuses a read inside: the refusal may come from a proxy, and ends nothing."""
    try:
        yield
    except RefusedError as error:
        raise PostponedError(f"the venue could not be read: {error}", wait) from error
