"""Closes a part of a position with a market order of our own, never more than the position at the venue."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from shared.clock import machine_now, monotonic
from shared.db.accounts import accounts
from shared.db.market_data import contracts
from shared.db.orders import fills, flatten_requests, orders
from shared.domain.orders.order import Direction, Origin, Role, Side
from shared.errors import PostponedError, RefusedError
from shared.fleets import Queue
from shared.gateway.wire import VenuePosition
from shared.ids import new_id
from shared.ledger.jobs.orders import PlaceOrder, ReducePosition
from workers.context import Context
from workers.orders import venue_view
from workers.orders.exit_retry import MeasuredExit
from workers.orders.other_installation import find_obstacle
from workers.task import task

_RETRY_AFTER = timedelta(seconds=0.2)
CLOCK_SKEW = timedelta(seconds=5)  # between this computer and the venue, whose time of a position it is


def _require_no_other_exit(connection: Connection, job: ReducePosition) -> None:
    """Raise PostponedError while another exit of ours may fill unseen: two at once could reverse the position."""
    if flatten_requests.find_open(connection, job.account_id, job.contract_id) is not None:
        raise PostponedError(f"{job.contract_id} is being flattened", _RETRY_AFTER)
    if any(row.role is Role.EXIT for row in orders.list_open_in_contract(connection, job.account_id, job.contract_id)):
        raise PostponedError(f"another exit of {job.contract_id} is not confirmed yet", _RETRY_AFTER)


def _quantity_beyond(job: ReducePosition, held: VenuePosition) -> int:
    """Return how much is to close; nothing on the other side of a target position, which a later alert has opened."""
    if job.target_position is None:
        return job.quantity
    if job.target_position == 0:
        return held.quantity
    is_same_side = (job.target_position > 0) is (held.direction is Direction.LONG)
    return held.quantity - abs(job.target_position) if is_same_side else 0


def _describe_later_position(ctx: Context, job: ReducePosition, held: VenuePosition) -> str | None:
    """Return why the position is not the one that the reduction was requested for, or None: it may have waited long."""
    if job.direction not in {None, held.direction}:
        return f"{job.contract_id} is {held.direction} by now, and it was {job.direction} when this was requested"
    requested_at = job.requested_at or ctx.job.enqueued_at
    if held.opened_market_at > ctx.clock.to_market(requested_at) + CLOCK_SKEW and _has_filled(ctx, job, requested_at):
        return f"the position in {job.contract_id} was opened after this was requested"
    return None


def _has_filled(ctx: Context, job: ReducePosition, since: datetime) -> bool:
    """Whether our own rows know of a later fill too: the clock of this computer may be far behind the venue's."""
    with ctx.autocommit() as connection:
        return fills.has_recorded_since(connection, job.account_id, job.contract_id, since)


@task(ReducePosition)
def reduce_position(job: ReducePosition, ctx: Context) -> dict[str, str | int]:
    """Read the position, then record the exit and continue with PlaceOrder in one commit; a second run does nothing.

    Raise RefusedError when there is no position, PostponedError while another exit of it is under way, or if an order
    has moved since the position was read.
    """
    with ctx.autocommit() as connection:
        obstacle = find_obstacle(connection, ctx, job.account_id, job.origin)
        if obstacle is not None:
            return {"nothing_to_do": obstacle}
        _require_no_other_exit(connection, job)
        version = orders.version_of(connection, job.account_id, job.contract_id)
    read_at, read_monotonic_s = machine_now(), monotonic()
    found = venue_view.fetch_positions(ctx, job.account_id)
    held = [one for one in found if one.contract_id == job.contract_id]
    if not held or not venue_view.signed_quantity(held[0]):
        raise RefusedError(f"account {job.account_id} holds nothing of {job.contract_id}: nothing to close")
    later = _describe_later_position(ctx, job, held[0])
    if later is not None:
        return {"nothing_to_do": later}
    quantity = min(_quantity_beyond(job, held[0]), held[0].quantity)
    if job.origin is Origin.PROTECTOR:  # the rule reduce_at closes half, also of more than was known when it asked
        quantity = min(quantity, (held[0].quantity + 1) // 2)
    if quantity < 1:
        return {
            "nothing_to_do": f"{held[0].direction} {held[0].quantity} of {job.contract_id} is no more than is wanted"
        }
    side = Side.SELL if held[0].direction is Direction.LONG else Side.BUY
    order_id = new_id()
    result: dict[str, str | int] = {"side": side, "quantity": quantity, "contract_id": job.contract_id}
    if job.is_dry_run:
        return result | {"is_dry_run": True}
    with ctx.transaction() as tx:
        contracts.require(tx.connection, job.contract_id)
        accounts.lock(tx.connection, job.account_id)
        obstacle = find_obstacle(tx.connection, ctx, job.account_id, job.origin)
        if obstacle is not None:
            return {"nothing_to_do": obstacle}
        _require_no_other_exit(tx.connection, job)
        if orders.version_of(tx.connection, job.account_id, job.contract_id) != version:
            raise PostponedError(f"an order of {job.contract_id} moved while the position was read", _RETRY_AFTER)
        orders.create(
            tx.connection,
            order_id=order_id,
            account_id=job.account_id,
            contract_id=job.contract_id,
            origin=job.origin,
            role=Role.EXIT,
            side=side,
            quantity=quantity,
            correlation_id=ctx.job.correlation_id,
            target_position=job.target_position,
        )
        result["order_id"] = str(order_id)
        measured = MeasuredExit(order_id, read_at, read_monotonic_s)
        tx.continue_with(result, PlaceOrder(order_id=order_id), handoff=measured, queue=Queue.CRITICAL)
    return result
