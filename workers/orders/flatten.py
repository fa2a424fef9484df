"""Cancels orders and closes positions until the venue confirms that no position and no working order is left."""

from dataclasses import dataclass
from datetime import timedelta

from shared.clock import machine_now
from shared.db.accounts import accounts
from shared.db.orders import changes, fills, flatten_requests, orders
from shared.db.orders.flatten_requests import FlattenRequestRow
from shared.db.orders.orders import OrderRow
from shared.domain.orders.order import ChangeKind, OrderState, Origin, Role
from shared.errors import (
    AmbiguousOutcomeError,
    HaltError,
    PostponedError,
    RateLimitedError,
    RefusedError,
    RetryableError,
)
from shared.gateway.wire import VenueOrder, VenuePosition
from shared.ledger.jobs.orders import Flatten
from workers.context import Context
from workers.orders import venue_state
from workers.orders.change_order import RESEND_AFTER, send_change
from workers.orders.resolve_in_doubt_order import OVERLAP
from workers.orders.submit import require_lease
from workers.orders.venue_state import RETRY_WHEN_REFUSED, RETRY_WHEN_UNREACHABLE
from workers.task import task

SWEEPS_PER_RUN = 6
SWEEP_EVERY = timedelta(seconds=0.1)
# Two closing orders in flight at once could reverse a position: the first must have had time to fill.
CLOSE_AGAIN_AFTER = timedelta(seconds=0.5)
_LEGS = {Role.STOP_LOSS, Role.TAKE_PROFIT}
_OPEN_AT_VENUE = {OrderState.WORKING, OrderState.SUSPENDED}
_IN_FLIGHT = {OrderState.SUBMITTING, OrderState.IN_DOUBT}


@dataclass(frozen=True, slots=True)
class _AccountState:
    """The working orders and positions at the venue that a request covers, and our orders that may still arrive."""

    working: list[VenueOrder]
    held: list[VenuePosition]
    in_flight: list[OrderRow]

    @property
    def is_flat(self) -> bool:
        return not (self.working or self.held or self.in_flight)

    def __str__(self) -> str:
        held = ", ".join(f"{one.direction} {one.quantity} {one.contract_id}" for one in self.held) or "no position"
        waiting = f", {len(self.in_flight)} order(s) not confirmed yet" if self.in_flight else ""
        return f"{held}, {len(self.working)} order(s) working{waiting}"


@task(Flatten)
def flatten(job: Flatten, ctx: Context) -> dict[str, str]:
    """Flatten the account, or one contract; each sweep reads the venue first, so any number of runs is safe.

    Entries are cancelled first, then the position is closed while its stops still protect it, and the bracket legs are
    cancelled when it is flat. The job ends when the venue confirms flat. While the venue does not answer it is
    rescheduled, and the row of its request keeps the progress.
    """
    with ctx.transaction() as tx:
        request = flatten_requests.get(tx.connection, job.flatten_request_id)
        if request is None:
            raise RefusedError(f"flatten request {job.flatten_request_id} does not exist")
        if request.flat_at is not None:
            return {"venue_status": request.progress or "flat"}
        accounts.lock(tx.connection, request.account_id)
        orders.cancel_created(tx.connection, request.account_id, request.contract_id, f"flattened: {request.reason}")
    status, closing = "nothing yet", set[str]()
    try:
        for _ in range(SWEEPS_PER_RUN):
            state = _fetch_state(ctx, request)
            status = str(state)
            ended = _finish_if_flat(ctx, request) if state.is_flat else None
            if ended is not None:
                return ended
            _sweep(ctx, request, state, closing)
    except RetryableError as error:
        wait = error.retry_after if isinstance(error, RateLimitedError) else RETRY_WHEN_UNREACHABLE
        raise _postpone(ctx, request, f"the venue could not be asked: {error}", wait) from error
    except HaltError as error:
        ctx.halt(error)
        raise _postpone(ctx, request, f"the venue refuses the login: {error}", RETRY_WHEN_REFUSED) from error
    except RefusedError as error:  # perhaps from a proxy in between: a refusal does not end a flatten request
        raise _postpone(ctx, request, f"the venue refuses the request: {error}", RETRY_WHEN_REFUSED) from error
    raise _postpone(ctx, request, f"the venue reports {status}", CLOSE_AGAIN_AFTER if closing else SWEEP_EVERY)


