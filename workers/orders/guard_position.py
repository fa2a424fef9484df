"""Proves that a working stop covers a position, else places one, else flattens; cancels leftover orders when flat."""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from shared.clock import machine_now
from shared.db.accounts import accounts
from shared.db.accounts.installations import find_other
from shared.db.orders import fills, flatten_requests, orders, positions
from shared.db.orders.orders import OrderRow
from shared.db.orders.positions import PositionRow
from shared.domain.counting import count_of
from shared.domain.orders.order import OrderState, Origin, Role
from shared.domain.orders.poll_pace import FIRST_POLL, poll_pause
from shared.domain.orders.position import show_position
from shared.errors import PostponedError, RetryableError
from shared.ledger.jobs.orders import Flatten, GuardPosition
from workers.context import Context
from workers.orders import venue_state, venue_view
from workers.orders.guard_changes import find_refused_wait, request_change
from workers.orders.guard_stops import cancel_unsent_stops, find_replacement_wait, place_stop, replace_stop
from workers.orders.protection_state import ProtectionState, load_state, record_if_protected
from workers.orders.resolve_in_doubt_order import OVERLAP
from workers.orders.venue_view import VenueView, quantity_at_venue
from workers.task import task

# The venue's events report the stop within milliseconds of its fill: a request before that would be too early.
GRACE = timedelta(seconds=0.25)
# A position without a working stop of our own by then is flattened.
FLATTEN_AFTER = timedelta(seconds=1.4)
RETRY_WHEN_UNREACHABLE = timedelta(seconds=0.5)
# Of our own rows, while the venue refuses what is left to do: a fill that they show is guarded without its answer.
READ_ROWS_EVERY = timedelta(seconds=1)
_NAMES = {Role.STOP_LOSS: "stop", Role.TAKE_PROFIT: "target", Role.EXIT: "exit"}
_NEVER_LIVE = "nothing: live orders were never on"


@task(GuardPosition)
def guard_position(job: GuardPosition, ctx: Context) -> dict[str, str | int]:
    """Make a working stop cover the whole position; each run reads the state first, so any number of runs is safe.

    A position that a stop or a target of ours has opened, as it closed more than was held, is flattened.
    One run serves every guard job of the position that was enqueued before it began.
    """
    with ctx.transaction() as tx:
        tx.supersede()
        skipped = _find_reason_to_skip(tx.connection, ctx, job)
        if skipped is not None:
            return {"skipped": skipped}
        state = load_state(tx.connection, job.account_id, job.contract_id)
        record_if_protected(tx.connection, state)
        if state.is_settled:
            return _build_result(state)
        newest, unguarded = fills.find_times(tx.connection, job.account_id, job.contract_id)
        refused_for = _find_refused_wait(tx.connection, ctx, state)
    now = machine_now()
    _require_due(job, state, refused_for, None if newest is None else now - newest)
    since = unguarded or ctx.job.enqueued_at
    waited = now - since
    try:
        found = _refresh_state(ctx, job, waited)
        if isinstance(found, str):
            return {"skipped": found}
        state = found
        if state.is_settled:
            return _build_result(state)
        if (unwanted := _find_reason_to_flatten(ctx, job, state, since)) is not None:
            return _flatten(ctx, job, *unwanted)
        return _repair(ctx, job, state, waited)
    except PostponedError:
        raise
    except RetryableError as error:  # an attempt that did not reach the venue does not count
        raise PostponedError(str(error), max(_find_pause(waited), RETRY_WHEN_UNREACHABLE)) from error


def _require_due(
    job: GuardPosition, state: ProtectionState, refused_for: timedelta, age_of_fill: timedelta | None
) -> None:
    """Raise PostponedError while a question to the venue would tell nothing new."""
    if refused_for > timedelta(0):
        reason = f"{job.contract_id}: {_describe(state)}; the venue did not change that, so it is asked again later"
        raise PostponedError(reason, min(refused_for, READ_ROWS_EVERY))
    if age_of_fill is not None and age_of_fill < GRACE:
        raise PostponedError(f"{job.contract_id}: {_describe(state)}; the venue may still report it", FIRST_POLL)


