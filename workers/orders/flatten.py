"""Cancels and closes until the venue itself says that nothing is held and nothing works."""

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
from workers.orders.change_order import SEND_AGAIN_AFTER, send
from workers.orders.resolve_in_doubt_order import OVERLAP
from workers.orders.submit import require_lease
from workers.task import task

SWEEPS_AT_ONCE = 6
SWEEP_EVERY = timedelta(seconds=0.1)
# Two closings under way at once could turn a position around: the first must have had its time.
CLOSE_AGAIN_AFTER = timedelta(seconds=0.5)
WHILE_VENUE_IS_AWAY = timedelta(seconds=0.5)
WHILE_VENUE_REFUSES = timedelta(seconds=2)
_LEGS = {Role.STOP_LOSS, Role.TAKE_PROFIT}
_AT_WORK = {OrderState.WORKING, OrderState.SUSPENDED}
_UNSEEN = {OrderState.SUBMITTING, OrderState.IN_DOUBT}


@dataclass(frozen=True, slots=True)
class _Sight:
    """What the venue shows within the request, and which of our entries may still arrive there."""

    working: list[VenueOrder]
    held: list[VenuePosition]
    on_their_way: list[OrderRow]

    @property
    def is_flat(self) -> bool:
        return not (self.working or self.held or self.on_their_way)

    def __str__(self) -> str:
        held = ", ".join(f"{one.direction} {one.quantity} {one.contract_id}" for one in self.held) or "no position"
        waiting = f", {len(self.on_their_way)} order(s) of unknown fate" if self.on_their_way else ""
        return f"{held}, {len(self.working)} order(s) working{waiting}"


@task(Flatten)
def flatten(job: Flatten, ctx: Context) -> dict[str, str | int]:
    """Aim at flat, whatever was done before: each sweep reads the venue first and acts on what it shows.

    Entries go first, then the position is closed under the shelter of its stops, and the legs go when it is flat. It
    ends with the venue's own word; while the venue does not answer it keeps trying, and says so in its row.
    """
    with ctx.transaction() as tx:
        request = flatten_requests.get(tx.connection, job.flatten_request_id)
        if request is None:
            raise RefusedError(f"flatten_request {job.flatten_request_id} does not exist")
        if request.flat_at is not None:
            return {"venue_says": request.progress or "flat"}
        accounts.lock(tx.connection, request.account_id)
        orders.cancel_created(tx.connection, request.account_id, request.contract_id, f"flattened: {request.reason}")
    said, closing = "nothing so far", set[str]()
    try:
        for _ in range(SWEEPS_AT_ONCE):
            sight = _look(ctx, request)
            said = str(sight)
            ended = _end(ctx, request) if sight.is_flat else None
            if ended is not None:
                return ended
            _sweep(ctx, request, sight, closing)
    except RetryableError as error:
        wait = error.retry_after if isinstance(error, RateLimitedError) else WHILE_VENUE_IS_AWAY
        raise _kept_trying(ctx, request, f"the venue could not be asked: {error}", wait) from error
    except HaltError as error:
        ctx.halt(error)
        raise _kept_trying(ctx, request, f"the venue does not let us in: {error}", WHILE_VENUE_REFUSES) from error
    except RefusedError as error:  # as by a proxy in between: a refusal ends no request to be flat
        raise _kept_trying(ctx, request, f"the venue refuses to say: {error}", WHILE_VENUE_REFUSES) from error
    raise _kept_trying(ctx, request, f"the venue says {said}", CLOSE_AGAIN_AFTER if closing else SWEEP_EVERY)


def _look(ctx: Context, request: FlattenRequestRow) -> _Sight:
    # Our rows first: what is on its way now is shown, held, or waited for. Orders before positions: a leg that works
    # while its entry fills is not mistaken for one that is left over.
    with ctx.autocommit() as connection:
        ours = orders.open_of(connection, request.account_id)
    working = [one for one in ctx.gateway.orders_working(request.account_id) if request.covers(one.contract_id)]
    held = [one for one in ctx.gateway.positions(request.account_id) if request.covers(one.contract_id)]
    shown = {one.tag for one in working}
    on_their_way = [
        row
        for row in ours
        if row.state in _UNSEEN and request.covers(row.contract_id) and row.client_order_id not in shown
    ]
    return _Sight(working, held, on_their_way)


def _sweep(ctx: Context, request: FlattenRequestRow, sight: _Sight, closing: set[str]) -> None:
    held = {one.contract_id for one in sight.held}
    working = {one.id for one in sight.working}
    with ctx.transaction() as tx:
        venue_state.apply_orders(tx, request.account_id, sight.working)
        rows = {row.venue_order_id: row for row in orders.open_of(tx.connection, request.account_id)}
    for order in sight.working:
        row = rows.get(order.id)
        shelters = order.contract_id in held and (
            order.parent_order_id is not None or (row is not None and row.role in _LEGS)
        )
        goes_with_parent = order.state is OrderState.SUSPENDED and order.parent_order_id in working
        if not shelters and not goes_with_parent:
            _cancel(ctx, request, order, row)
    for position in sight.held:
        if position.contract_id in closing:
            continue
        closing.add(position.contract_id)
        # Refused or unclear, the next sweep reads what became of it.
        try:
            require_lease(ctx)
            ctx.gateway.close_contract(request.account_id, position.contract_id)
        except (RefusedError, AmbiguousOutcomeError) as error:
            _note(ctx, request, f"closing {position.contract_id}: {error}")


def _cancel(ctx: Context, request: FlattenRequestRow, order: VenueOrder, row: OrderRow | None) -> None:
    if row is None:  # of a product that we do not know
        try:
            ctx.gateway.cancel(request.account_id, order.id)
        except (RefusedError, AmbiguousOutcomeError) as error:
            _note(ctx, request, f"cancelling order {order.id}: {error}")
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
    if change.submitted_at is None or machine_now() - change.submitted_at > SEND_AGAIN_AFTER:
        send(ctx, change, row)


def _end(ctx: Context, request: FlattenRequestRow) -> dict[str, str | int] | None:
    """Take the venue's word for flat; None if a whole look shows an entry that came between two questions."""
    said = "flat: no position, no working order"
    view = venue_state.fetch_complete(ctx, request.account_id, ctx.clock.to_market(request.asked_at) - OVERLAP)
    if any(request.covers(one.contract_id) for one in view.positions) or any(
        request.covers(one.contract_id) and one.state in _AT_WORK for one in view.orders
    ):
        return None
    result: dict[str, str | int] = {"venue_says": said, "sweeps": request.sweep_count + 1}
    with ctx.transaction() as tx:
        venue_state.apply(tx, view)
        touched = {one.contract_id for one in view.orders} | {one.contract_id for one in view.fills}
        for contract_id in sorted(filter(request.covers, touched)):
            fills.note_guarded(tx.connection, request.account_id, contract_id, "flattened")
        flatten_requests.end(tx.connection, request.id, said)
        tx.finish(result)
    return result


def _kept_trying(ctx: Context, request: FlattenRequestRow, progress: str, wait: timedelta) -> PostponedError:
    _note(ctx, request, progress)
    return PostponedError(f"account {request.account_id} is not flat so far: {progress}", wait)


def _note(ctx: Context, request: FlattenRequestRow, progress: str) -> None:
    with ctx.ledger.engine.begin() as connection:
        flatten_requests.note_sweep(connection, request.id, progress)
