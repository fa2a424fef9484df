"""Sees the close of what a market entry reverses through, also if the venue rejects its exit."""

from datetime import datetime, timedelta
from functools import partial

from shared.clock import machine_now
from shared.db.alerts import precedence
from shared.db.orders import fills, flatten_requests, orders, positions, reversals, root_state
from shared.db.orders.reversals import RecordedReversal
from shared.domain.orders.poll_pace import close_pause
from shared.domain.orders.reversal import count_missing
from shared.errors import PostponedError, RefusedError
from shared.ledger.jobs.orders import Flatten
from workers.context import Context
from workers.orders.current_state import RETRY_AFTER, WAIT_FOR, read_root_state, require_certain
from workers.orders.exit_permission import lock_and_require_may_exit
from workers.orders.reduce_position import CLOCK_SKEW
from workers.orders.sided_request import SidedRequest, leave_entries, leave_unsent

_CLOSE_AGAIN_AFTER = timedelta(seconds=1)
_CLOSE_FOR = timedelta(hours=1)  # a part that the venue rejects; it is no longer the part that was meant


def describe_closed(ctx: Context, request: SidedRequest, recorded: RecordedReversal) -> dict[str, str]:
    """Return the exit of an entry that leaves nothing to open; raise RefusedError if something else has closed all."""
    contract_id = recorded.contract_id
    with ctx.autocommit() as connection:
        order_id = orders.find_exit(connection, request.account_id, contract_id, ctx.job.correlation_id)
    if order_id is None:
        raise RefusedError(f"nothing is held of {contract_id} any more: nothing to close")
    return {"order_id": str(order_id), "note": f"{recorded.closing} of {contract_id} closed, and nothing opened"}


def require_active(recorded: RecordedReversal, contract_id: str) -> None:
    """Raise RefusedError if something is to be opened, and another contract than what was closed is the active one."""
    if recorded.opening and recorded.contract_id != contract_id:
        raise RefusedError(f"{recorded.contract_id} was closed and is not the active contract any more")


def require_closed(ctx: Context, request: SidedRequest, recorded: RecordedReversal) -> None:
    """Raise PostponedError while the position is not closed; request that again, as its exit may have been rejected.

    The position is read after the exits: one that fills meanwhile counts as none of them, and shows in the position.
    An entry before it that was not confirmed is waited for before something is opened or all is called closed; what it
    fills is closed too. What is held beyond that was made by something else later, and nothing is opened against it.
    """
    contract_id, account_id = request.contract_id, request.account_id
    with ctx.autocommit() as connection:
        if precedence.has_open_reduction(connection, account_id, contract_id):
            raise PostponedError(f"closing {recorded.closing} of {contract_id} before the entry", RETRY_AFTER)
        exited = orders.count_exited(connection, account_id, contract_id, ctx.job.correlation_id)
    state = read_root_state(ctx, account_id, request.root)
    held = -state.quantity(contract_id) * request.side.sign
    arrived, entered_later = _read_entered(ctx, request, recorded)
    count = partial(count_missing, offset=recorded.offset, held=held, arrived=arrived, entered_later=entered_later)
    missing = count(closing=recorded.closing, exited=exited)
    if missing and (opened_at := _find_opened_anew(ctx, request, recorded.requested_at)) is not None:
        missing = min(missing, count(closing=0, exited=_count_exited_since(ctx, request, opened_at)))
    awaited = recorded.opening + recorded.offset
    certain = (
        leave_unsent(request, state, awaited)
        if awaited and missing == 0
        else leave_entries(ctx, request, state, opening=0)
    )
    require_certain(certain, [contract_id])
    if recorded.opening:
        _require_no_flatten(ctx, request, recorded)
    if missing == 0:
        ordered = 0 if recorded.opening else max(0, arrived - recorded.offset)  # the rest of what came late
        if held > ordered and (recorded.opening or arrived or exited < recorded.closing):
            raise RefusedError(f"{contract_id} is held against it again, and was closed once")
        return
    _require_no_later_close(ctx, request)
    waited = machine_now() - recorded.requested_at
    if waited >= WAIT_FOR and recorded.closes_all and held <= missing and not arrived:
        awaited_flatten = _flatten(ctx, request, recorded)
        if waited < _CLOSE_FOR:
            raise PostponedError(awaited_flatten, _CLOSE_AGAIN_AFTER)
    if waited >= _CLOSE_FOR:
        raise RefusedError(f"{contract_id} could not be closed in time")
    with ctx.transaction() as tx:
        lock_and_require_may_exit(tx, ctx, account_id)
        is_being_closed = precedence.has_open_reduction(tx.connection, account_id, contract_id)
        exits = orders.count_exited(tx.connection, account_id, contract_id, ctx.job.correlation_id)
        locked = root_state.read(tx.connection, account_id, request.root)
        require_certain(leave_entries(ctx, request, locked, opening=0), [contract_id])
        if is_being_closed or exits != exited:  # by the other job of the alert, since it was read
            raise PostponedError(f"closing {recorded.closing} of {contract_id} before the entry", RETRY_AFTER)
        close = request.build_close(missing, None if arrived else recorded.requested_at)
        tx.enqueue(close, key=f"reversal:{request.id}:{account_id}:{machine_now():%H%M%S}")
    raise PostponedError(f"{contract_id} is not closed yet, so it is closed again", close_pause(waited, WAIT_FOR))


