"""Cancels or modifies one order at the venue, until the order that the venue shows settles the change."""

from contextlib import nullcontext
from datetime import timedelta

from shared.clock import machine_now
from shared.db.market_data import contracts
from shared.db.orders import changes, orders
from shared.db.orders.changes import ChangeRow
from shared.db.orders.orders import OrderRow
from shared.domain.orders.order import NOT_CONFIRMED, ChangeKind, ChangeState, OrderState, Origin
from shared.domain.orders.poll_pace import FIRST_POLL, poll_pause, resend_pause
from shared.errors import AmbiguousOutcomeError, PostponedError, RefusedError, RetryableError
from shared.gateway.orders.order_request import OrderChange
from shared.ledger.jobs.orders import ChangeOrder
from workers.context import Context
from workers.orders import venue_state, venue_view
from workers.orders.other_installation import find_obstacle
from workers.orders.submit import require_lease
from workers.task import task

MODIFY_WITHIN = timedelta(seconds=15)
CANCEL_WITHIN = timedelta(minutes=10)


@task(ChangeOrder)
def change_order(job: ChangeOrder, ctx: Context) -> dict[str, str | None]:
    """Send the change until the order shows it; a second run reads the order from the venue before it sends again.

    Raise PostponedError while the change is not settled, and RefusedError when the venue rejected it or has not
    confirmed it within CANCEL_WITHIN or MODIFY_WITHIN.
    """
    with ctx.autocommit() as connection:
        change = changes.get(connection, job.change_id)
        order = None if change is None else orders.get(connection, change.order_id)
    if change is None or order is None:
        raise RefusedError(f"change {job.change_id} does not exist")
    age = machine_now() - change.created_at
    longest = CANCEL_WITHIN if change.kind is ChangeKind.CANCEL else MODIFY_WITHIN
    if not change.state.is_final and change.sent_count:
        with nullcontext() if age > longest else venue_view.postpone_refused_read():
            order = _refresh_order(ctx, order)
        change = _reload_change(ctx, change)
    is_outdated = change.kind is ChangeKind.MODIFY and age > MODIFY_WITHIN  # another may have been made since
    if not change.state.is_final and not is_outdated:
        change = _advance_change(ctx, change, order)
    if change.state is ChangeState.REJECTED:
        raise RefusedError(change.outcome or "the venue rejected the change")
    if change.state.is_final:
        return {"change": change.state, "outcome": change.outcome}
    if age > longest:
        _end_as_rejected(ctx, change, f"the venue has not confirmed it within {age.total_seconds():.0f} s")
    # One that was not sent yet asks the venue nothing.
    pause = FIRST_POLL if change.submitted_at is None else poll_pause(machine_now() - change.submitted_at)
    raise PostponedError(f"{change.kind} of order {order.id} is not confirmed yet: {change.state}", pause)


def _advance_change(ctx: Context, change: ChangeRow, order: OrderRow) -> ChangeRow:
    if order.state is OrderState.CREATED and change.kind is ChangeKind.CANCEL:
        target, told = OrderState.CANCELLED, "the order was never sent"
        if order.in_doubt_at is not None:
            target, told = OrderState.EXPIRED, "the order is not sent again; it was in doubt, so the venue may have it"
        with ctx.ledger.engine.begin() as connection:
            if orders.change_state(connection, order.id, [OrderState.CREATED], target, reason="cancelled"):
                changes.change_state(connection, change.id, ChangeState.DONE, told)
        return _reload_change(ctx, change)
    if order.state.is_final:
        is_done = change.kind is ChangeKind.CANCEL and order.state is OrderState.CANCELLED
        with ctx.ledger.engine.begin() as connection:
            state = ChangeState.DONE if is_done else ChangeState.TOO_LATE
            changes.change_state(connection, change.id, state, f"the order is {order.state}")
        return _reload_change(ctx, change)
    if _is_dropped(ctx, change, order):
        return _reload_change(ctx, change)
    if order.venue_order_id is None or order.state in NOT_CONFIRMED or find_resend_wait(change) > timedelta(0):
        return change
    return send_change(ctx, change, order)


def _is_dropped(ctx: Context, change: ChangeRow, order: OrderRow) -> bool:
    """Whether a change of our own guard or watch is not sent, as another installation trades the account; end it.

    One that is at the venue already is only followed.
    """
    if change.origin is not Origin.PROTECTOR:
        return False
    with ctx.ledger.engine.begin() as connection:
        obstacle = find_obstacle(connection, ctx, order.account_id, change.origin)
        if obstacle is not None and change.state is ChangeState.CREATED:
            changes.drop(connection, change.id, f"not sent: {obstacle}")
    return obstacle is not None


def find_resend_wait(change: ChangeRow) -> timedelta:
    """Return how long to wait before the change is sent, longer each time; zero if it may be sent now."""
    if change.submitted_at is None or change.state is ChangeState.CREATED:
        return timedelta(0)
    waited = abs(machine_now() - change.submitted_at)  # a clock that was set back tells nothing
    return max(resend_pause(change.sent_count) - waited, timedelta(0))


def send_change(ctx: Context, change: ChangeRow, order: OrderRow) -> ChangeRow:
    """Send a change once and return its row; the venue's acknowledgement does not mean that the change is done.

    Raise RetryableError, with the change CREATED again, when it was certainly not sent.
    """
    ctx.gateway.ensure_token()
    with ctx.ledger.engine.begin() as connection:
        contract = contracts.require(connection, order.contract_id)
        changes.change_state(connection, change.id, ChangeState.SUBMITTING)
    state, outcome = ChangeState.SUBMITTING, "acknowledged by the venue"
    try:
        require_lease(ctx)
        if change.kind is ChangeKind.CANCEL:
            ctx.gateway.cancel(order.account_id, order.venue_order_id or 0)
        else:
            ctx.gateway.modify(
                OrderChange(
                    account_id=order.account_id,
                    contract=contract,
                    order_id=order.venue_order_id or 0,
                    quantity=change.quantity,
                    limit_price=change.limit_price,
                    stop_price=change.stop_price,
                )
            )
    except RetryableError:
        with ctx.ledger.engine.begin() as connection:
            changes.change_state(connection, change.id, ChangeState.CREATED)
        raise
    except RefusedError as error:
        # A rejected cancel may have come too late: the order's state now decides.
        state = ChangeState.IN_DOUBT if change.kind is ChangeKind.CANCEL else ChangeState.REJECTED
        outcome = str(error)
    except AmbiguousOutcomeError as error:
        state, outcome = ChangeState.IN_DOUBT, str(error)
    with ctx.ledger.engine.begin() as connection:
        if state is ChangeState.SUBMITTING:
            changes.record_answer(connection, change.id, outcome)
        else:
            changes.change_state(connection, change.id, state, outcome)
    return _reload_change(ctx, change)


def _refresh_order(ctx: Context, order: OrderRow) -> OrderRow:
    if order.venue_order_id is None:
        return order
    view = venue_view.fetch_order(ctx, order.account_id, order.venue_order_id)
    with ctx.transaction() as tx:
        venue_state.apply(tx, view)
        return orders.get(tx.connection, order.id) or order


def _reload_change(ctx: Context, change: ChangeRow) -> ChangeRow:
    with ctx.autocommit() as connection:
        return changes.get(connection, change.id) or change


def _end_as_rejected(ctx: Context, change: ChangeRow, reason: str) -> None:
    with ctx.ledger.engine.begin() as connection:
        changes.change_state(connection, change.id, ChangeState.REJECTED, reason)
    raise RefusedError(f"{change.kind} of order {change.order_id}: {reason}")
