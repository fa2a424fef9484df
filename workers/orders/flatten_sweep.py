"""One round of a flatten: closes positions and cancels orders at the venue, then records them."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from shared.clock import monotonic
from shared.db.engine import limit_lock_wait, suppress_lock_timeout
from shared.db.orders import changes, contract_closes, orders, positions
from shared.db.orders.contract_closes import ENDS_WITHIN, CloseCause
from shared.db.orders.flatten_requests import FlattenRequestRow
from shared.db.orders.orders import OrderRow
from shared.domain.counting import count_of
from shared.domain.orders.order import NOT_CONFIRMED, ChangeKind, Origin, Side
from shared.errors import AmbiguousOutcomeError, HaltError, RefusedError, RetryableError
from shared.gateway.wire import VenuePosition
from workers.context import Context
from workers.orders import venue_state, venue_view
from workers.orders.change_order import find_resend_wait, send_change
from workers.orders.open_orders import Held, OpenOrder, closing_side, is_exit_on_its_way, list_by_rows, list_by_venue
from workers.orders.submit import require_lease
from workers.orders.venue_view import VenueView

LOCK_WAIT = timedelta(seconds=0.5)  # what an exit waits for the rows of others before it acts without them
_EXIT_ENDS_WITHIN = timedelta(seconds=2)  # after the call of an exit of ours: then it is listed, or it never arrived


@dataclass(slots=True)
class Sweep:
    """What one round found at the venue and what it did."""

    held: list[str] = field(default_factory=list)  # in words
    closing_sides: dict[str, Side | None] = field(default_factory=dict)  # by contract; None if the venue names none
    not_closed: list[str] = field(default_factory=list)  # contracts of which a close or an exit may be on its way
    working_count: int = 0
    in_flight_count: int = 0
    sent_count: int = 0
    problems: list[str] = field(default_factory=list)
    obstacle: str | None = None  # why the request is not acted on any more

    @property
    def is_flat(self) -> bool:
        """Whether nothing is held, works or may still arrive."""
        return not (self.held or self.working_count or self.in_flight_count)

    def __str__(self) -> str:
        waiting = f", {count_of(self.in_flight_count, 'order')} not confirmed yet" if self.in_flight_count else ""
        found = f"{', '.join(self.held) or 'no position'}, {count_of(self.working_count, 'order')} working{waiting}"
        return "; ".join([found, *self.problems])


def sweep(ctx: Context, request: FlattenRequestRow) -> Sweep:
    """Close what is held, then cancel what works, by what the venue lists or, where it fails, by our own rows.

    A position is closed while its stops still protect it; its bracket legs, and the stops and targets that were placed
    elsewhere, are cancelled once it is flat. What one close has left is closed again only if the venue lists no order
    that still closes it, or, while it lists none at all, once the close is over: two closing orders at work reverse a
    position. Raise the error of a list that failed after acting on our rows, and HaltError if the venue refuses the
    login.
    """
    done = Sweep()
    ours = _list_ours(ctx, request)
    failure: RetryableError | RefusedError | None = None
    held: Held
    try:
        found = _fetch_held(ctx, request)
        held = {one.contract_id: _to_signed(one) for one in found}
        done.held = [f"{one.direction} {one.quantity} {one.contract_id}" for one in found]
    except (RetryableError, RefusedError) as error:
        failure, held = error, _read_held(ctx, request)
        done.held = sorted(held)
    done.closing_sides = {contract_id: closing_side(quantity) for contract_id, quantity in held.items()}
    for contract_id in sorted(held):
        if not is_exit_on_its_way(ours, contract_id, ENDS_WITHIN):
            _close(ctx, request, contract_id, done)
        else:
            done.not_closed.append(contract_id)
    listed_at = monotonic()
    try:
        view = venue_view.fetch_working(ctx, request.account_id)
    except (RetryableError, RefusedError) as error:
        failure, open_orders = failure or error, list_by_rows(ours, held)
        _close_again(ctx, request, ours, open_orders, done, listed_at=None)
    else:
        if view.other is not None and request.origin == Origin.PROTECTOR:
            done.obstacle = view.other.describe(request.account_id)
            return done
        working = [one for one in view.orders if request.covers(one.contract_id)]
        _apply(ctx, request, replace(view, orders=working))
        ours = _list_ours(ctx, request)
        open_orders = list_by_venue(working, ours, held)
        _close_again(ctx, request, ours, open_orders, done, listed_at=listed_at)
    done.working_count = len(open_orders)
    shown = {one.venue_id for one in open_orders}
    done.in_flight_count = sum(row.state in NOT_CONFIRMED and row.venue_order_id not in shown for row in ours)
    _cancel_all(ctx, request, open_orders, held, done)
    if failure is not None:
        raise failure
    return done


def _fetch_held(ctx: Context, request: FlattenRequestRow) -> list[VenuePosition]:
    return [one for one in ctx.gateway.positions(request.account_id) if request.covers(one.contract_id)]


def _read_held(ctx: Context, request: FlattenRequestRow) -> Held:
    with ctx.autocommit() as connection:
        rows = positions.list_in_accounts(connection, [request.account_id])
    return {row.contract_id: row.quantity for row in rows if row.quantity and request.covers(row.contract_id)}


def _to_signed(held: VenuePosition) -> int | None:
    return None if held.direction is None else held.quantity * held.direction.sign


def _list_ours(ctx: Context, request: FlattenRequestRow) -> list[OrderRow]:
    with ctx.autocommit() as connection:
        return [row for row in orders.list_open(connection, request.account_id) if request.covers(row.contract_id)]


def _close_again(
    ctx: Context,
    request: FlattenRequestRow,
    ours: list[OrderRow],
    open_orders: list[OpenOrder],
    done: Sweep,
    *,
    listed_at: float | None,
) -> None:
    """Close what an earlier close or exit has left; `listed_at` is when the venue's list was requested, if it came."""
    closing = {one.contract_id for one in open_orders if one.is_closing}
    exit_ends = ENDS_WITHIN if listed_at is None else _EXIT_ENDS_WITHIN
    for contract_id in list(done.not_closed):
        if contract_id in closing:
            done.problems.append(f"an order that closes {contract_id} is working")
        elif is_exit_on_its_way(ours, contract_id, exit_ends):
            done.problems.append(f"an exit of {contract_id} is on its way")
        else:
            done.not_closed.remove(contract_id)
            listed_ago = None if listed_at is None else timedelta(seconds=monotonic() - listed_at)
            _close(ctx, request, contract_id, done, listed_ago)
            if contract_id in done.not_closed:
                done.problems.append(f"a close of {contract_id} is on its way")