def _find_refused_wait(connection: Connection, ctx: Context, state: ProtectionState) -> timedelta:
    """Return how long nothing is to do but what the venue has refused, zero if there is more or it is due again."""
    if not state.plan.is_covered or state.is_turned_around:
        return timedelta(0)
    rows = {row.id: row for row in state.open_orders}
    cancels = (find_refused_wait(connection, rows[order_id]) for order_id in state.plan.cancels)
    shrinks = (find_refused_wait(connection, rows[order_id], quantity) for order_id, quantity in state.plan.shrinks)
    replacements = [] if state.plan.replacement is None else [find_replacement_wait(connection, ctx, state)]
    return min([*cancels, *shrinks, *replacements], default=timedelta(0))


def _find_pause(waited: timedelta) -> timedelta:
    """Return the pause before the venue is asked again for a position that has waited so long for its stop."""
    return poll_pause(waited - FLATTEN_AFTER)


def _find_reason_to_skip(connection: Connection, ctx: Context, job: GuardPosition) -> str | None:
    account = accounts.get(connection, job.account_id)
    if account is None or not ctx.may_act_for(account):
        fills.record_guarded(connection, job.account_id, job.contract_id, _NEVER_LIVE)
        return "live orders were never on"
    other = find_other(account, ctx.market_now)
    if other is not None:
        fills.record_guarded(connection, job.account_id, job.contract_id, f"nothing: {other.id} trades the account")
        return other.describe(account.id)
    is_flattened = flatten_requests.find_open(connection, job.account_id, job.contract_id) is not None
    return "a flatten request is open" if is_flattened else None


def _refresh_state(ctx: Context, job: GuardPosition, waited: timedelta) -> ProtectionState | str:
    """Apply what the venue shows; return the state, or why the guard may not act by what it shows."""
    pause_if_refused = max(_find_pause(waited), RETRY_WHEN_UNREACHABLE)
    with venue_view.postpone_refused_read(pause_if_refused):
        view = venue_view.fetch_current(ctx, job.account_id)
    with ctx.autocommit() as connection:
        known = positions.quantity_of(connection, job.account_id, job.contract_id)
    if quantity_at_venue(view, job.contract_id) != known:  # a fill that was not reported to us
        with venue_view.postpone_refused_read(pause_if_refused):
            view = venue_view.fetch_complete(ctx, job.account_id, ctx.market_now - OVERLAP)
    at_venue = quantity_at_venue(view, job.contract_id)
    with ctx.transaction() as tx:
        venue_state.apply(tx, view)
        skipped = _find_reason_to_skip(tx.connection, ctx, job)
        if skipped is not None:
            return skipped
        shown = frozenset(order.id for order in view.orders)
        state = replace(load_state(tx.connection, job.account_id, job.contract_id), shown=shown)
        by_fills = state.quantity
        if by_fills != at_venue and waited >= FLATTEN_AFTER:
            held = _find_at_venue(view, job.contract_id)
            # The venue is right; reconcile finds the reason.
            state = replace(state, quantity=at_venue, position=held, opened_by=None)
        if state.quantity == at_venue:
            record_if_protected(tx.connection, state)
    if state.quantity != at_venue:
        raise PostponedError(
            f"{job.contract_id}: the venue holds {at_venue}, our fills make {by_fills}", _find_pause(waited)
        )
    return state


def _find_at_venue(view: VenueView, contract_id: str) -> PositionRow | None:
    for one in view.positions:
        if one.contract_id == contract_id and one.direction is not None:
            quantity = one.quantity * one.direction.sign
            return PositionRow(view.account_id, contract_id, quantity, one.average_price, one.opened_market_at)
    return None


