"""Sees the close of what a market entry reverses through, also if the venue rejects its exit."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection

from shared.clock import machine_now
from shared.db.alerts import precedence
from shared.db.engine import snapshot
from shared.db.orders import flatten_requests, late_fills, orders, reversals, root_state
from shared.db.orders.late_fills import FilledSince
from shared.db.orders.reversals import RecordedReversal
from shared.db.orders.root_state import RootState
from shared.domain.orders.poll_pace import close_pause
from shared.domain.orders.reversal import CloseProgress
from shared.errors import PostponedError, RefusedError
from shared.ledger.jobs.orders import Flatten
from workers.context import Context
from workers.orders.current_state import RETRY_AFTER, WAIT_FOR, require_certain
from workers.orders.exit_permission import lock_and_require_may_exit
from workers.orders.sided_request import SidedRequest, leave_entries, leave_unsent

_CLOSE_AGAIN_AFTER = timedelta(seconds=1)
_CLOSE_FOR = timedelta(hours=1)  # a part that the venue rejects; it is no longer the part that was meant
_CLOCKS_AGREE_WITHIN = timedelta(minutes=1)  # that of this computer and that of the venue, whose time of a fill it is


def describe_closed(ctx: Context, request: SidedRequest, closed: RecordedReversal) -> dict[str, str]:
    """Return the exit of an entry that leaves nothing to open; raise RefusedError if something else has closed all."""
    contract_id = closed.contract_id
    with ctx.autocommit() as connection:
        order_id = orders.find_exit(connection, request.account_id, contract_id, ctx.job.correlation_id)
    if order_id is None:
        raise RefusedError(f"nothing is held of {contract_id} any more: nothing to close")
    return {"order_id": str(order_id), "note": f"{closed.closed} of {contract_id} closed, and nothing opened"}


def require_active(recorded: RecordedReversal, contract_id: str) -> None:
    """Raise RefusedError if something is to be opened, and another contract than what was closed is the active one."""
    if recorded.opening and recorded.contract_id != contract_id:
        raise RefusedError(f"{recorded.contract_id} was closed and is not the active contract any more")


def require_closed(ctx: Context, request: SidedRequest, recorded: RecordedReversal) -> RecordedReversal:
    """Return the reversal with what came late, once all is closed; request that again, as its exit may be rejected.

    Raise PostponedError until then, and while an entry before it is not confirmed, if something is to be opened or that
    one is to be closed too. Raise RefusedError if what is held may be what it was to close and may have come later:
    that is not closed, and nothing is opened against it.
    """
    request = replace(request, contract_id=recorded.contract_id)
    contract_id, account_id = request.contract_id, request.account_id
    with snapshot(ctx.ledger.engine) as connection:
        if precedence.has_open_reduction(connection, account_id, contract_id):
            raise PostponedError(f"closing {recorded.closing} of {contract_id} before the entry", RETRY_AFTER)
        state = root_state.read(connection, account_id, request.root)
        filled, progress = _read_progress(connection, ctx, request, recorded, state)
    missing = progress.missing
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
        _require_nothing_owed(recorded, progress)
        return replace(recorded, late=progress.offset_late)
    _require_no_later_close(ctx, request)
    waited = machine_now() - max(recorded.requested_at, filled.late_at or recorded.requested_at)
    if waited >= WAIT_FOR and recorded.closes_all and progress.held <= missing and not progress.late:
        awaited_flatten = _flatten(ctx, request, recorded)
        if waited < _CLOSE_FOR:
            raise PostponedError(awaited_flatten, _CLOSE_AGAIN_AFTER)
    if waited >= _CLOSE_FOR:
        raise RefusedError(f"{missing} of {contract_id} could not be closed in time")
    _close_again(ctx, request, recorded, progress)
    raise PostponedError(f"{contract_id} is not closed yet, so it is closed again", close_pause(waited, WAIT_FOR))


def _read_progress(
    connection: Connection, ctx: Context, request: SidedRequest, recorded: RecordedReversal, state: RootState
) -> tuple[FilledSince, CloseProgress]:
    account_id, contract_id = request.account_id, request.contract_id
    filled = late_fills.read(
        connection,
        account_id,
        request.side.opposite,
        recorded,
        filled_market_since=ctx.clock.to_market(recorded.requested_at) - _CLOCKS_AGREE_WITHIN,
    )
    return filled, CloseProgress(
        closing=recorded.closing,
        offset=recorded.offset,
        exited=orders.count_exited(connection, account_id, contract_id, ctx.job.correlation_id),
        held=-state.quantity(contract_id) * request.side.sign,
        late=filled.late,
        entered=filled.others,
    )


def _require_nothing_owed(recorded: RecordedReversal, progress: CloseProgress) -> None:
    """Raise RefusedError if something is held that may be what was to be closed, or against what is to be opened."""
    contract_id = recorded.contract_id
    if progress.owed and progress.late:
        raise RefusedError(
            f"{progress.late} of {contract_id} came late, and {progress.owed} held against it "
            f"{'is' if progress.owed == 1 else 'are'} not closed: something else has closed a part, so it may be newer"
        )
    if progress.owed or (recorded.opening and progress.held > 0):
        raise RefusedError(f"{contract_id} is held against it again, and was closed once")


def _close_again(ctx: Context, request: SidedRequest, recorded: RecordedReversal, progress: CloseProgress) -> None:
    """Request the close of what is missing; raise PostponedError if anything has moved since it was measured."""
    account_id, contract_id = request.account_id, request.contract_id
    with ctx.transaction() as tx:
        lock_and_require_may_exit(tx, ctx, account_id)
        is_being_closed = precedence.has_open_reduction(tx.connection, account_id, contract_id)
        locked = root_state.read(tx.connection, account_id, request.root)
        require_certain(leave_entries(ctx, request, locked, opening=0), [contract_id])
        _, measured = _read_progress(tx.connection, ctx, request, recorded, locked)
        if is_being_closed or measured != progress:  # by the other job of the alert, since it was read
            raise PostponedError(f"closing {recorded.closing} of {contract_id} before the entry", RETRY_AFTER)
        close = request.build_close(progress.missing, None if progress.late else recorded.requested_at)
        tx.enqueue(close, key=f"reversal:{request.id}:{account_id}:{machine_now():%H%M%S}")


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