def _close(
    ctx: Context,
    request: FlattenRequestRow,
    contract_id: str,
    done: Sweep,
    listed_ago: timedelta | None = None,
) -> None:
    """Close the contract at the venue, unless a close of it may be in flight; see `contract_closes.claim`."""
    with ctx.ledger.engine.begin() as connection:
        limit_lock_wait(connection, LOCK_WAIT)
        cause = CloseCause(Origin(request.origin), request.correlation_id, done.closing_sides.get(contract_id))
        claimed_at = contract_closes.claim(
            connection, request.account_id, contract_id, cause, market_now=ctx.market_now, listed_ago=listed_ago
        )
    if claimed_at is None:
        done.not_closed.append(contract_id)
        return
    try:
        require_lease(ctx)
        ctx.gateway.close_contract(request.account_id, contract_id)
        done.sent_count += 1
    except (RefusedError, AmbiguousOutcomeError) as error:  # the next sweep reads the result
        done.sent_count += 1
        done.problems.append(f"closing {contract_id}: {error}")
    except (RetryableError, HaltError):  # certainly not sent
        _record(ctx, partial(contract_closes.withdraw, sent_at=claimed_at), request, contract_id)
        raise
    _record(ctx, partial(contract_closes.record_end, sent_at=claimed_at), request, contract_id)


def _record(ctx: Context, record: Callable[..., None], request: FlattenRequestRow, contract_id: str) -> None:
    with ctx.ledger.engine.begin() as connection:
        limit_lock_wait(connection, LOCK_WAIT)
        record(connection, request.account_id, contract_id)


def _apply(ctx: Context, request: FlattenRequestRow, view: VenueView) -> None:
    """Update our rows, so that a cancel of an external order is recorded too, unless another session locks them."""
    consequence = f"orders of account {request.account_id} are cancelled before they are recorded"
    with suppress_lock_timeout(consequence), ctx.transaction() as tx:
        limit_lock_wait(tx.connection, LOCK_WAIT)
        venue_state.apply(tx, view)


def _cancel_all(
    ctx: Context, request: FlattenRequestRow, open_orders: list[OpenOrder], held: Collection[str], done: Sweep
) -> None:
    """Cancel every order but those that close, for 15 s, the legs of what is held, and those that end with a parent."""
    ids = {one.venue_id for one in open_orders}
    spared = {one.venue_id for one in open_orders if one.is_closing and _is_young(ctx, request, one)}
    wanted = [
        one
        for one in open_orders
        if one.venue_id not in spared
        and not (one.is_leg and one.contract_id in held)
        and not (one.is_suspended and one.parent in ids)
    ]
    legs = [one for one in wanted if one.is_leg]
    for one in wanted:
        done.sent_count += not one.is_leg and _cancel(ctx, request, one, done)
    if legs:
        # An entry may have filled since the positions were read: its legs protect it.
        held = {one.contract_id for one in _fetch_held(ctx, request)}
    for one in legs:
        done.sent_count += one.contract_id not in held and _cancel(ctx, request, one, done)


def _is_young(ctx: Context, request: FlattenRequestRow, order: OpenOrder) -> bool:
    """Whether an order that closes was sent less than 15 s ago."""
    if order.row is not None and is_exit_on_its_way([order.row], order.contract_id, ENDS_WITHIN):
        return True
    with ctx.autocommit() as connection:
        return order.contract_id in contract_closes.list_recent(connection, request.account_id)


def _cancel(ctx: Context, request: FlattenRequestRow, order: OpenOrder, done: Sweep) -> bool:
    """Cancel the order and return whether a request was sent; without a record if its row is locked or unknown."""
    if order.row is not None:
        with suppress_lock_timeout(f"order {order.row.id} is cancelled without a record"):
            return _record_and_cancel(ctx, request, order.row)
    try:
        ctx.gateway.cancel(request.account_id, order.venue_id)
    except (RefusedError, AmbiguousOutcomeError) as error:
        done.problems.append(f"cancelling order {order.venue_id}: {error}")
    return True


def _record_and_cancel(ctx: Context, request: FlattenRequestRow, row: OrderRow) -> bool:
    with ctx.ledger.engine.begin() as connection:
        limit_lock_wait(connection, LOCK_WAIT)
        change = changes.create(
            connection,
            row.id,
            ChangeKind.CANCEL,
            origin=Origin(request.origin),
            reason=f"flattened: {request.reason}",
            correlation_id=row.correlation_id,
        )
    is_due = not find_resend_wait(change)
    if is_due:
        send_change(ctx, change, row)
    return is_due