def _fetch_state(ctx: Context, request: FlattenRequestRow) -> _AccountState:
    # Our rows first: an order in flight now is then working, filled, or still in flight. Orders before positions: a leg
    # that starts to work while its entry fills is not mistaken for one without a position.
    with ctx.autocommit() as connection:
        ours = orders.list_open(connection, request.account_id)
    working = [one for one in ctx.gateway.orders_working(request.account_id) if request.covers(one.contract_id)]
    held = [one for one in ctx.gateway.positions(request.account_id) if request.covers(one.contract_id)]
    shown = {one.tag for one in working}
    in_flight = [
        row
        for row in ours
        if row.state in _IN_FLIGHT and request.covers(row.contract_id) and row.client_order_id not in shown
    ]
    return _AccountState(working, held, in_flight)


def _sweep(ctx: Context, request: FlattenRequestRow, state: _AccountState, closing: set[str]) -> None:
    held = {one.contract_id for one in state.held}
    working = {one.id for one in state.working}
    with ctx.transaction() as tx:
        venue_state.apply_orders(tx, request.account_id, state.working)
        rows = {row.venue_order_id: row for row in orders.list_open(tx.connection, request.account_id)}
        flatten_requests.count_sweep(tx.connection, request.id)
    for order in state.working:
        row = rows.get(order.id)
        protects = order.contract_id in held and (
            order.parent_order_id is not None or (row is not None and row.role in _LEGS)
        )
        goes_with_parent = order.state is OrderState.SUSPENDED and order.parent_order_id in working
        if not protects and not goes_with_parent:
            _cancel_order(ctx, request, order, row)
    for position in state.held:
        if position.contract_id in closing:
            continue
        closing.add(position.contract_id)
        # After a refusal or an unclear answer the next sweep reads the result.
        try:
            require_lease(ctx)
            ctx.gateway.close_contract(request.account_id, position.contract_id)
        except (RefusedError, AmbiguousOutcomeError) as error:
            _record_progress(ctx, request, f"closing {position.contract_id}: {error}")


def _cancel_order(ctx: Context, request: FlattenRequestRow, order: VenueOrder, row: OrderRow | None) -> None:
    if row is None:  # an order in a product that we do not know
        try:
            ctx.gateway.cancel(request.account_id, order.id)
        except (RefusedError, AmbiguousOutcomeError) as error:
            _record_progress(ctx, request, f"cancelling order {order.id}: {error}")
        return
    with ctx.ledger.engine.begin() as connection:
        change = changes.create(
            connection,
            row.id,
            ChangeKind.CANCEL,
            origin=Origin(request.origin),
            reason=f"flattened: {request.reason}",
            correlation_id=row.correlation_id,
        )
    if change.submitted_at is None or machine_now() - change.submitted_at > RESEND_AFTER:
        send_change(ctx, change, row)


def _finish_if_flat(ctx: Context, request: FlattenRequestRow) -> dict[str, str] | None:
    """End the request as flat; None if a complete read shows an order or a position that came between two calls."""
    status = "flat: no position, no working order"
    view = venue_state.fetch_complete(ctx, request.account_id, ctx.clock.to_market(request.requested_at) - OVERLAP)
    if any(request.covers(one.contract_id) for one in view.positions) or any(
        request.covers(one.contract_id) and (one.state is None or one.state in _OPEN_AT_VENUE) for one in view.orders
    ):
        return None
    result = {"venue_status": status}
    with ctx.transaction() as tx:
        venue_state.apply(tx, view)
        touched = {one.contract_id for one in view.orders} | {one.contract_id for one in view.fills}
        for contract_id in sorted(filter(request.covers, touched)):
            fills.note_guarded(tx.connection, request.account_id, contract_id, "flattened")
        flatten_requests.finish(tx.connection, request.id, status)
        tx.finish(result)
    return result


def _postpone(ctx: Context, request: FlattenRequestRow, progress: str, wait: timedelta) -> PostponedError:
    _record_progress(ctx, request, progress)
    return PostponedError(f"account {request.account_id} is not flat yet: {progress}", wait)


def _record_progress(ctx: Context, request: FlattenRequestRow, progress: str) -> None:
    with ctx.ledger.engine.begin() as connection:
        flatten_requests.record_progress(connection, request.id, progress)
