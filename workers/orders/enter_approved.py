"""Submits an entry that a person has approved, if every rule still lets it: once, however often it is run."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import Connection

from shared.db.alerts import alerts, entry_obstacles, precedence
from shared.db.alerts.alerts import StoredAlert
from shared.db.alerts.entry_denials import describe_idle_hook, find_cooldown
from shared.db.alerts.reversals import list_closed_before_target
from shared.db.market_data import contracts
from shared.db.orders import entry_approvals, reversals, root_state
from shared.db.orders.entry_approvals import EntryApproval
from shared.db.orders.reversals import RecordedReversal
from shared.db.orders.root_state import RootState, side_of
from shared.db.strategies import strategy_accounts
from shared.domain.market_data.contract import root_of_contract
from shared.domain.orders.approval import ApprovalState
from shared.domain.orders.position import show_position
from shared.errors import PostponedError, RefusedError
from shared.ledger.jobs.orders import EnterApproved
from workers.context import Context
from workers.orders.current_state import read_root_state
from workers.orders.entry import is_flat, require_open_session, submit_entry
from workers.orders.entry_request import EntryRequest
from workers.orders.reversal import close_reversed_first
from workers.orders.reversal_close import describe_closed
from workers.orders.reversal_size import measure_or_close_all
from workers.orders.sided_request import SidedRequest
from workers.task import task

_RETRY_AFTER = timedelta(seconds=0.1)


@task(EnterApproved)
def enter_approved(job: EnterApproved, ctx: Context) -> dict[str, str]:
    """Record signal, order and the end of this job in one commit, then place the order; a second run does nothing.

    The entry is denied, and recorded, if a rule or a setting of its hook forbids it now, or if something that was
    requested after it leaves no place for it. Of a target position what is lacking now is entered, and never more than
    was approved. Raise PostponedError while a position is not certain.
    """
    with ctx.autocommit() as connection:
        row = entry_approvals.get(connection, job.approval_id)
        if row is not None and row.order_id is not None:
            return {"nothing_to_do": f"order {row.order_id} was made of it", "order_id": str(row.order_id)}
        if row is None or row.state is not ApprovalState.APPROVED:
            raise RefusedError(f"approval {job.approval_id} is {'unknown' if row is None else row.state}")
    try:
        return _enter(ctx, row)
    except RefusedError as error:
        with ctx.transaction() as tx:  # unless its denied order says so already
            entry_approvals.end_without_order(tx.connection, row, ApprovalState.DENIED, str(error), ctx.market_now)
        raise


def _enter(ctx: Context, row: EntryApproval) -> dict[str, str]:
    with ctx.autocommit() as connection:
        contract = contracts.require(connection, row.contract_id)
        stored = None if row.alert_id is None else alerts.read_alert(connection, row.alert_id, row.account_id)
        quantity = _find_quantity(connection, row)
    request = EntryRequest(
        row.account_id,
        contract,
        row.entry_of(max(quantity, 1)),
        row.origin,
        expires_at=ctx.job.expires_at or ctx.job.enqueued_at + ctx.settings.entry_ttl,
        alert_id=row.alert_id,
        strategy=row.strategy,
        reason=row.reason,
        risk=row.risk,
        target_position=row.target_position,
        find_obstacle=partial(_find_obstacle, row=row, stored=stored, quantity=quantity),
        approval=row,
    )
    sided, reversal = _close_reversed_first(ctx, row, stored, request)
    if reversal is not None:
        reversal = replace(reversal, opening=row.find_opening(reversal))
    if sided is not None and reversal is not None and reversal.opening == 0:
        return _record_closed(ctx, row, describe_closed(ctx, sided, reversal))
    if reversal is not None:
        request = request.open_rest(reversal)
    require_open_session(ctx, contract)
    return submit_entry(ctx, request)


def _record_closed(ctx: Context, row: EntryApproval, closed: dict[str, str]) -> dict[str, str]:
    """End the approval of an entry that leaves nothing to open with the exit that it was."""
    with ctx.transaction() as tx:
        order_id, note = UUID(closed["order_id"]), closed["note"]
        if not entry_approvals.record_exit(tx.connection, row, order_id, note, ctx.market_now):
            raise RefusedError(f"approval {row.id} has ended already")
        tx.finish(closed)
    return closed


def _close_reversed_first(
    ctx: Context, row: EntryApproval, stored: StoredAlert | None, request: EntryRequest
) -> tuple[SidedRequest | None, RecordedReversal | None]:
    """Close what an alert's entry reverses by now, as `close_reversed_first`, unless something later leaves no place.

    A strategy enters only while the account is flat, and a target position is not entered against what is held by now.
    """
    if stored is None or row.target_position is not None:
        return None, None
    with ctx.autocommit() as connection:
        is_late = next(entry_obstacles.list_later_requests(connection, row, stored), None) is not None
    if is_late and stored.reversal is None:
        return None, None
    state = read_root_state(ctx, row.account_id, root_of_contract(row.contract_id))
    quantity = row.quantity
    if stored.reversal is None:
        terms = request.entry
        quantity = measure_or_close_all(ctx, row.account_id, request.contract, terms, risk=row.risk, state=state)
    sided = SidedRequest(
        stored.id,
        row.account_id,
        request.contract.id,
        row.side,
        row.type,
        min(quantity, row.quantity),
        row.origin,
        stored,
    )
    return sided, close_reversed_first(ctx, sided, state, stored.reversal)


def _find_quantity(connection: Connection, row: EntryApproval) -> int:
    """Return how much is to be entered: what a target position lacks now, 0 or less if it lacks nothing."""
    if row.target_position is None:
        return row.quantity
    planned = _read_state(connection, row).planned_quantity(row.contract_id, side_of(row.target_position))
    return min(row.quantity, abs(row.target_position) - planned)


def _read_state(connection: Connection, row: EntryApproval) -> RootState:
    return root_state.read(connection, row.account_id, root_of_contract(row.contract_id))


def _find_obstacle(connection: Connection, row: EntryApproval, stored: StoredAlert | None, quantity: int) -> str | None:
    """Return why the approved entry is not made, beside the rules; the caller has locked the account."""
    return next(_list_obstacles(connection, row, stored, quantity), None)


def _list_obstacles(
    connection: Connection, row: EntryApproval, stored: StoredAlert | None, quantity: int
) -> Iterator[str]:
    yield from entry_obstacles.list_later_requests(connection, row, stored)
    if stored is not None and stored.reversal is None and reversals.find(connection, stored.id, row.account_id):
        raise PostponedError(f"what is held of {row.contract_id} is being closed for this entry", _RETRY_AFTER)
    if precedence.has_open_reduction(connection, row.account_id, row.contract_id):
        raise PostponedError(f"a part of the position in {row.contract_id} is being closed", _RETRY_AFTER)
    state = _read_state(connection, row)
    if state.is_uncertain(row.contract_id):
        raise PostponedError(f"an order in {row.contract_id} is not confirmed", _RETRY_AFTER)
    if row.target_position is not None:
        yield from _list_target_obstacles(row, stored, row.target_position, state)
        if _find_quantity(connection, row) != quantity:
            raise PostponedError(f"the position in {row.contract_id} has just changed", _RETRY_AFTER)
    yield from _list_source_obstacles(connection, row, stored, state)


def _list_source_obstacles(
    connection: Connection, row: EntryApproval, stored: StoredAlert | None, state: RootState
) -> Iterator[str]:
    """Yield why the hook or the strategy that the entry is of enters nothing now."""
    if stored is not None:
        if (idle := describe_idle_hook(stored, row.side, row.contract_id, state)) is not None:
            yield idle
        if (cooldown := find_cooldown(connection, stored, row.account_id, row.contract_id)) is not None:
            yield cooldown
    if row.strategy is not None:
        if row.account_id not in {one.id for one in strategy_accounts.list_trading(connection, row.strategy)}:
            yield f"account {row.account_id} trades {row.strategy} no longer"
        if not is_flat(connection, row.account_id, row.contract_id):
            yield "the account is no longer flat"


def _list_target_obstacles(
    row: EntryApproval, stored: StoredAlert | None, target_position: int, state: RootState
) -> Iterator[str]:
    """Yield why a target position is not entered any more: it is reached, or something must be closed before."""
    held, wanted = state.quantity(row.contract_id), show_position(target_position)
    to_close = [] if stored is None else list_closed_before_target(stored.read_traded(), state, row.contract_id)
    if to_close or state.surplus_entries(row.contract_id, target_position):
        yield f"what is held or rests has changed since {wanted} was requested: send the alert again"
    elif state.planned_quantity(row.contract_id, side_of(target_position)) >= abs(target_position):
        yield f"nothing is lacking: {show_position(held)} is held, {wanted} is wanted"