def _read_entered(ctx: Context, request: SidedRequest, recorded: RecordedReversal) -> tuple[int, int]:
    """Return what entries have filled since: those of before that were not confirmed, and later ones; else 0 and 0."""
    if not recorded.offset:
        return 0, 0
    account_id, contract_id, held_side = request.account_id, request.contract_id, request.side.opposite
    with ctx.autocommit() as connection:
        later = reversals.list_entered_since(connection, account_id, contract_id, held_side, recorded.requested_at)
        return reversals.count_arrived(connection, recorded), sum(later)


def _find_opened_anew(ctx: Context, request: SidedRequest, requested_at: datetime) -> datetime | None:
    """Return when the position was opened after a close was requested: what was to be closed is gone; else None."""
    with ctx.autocommit() as connection:
        opened = positions.find_opened_at(connection, request.account_id, request.contract_id)
        if not fills.has_recorded_since(connection, request.account_id, request.contract_id, requested_at):
            return None
    is_new = opened is not None and opened > ctx.clock.to_market(requested_at) + CLOCK_SKEW
    return ctx.clock.to_machine(opened) if opened is not None and is_new else None


def _count_exited_since(ctx: Context, request: SidedRequest, since: datetime) -> int:
    account_id, contract_id, correlation_id = request.account_id, request.contract_id, ctx.job.correlation_id
    with ctx.autocommit() as connection:
        return orders.count_exited(connection, account_id, contract_id, correlation_id, since=since)


def _require_no_later_close(ctx: Context, request: SidedRequest) -> None:
    """Raise RefusedError once a later request closes the contract, as that one sees it through."""
    account_id, contract_id, correlation_id = request.account_id, request.contract_id, ctx.job.correlation_id
    with ctx.autocommit() as connection:
        is_closed_later = (
            flatten_requests.was_closed_since(connection, account_id, contract_id, correlation_id, ctx.job.enqueued_at)
            if request.stored is None
            else flatten_requests.has_later_close(connection, account_id, contract_id, correlation_id, request.stored)
        )
    if is_closed_later:
        raise RefusedError(flatten_requests.describe_later_close(contract_id))


def _require_no_flatten(ctx: Context, request: SidedRequest, recorded: RecordedReversal) -> None:
    """Raise RefusedError once a flatten of what is reversed was requested, by this job or the other one of an alert."""
    with ctx.autocommit() as connection:
        flattened = flatten_requests.list_contracts_requested_by(
            connection, request.account_id, ctx.job.correlation_id, recorded.requested_at
        )
    if request.contract_id in flattened:
        raise RefusedError(f"{request.contract_id} could not be closed in time, so it opens nothing")


def _flatten(ctx: Context, request: SidedRequest, recorded: RecordedReversal) -> str:
    """Request a flatten of what could not be closed in time, unless one is open; return what is waited for.

    Nothing is requested while an order may add to it. Raise RefusedError for what would be opened, which is given up.
    """
    account_id, contract_id = request.account_id, request.contract_id
    with ctx.transaction() as tx:
        lock_and_require_may_exit(tx, ctx, account_id)
        held_side, since = request.side.opposite, recorded.requested_at
        entered = reversals.list_entered_since(tx.connection, account_id, contract_id, held_side, since)
        if any(entered):
            raise RefusedError(f"{contract_id} was entered against it again since its close was requested")
        if entered:
            return f"an order against it in {contract_id} is not confirmed"
        if flatten_requests.find_open(tx.connection, account_id, contract_id) is None:
            flatten_request_id = flatten_requests.create(
                tx.connection,
                account_id,
                contract_id,
                origin=request.origin,
                reason="the exit of a market entry was rejected",
                correlation_id=ctx.job.correlation_id,
            )
            tx.enqueue(Flatten(flatten_request_id=flatten_request_id))
    if recorded.opening:
        raise RefusedError(f"{contract_id} could not be closed in time, so it opens nothing")
    return f"{contract_id} could not be closed in time, so it is flattened"