def _find_reason_to_flatten(
    ctx: Context, job: GuardPosition, state: ProtectionState, since: datetime
) -> tuple[str, str] | None:
    """Return why the position is not kept, and the kind of event that tells it; None if it is."""
    if state.is_turned_around:
        leg = _NAMES[state.opened_by or Role.EXIT]
        return f"its {leg} closed more than was held and opened {show_position(state.quantity)}", "turned_around"
    if state.plan.missing and _has_stop_failed(ctx, job, state, since):
        return f"no working stop within {(machine_now() - since).total_seconds():.1f} s", "unprotected"
    return None


def _has_stop_failed(ctx: Context, job: GuardPosition, state: ProtectionState, since: datetime) -> bool:
    """Whether our own stop was rejected, or does not cover the position in time."""
    stop = _find_last_stop(ctx, job)
    if stop is None or stop.created_at < since:  # for what was held before
        return False
    is_late = machine_now() - since > FLATTEN_AFTER
    return stop.state is OrderState.REJECTED or (is_late and not state.plan.is_covered)


def _find_last_stop(ctx: Context, job: GuardPosition) -> OrderRow | None:
    with ctx.autocommit() as connection:
        return orders.find_newest_stop_of_ours(connection, job.account_id, job.contract_id, ctx.job.enqueued_at)


def _repair(ctx: Context, job: GuardPosition, state: ProtectionState, waited: timedelta) -> dict[str, str | int]:
    todo, is_sent = state.plan, False
    if any(row.state is OrderState.CREATED and row.role is Role.STOP_LOSS for row in state.open_orders):
        cancel_unsent_stops(ctx, state)  # its guard was lost before it sent the stop
        raise PostponedError(f"{job.contract_id}: a stop was created and never sent; checking again", FIRST_POLL)
    rows = {row.id: row for row in state.open_orders}
    if todo.missing and not state.has_unconfirmed_stop:
        rejection, is_sent = place_stop(ctx, state, todo.missing, _find_pause(waited)), True
        if rejection is not None:
            return _flatten(ctx, job, f"the stop was rejected: {rejection}", "unprotected")
    if todo.replacement is not None and not state.has_unconfirmed_stop:
        too_large, quantity = todo.replacement
        is_sent = replace_stop(ctx, state, rows[too_large], quantity, _find_pause(waited))
    for order_id in todo.cancels:
        if rows[order_id].venue_order_id not in state.shown:
            continue  # it began to work after the positions were listed: it may protect a fill that we do not know
        is_fixed = order_id in state.of_fixed_size
        reason = "the venue refuses to make it smaller" if is_fixed else "nothing is left for it to close"
        is_sent |= request_change(ctx, rows[order_id], reason)
    for order_id, quantity in todo.shrinks:
        is_sent |= request_change(ctx, rows[order_id], "larger than the position", quantity)
    pause = FIRST_POLL if is_sent else _find_pause(waited)
    raise PostponedError(f"{job.contract_id}: {_describe(state)}; repaired, checking again", pause)


def _flatten(ctx: Context, job: GuardPosition, reason: str, kind: str) -> dict[str, str | int]:
    result: dict[str, str | int] = {"flattens": job.contract_id, "reason": reason}
    with ctx.transaction() as tx:
        accounts.lock(tx.connection, job.account_id)
        accounts.record_event(tx.connection, job.account_id, kind, f"{job.contract_id}: {reason}; flattened")
        request = flatten_requests.create(
            tx.connection,
            job.account_id,
            job.contract_id,
            origin=Origin.PROTECTOR,
            reason=reason,
            correlation_id=ctx.job.correlation_id,
        )
        tx.continue_with(result, Flatten(flatten_request_id=request))
    return result


def _build_result(state: ProtectionState) -> dict[str, str | int]:
    return {"held": state.quantity, "guarded_by": "a working stop" if state.quantity else "flat, nothing working"}


def _describe(state: ProtectionState) -> str:
    todo = state.plan
    surplus = count_of(len(todo.cancels) + len(todo.shrinks) + (todo.replacement is not None), "order")
    return f"{state.quantity} held, {todo.missing} without a stop, {surplus} too many"
