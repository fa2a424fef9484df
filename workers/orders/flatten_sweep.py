"""One round of a flatten: closes positions and cancels orders at the venue, then records them."""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from shared.clock import machine_now
from shared.db.engine import limit_lock_wait, suppress_lock_timeout
from shared.db.orders import changes, contract_closes, orders, positions
from shared.db.orders.flatten_requests import FlattenRequestRow
from shared.db.orders.orders import OrderRow
from shared.domain.counting import count_of
from shared.domain.orders.order import ChangeKind, OrderState, Origin, Role
from shared.errors import AmbiguousOutcomeError, RefusedError, RetryableError
from shared.gateway.wire import VenueOrder, VenuePosition
from workers.context import Context
from workers.orders import venue_state
from workers.orders.change_order import RESEND_AFTER, send_change
from workers.orders.submit import require_lease

LOCK_WAIT = timedelta(seconds=0.5)  # what an exit waits for the rows of others before it acts without them
# An exit of ours on its way may reduce the position that was read: it is given this long to fill.
_EXIT_FILLS_WITHIN = timedelta(seconds=2)
_LEGS = {Role.STOP_LOSS, Role.TAKE_PROFIT}
IN_FLIGHT = {OrderState.SUBMITTING, OrderState.IN_DOUBT}
_AT_VENUE = {OrderState.WORKING, OrderState.SUSPENDED}


@dataclass(frozen=True, slots=True)
class _OpenOrder:
    """An order that is open at the venue, by the venue or, while it lists none, by our rows."""

    venue_id: int
    contract_id: str
    is_suspended: bool
    is_leg: bool
    parent: int | UUID | None
    row: OrderRow | None


