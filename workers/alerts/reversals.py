"""Closes what an alert reverses: a target position, or a market entry of a size, whatever becomes of its entry."""

from dataclasses import replace
from decimal import Decimal

from shared.clock import machine_now
from shared.db.alerts import entry_obstacles, precedence, reversals
from shared.db.alerts.entry_denials import describe_disagreement, describe_inactive
from shared.db.orders.reversals import RecordedReversal
from shared.db.orders.root_state import RootState, side_of
from shared.domain.alerts.entry_terms import build_entry_terms
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import OrderType, Origin, Side
from shared.domain.orders.poll_pace import poll_pause
from shared.errors import PostponedError
from workers.alerts.entry_checks import await_copy
from workers.alerts.exit_requests import close_first
from workers.alerts.outcome import AccountAlert
from workers.context import Context
from workers.orders.current_state import (
    RETRY_AFTER,
    find_read_only_reason,
    has_waited,
    read_root_state,
    require_certain,
)
from workers.orders.reversal import close_reversed_first
from workers.orders.reversal_size import measure_or_close_all
from workers.orders.sided_request import SidedRequest


def close_reversed_positions(ctx: Context, account_alert: AccountAlert) -> list[str]:
    """Request a flatten of each contract that the alert reverses, unless one is open; return the contracts.

    Raise PostponedError for at most 15 s while it is not certain what is held, and RiskLimitError for an account whose
    live orders were never on.
    """
    stored, account_id, alert = account_alert.stored, account_alert.account_id, account_alert.alert
    if alert.target_position is None or find_read_only_reason(ctx, account_id) is not None:
        return []
    state = read_root_state(ctx, account_id, alert.root)
    if not has_waited(ctx):
        require_certain(state, list(filter(alert.symbol.names, state.contract_ids)))
    with ctx.autocommit() as connection:
        found = reversals.list_reversed(
            connection, stored, account_id, alert, state, correlation_id=ctx.job.correlation_id
        )
    if found:
        close_first(ctx, found, account_id)
    elif arriving := _find_arriving(account_alert, state):
        raise PostponedError(
            f"an order against it in {arriving} is not confirmed", poll_pause(machine_now() - ctx.job.enqueued_at)
        )
    return found


def _find_arriving(account_alert: AccountAlert, state: RootState) -> str | None:
    """Return a contract in which an entry may fill next that the target position reverses, None without one."""
    alert, target_position = account_alert.alert, account_alert.alert.target_position
    sides = [side for side in Side if target_position and side is not side_of(target_position)] or list(Side)
    contract_ids = {id_ for id_, _ in state.awaits_fills} | set(state.contract_ids)
    return next(
        (
            id_
            for id_ in sorted(filter(alert.symbol.names, contract_ids))
            if any(state.is_arriving(id_, side) for side in sides)
        ),
        None,
    )


def close_reversed_size(ctx: Context, account_alert: AccountAlert) -> RecordedReversal | None:
    """Return what a market entry of a size has closed of what is held against it, None if it closes nothing.

    That is so if its own job will deny it for its symbol, its size or a later request, or if what is held was entered
    after it. Its age denies only what it would open. Raise what `close_reversed_first` does, and PostponedError while
    an exit received before is not done.
    """
    stored, account_id, alert = account_alert.stored, account_alert.account_id, account_alert.alert
    if stored.reversal is not None:
        request = _to_sided(account_alert, stored.reversal.contract_id, _size_recorded(stored.reversal))
        return close_reversed_first(ctx, request, read_root_state(ctx, account_id, alert.root), stored.reversal)
    contract = stored.contract
    if contract is None or describe_inactive(alert, contract) is not None or alert.type is not OrderType.MARKET:
        return None
    if not _may_close(ctx, account_alert, contract):
        return None
    state = read_root_state(ctx, account_id, alert.root)
    is_against = state.quantity(contract.id) * Side(alert.action).sign < 0
    if is_against and not _may_reverse(ctx, account_alert, contract, state):
        return None
    return close_reversed_first(ctx, build_sided_request(ctx, account_alert, contract, state), state, None)


def build_sided_request(
    ctx: Context, account_alert: AccountAlert, contract: Contract, state: RootState
) -> SidedRequest:
    """Return the entry of an alert as one that may be against what is held; its size counts until a close is recorded.

    Raise PostponedError while one by risk cannot be measured, at most 15 s.
    """
    stored, alert = account_alert.stored, account_alert.alert
    if stored.reversal is not None:
        return _to_sided(account_alert, contract.id, _size_recorded(stored.reversal))
    order = await_copy(ctx, account_alert, contract.id, state)
    quantity = order.exact or Decimal(0)
    if alert.quantity is None:  # what its own risk covers, and no less than its share of what is closed
        account_id, terms = account_alert.account_id, build_entry_terms(alert, 0)
        own = measure_or_close_all(ctx, account_id, contract, terms, risk=stored.risk, state=state)
        quantity = max(quantity, Decimal(own))
    return replace(_to_sided(account_alert, contract.id, quantity), most_opening=order.most_opening)


def _size_recorded(reversal: RecordedReversal) -> Decimal:
    return Decimal(reversal.closing + reversal.opening)


def _to_sided(account_alert: AccountAlert, contract_id: str, quantity: Decimal) -> SidedRequest:
    stored, alert = account_alert.stored, account_alert.alert
    return SidedRequest(
        stored.id,
        account_alert.account_id,
        contract_id,
        Side(alert.action),
        alert.type,
        quantity,
        Origin.ALERT,
        stored,
    )


def _may_close(ctx: Context, account_alert: AccountAlert, contract: Contract) -> bool:
    """Whether nothing that was sent or requested later is in the way; asked before the position is read."""
    with ctx.autocommit() as connection:
        found, _ = entry_obstacles.read(
            connection,
            account_alert.stored,
            account_alert.alert,
            account_id=account_alert.account_id,
            contract_id=contract.id,
            correlation_id=ctx.job.correlation_id,
        )
    if found.is_late or found.has_later_close or found.was_reversed_since:
        return False
    if found.waits:
        raise PostponedError(f"an exit that was received before is closing in {contract.id}", RETRY_AFTER)
    return True


def _may_reverse(ctx: Context, account_alert: AccountAlert, contract: Contract, state: RootState) -> bool:
    """Whether what is held against the entry was not entered after it, and is what it may close."""
    stored, alert, held = account_alert.stored, account_alert.alert, state.quantity(contract.id)
    if stored.settings.is_agreement_required and describe_disagreement(alert, contract.id, state) is not None:
        return False
    with ctx.autocommit() as connection:
        entered_later = precedence.list_entered_later(connection, stored, account_alert.account_id)
    return (contract.id, side_of(held)) not in entered_later