@dataclass(slots=True)
class Sweep:
    """What one round found at the venue and what it did."""

    held: list[str] = field(default_factory=list)  # in words
    working_count: int = 0
    in_flight_count: int = 0
    sent_count: int = 0
    problems: list[str] = field(default_factory=list)

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

    A position is closed while its stops still protect it; its bracket legs are cancelled once it is flat. Raise the
    error of a list that failed after acting on our rows, and HaltError if the venue refuses the login.
    """
    done = Sweep()
    with ctx.autocommit() as connection:
        ours = [row for row in orders.list_open(connection, request.account_id) if request.covers(row.contract_id)]
    failure: RetryableError | RefusedError | None = None
    try:
        found = _fetch_held(ctx, request)
        held = {one.contract_id for one in found}
        done.held = [f"{one.direction} {one.quantity} {one.contract_id}" for one in found]
    except (RetryableError, RefusedError) as error:
        failure, held = error, _read_held(ctx, request)
        done.held = sorted(held)
    for contract_id in sorted(held):
        _close(ctx, request, contract_id, ours, done)
    try:
        working = [one for one in ctx.gateway.orders_working(request.account_id) if request.covers(one.contract_id)]
    except (RetryableError, RefusedError) as error:
        failure, open_orders = failure or error, _list_by_rows(ours)
    else:
        _apply(ctx, request, working)
        with ctx.autocommit() as connection:
            ours = [row for row in orders.list_open(connection, request.account_id) if request.covers(row.contract_id)]
        open_orders = _list_by_venue(working, ours)
    done.working_count = len(open_orders)
    shown = {one.venue_id for one in open_orders}
    done.in_flight_count = sum(row.state in IN_FLIGHT and row.venue_order_id not in shown for row in ours)
    _cancel_all(ctx, request, open_orders, held, done)
    if failure is not None:
        raise failure
    return done


def _fetch_held(ctx: Context, request: FlattenRequestRow) -> list[VenuePosition]:
    return [one for one in ctx.gateway.positions(request.account_id) if request.covers(one.contract_id)]


def _read_held(ctx: Context, request: FlattenRequestRow) -> set[str]:
    with ctx.autocommit() as connection:
        rows = positions.list_in_accounts(connection, [request.account_id])
    return {row.contract_id for row in rows if row.quantity and request.covers(row.contract_id)}


def _close(ctx: Context, request: FlattenRequestRow, contract_id: str, ours: list[OrderRow], done: Sweep) -> None:
    """Close the contract at the venue, unless a close or an exit of it is still on its way."""
    now = machine_now()
    if any(
        row.role is Role.EXIT
        and row.contract_id == contract_id
        and row.state is not OrderState.CREATED
        and row.submitted_at is not None
        and now - row.submitted_at < _EXIT_FILLS_WITHIN
        for row in ours
    ):
        done.problems.append(f"an exit of {contract_id} is on its way")
        return
    with ctx.ledger.engine.begin() as connection:
        limit_lock_wait(connection, LOCK_WAIT)
        is_ours = contract_closes.claim(connection, request.account_id, contract_id)
    if not is_ours:
        done.problems.append(f"a close of {contract_id} is on its way")
        return
    try:
        require_lease(ctx)
        ctx.gateway.close_contract(request.account_id, contract_id)
        done.sent_count += 1
    except (RefusedError, AmbiguousOutcomeError) as error:  # the next sweep reads the result
        done.sent_count += 1
        done.problems.append(f"closing {contract_id}: {error}")
    finally:
        with ctx.ledger.engine.begin() as connection:
            limit_lock_wait(connection, LOCK_WAIT)
            contract_closes.record_answer(connection, request.account_id, contract_id)


def _list_by_venue(working: list[VenueOrder], ours: list[OrderRow]) -> list[_OpenOrder]:
    rows = {row.venue_order_id: row for row in ours}
    return [
        _OpenOrder(
            one.id,
            one.contract_id,
            is_suspended=one.state is OrderState.SUSPENDED,
            is_leg=one.parent_order_id is not None or ((row := rows.get(one.id)) is not None and row.role in _LEGS),
            parent=one.parent_order_id,
            row=rows.get(one.id),
        )
        for one in working
    ]


def _list_by_rows(ours: list[OrderRow]) -> list[_OpenOrder]:
    ids = {row.id: row.venue_order_id for row in ours}
    return [
        _OpenOrder(
            row.venue_order_id,
            row.contract_id,
            is_suspended=row.state is OrderState.SUSPENDED,
            is_leg=row.role in _LEGS,
            parent=None if row.parent_id is None else ids.get(row.parent_id),
            row=row,
        )
        for row in ours
        if row.venue_order_id is not None and row.state in _AT_VENUE
    ]


def _apply(ctx: Context, request: FlattenRequestRow, working: list[VenueOrder]) -> None:
    """Update our rows, so that a cancel of an external order is recorded too, unless another session locks them."""
    consequence = f"orders of account {request.account_id} are cancelled before they are recorded"
    with suppress_lock_timeout(consequence), ctx.transaction() as tx:
        limit_lock_wait(tx.connection, LOCK_WAIT)
        venue_state.apply_orders(tx, request.account_id, working)


def _cancel_all(
    ctx: Context, request: FlattenRequestRow, open_orders: list[_OpenOrder], held: set[str], done: Sweep
) -> None:
    """Cancel every order but the legs of a position that is held, and those that end with their parent."""
    ids = {one.venue_id for one in open_orders}
    wanted = [
        one
        for one in open_orders
        if not (one.is_leg and one.contract_id in held) and not (one.is_suspended and one.parent in ids)
    ]
    legs = [one for one in wanted if one.is_leg]
    for one in wanted:
        done.sent_count += not one.is_leg and _cancel(ctx, request, one, done)
    if legs:
        # An entry may have filled since the positions were read: its legs protect it.
        held = {one.contract_id for one in _fetch_held(ctx, request)}
    for one in legs:
        done.sent_count += one.contract_id not in held and _cancel(ctx, request, one, done)


def _cancel(ctx: Context, request: FlattenRequestRow, order: _OpenOrder, done: Sweep) -> bool:
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
    is_due = change.submitted_at is None or machine_now() - change.submitted_at > RESEND_AFTER
    if is_due:
        send_change(ctx, change, row)
    return is_due
