"""Acts on a stored alert for one account: an entry, an exit, a cancel or a stop change, with its signal."""

from datetime import datetime, timedelta
from functools import partial

from shared.db.alerts import alerts, precedence, reversals
from shared.db.alerts.alerts import StoredAlert
from shared.db.alerts.entry_denials import describe_inactive, describe_stale
from shared.db.orders.reversals import RecordedReversal
from shared.db.orders.root_state import RootState, side_of
from shared.domain.alerts.alert import AlertAction
from shared.domain.alerts.entry_terms import build_entry_terms
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import Origin, Side
from shared.errors import PostponedError, RefusedError, RiskLimitError
from shared.ledger.jobs.alerts import HandleAlert
from workers.alerts.cancels import cancel_entries
from workers.alerts.entry_checks import (
    await_copies,
    check_hook_settings,
    deny_if,
    find_later_close,
    limit_opening,
    require_agreement,
    require_copy,
    require_current,
)
from workers.alerts.exit_requests import cancel_first, close_first
from workers.alerts.exits import exit_position, exit_to_position, skip_exit
from workers.alerts.outcome import AccountAlert, read_for_account, record_outcome
from workers.alerts.reversals import build_sided_request, close_reversed_positions, close_reversed_size
from workers.alerts.stop_changes import STOP_ACTIONS, change_stops
from workers.context import Context
from workers.orders.current_state import RETRY_AFTER, find_read_only_reason, require_certain
from workers.orders.entry import require_open_session, submit_entry
from workers.orders.entry_request import EntryRequest
from workers.orders.reversal import close_reversed_first
from workers.task import task

_LATEST_RESEND = timedelta(seconds=30)  # TradingView sends an alert again for 20 s at most


@task(HandleAlert)
def handle_alert(job: HandleAlert, ctx: Context) -> dict[str, str]:
    """Act on one alert for its hook's account; signal, order and the end of this job are one commit.

    So a second run does nothing. The followers of the hook have jobs of their own.
    """
    with ctx.autocommit() as connection:
        stored = alerts.read_alert(connection, job.alert_id)
    if stored is None:
        raise RefusedError(f"alert {job.alert_id} does not exist")
    return trade_alert(ctx, stored, stored.account_id)


def trade_alert(ctx: Context, stored: StoredAlert, account_id: int) -> dict[str, str]:
    """Enter, exit, cancel or move stops on one account as the alert requests, unless it was denied there before.

    Raise RiskLimitError for an alert that was or is denied, RefusedError without a single active contract, for a month
    that is not active, or for an entry that is late or closed by a later request.
    """
    if stored.denial is not None:
        raise RiskLimitError(stored.denial)
    account_alert = read_for_account(stored, account_id)
    alert = account_alert.alert
    if alert.action is AlertAction.TEST:
        return {"test": "received, and trades nothing"}
    if alert.action is AlertAction.CANCEL:
        return cancel_entries(ctx, account_alert)
    if alert.action in STOP_ACTIONS:
        return change_stops(ctx, account_alert)
    contract = stored.contract
    if alert.action is AlertAction.CLOSE:
        with ctx.autocommit() as connection:
            is_late = (
                alert.symbol.month is None
                and _may_be_late(stored)
                and precedence.is_late(connection, stored, ("TARGET",), acted_on_by=account_id)
            )
        return skip_exit(ctx, account_alert, contract) if is_late else exit_position(ctx, account_alert, contract)
    inactive = describe_inactive(alert, contract)
    if contract is None or inactive is not None:
        close_reversed_positions(ctx, account_alert)
        raise RefusedError(inactive)
    if describe_stale(stored) is not None and (closed := _close_stale(ctx, account_alert, contract)) is not None:
        return closed
    state = require_current(ctx, account_alert, contract)
    trade = _trade_size if alert.target_position is None else _trade_to_position
    return trade(ctx, account_alert, contract, state)


def _close_stale(ctx: Context, account_alert: AccountAlert, contract: Contract) -> dict[str, str] | None:
    """Close what a stale entry reverses; return the result of its job if it would open nothing anyway."""
    if account_alert.alert.target_position is not None:
        close_reversed_positions(ctx, account_alert)
        return None
    try:
        reversal = close_reversed_size(ctx, account_alert)
    except RefusedError as error:
        deny_if(ctx, account_alert, contract, str(error))
        raise
    if reversal is None or reversal.opening:
        return None
    return _record_closed(ctx, account_alert, reversal)


def _trade_size(ctx: Context, account_alert: AccountAlert, contract: Contract, state: RootState) -> dict[str, str]:
    """Enter the size that the sender wants, after the close of what a market order of it reverses."""
    recorded = account_alert.stored.reversal
    quantity = require_copy(ctx, account_alert, contract, state) if recorded is None else recorded.opening
    reversal = _close_reversed_first(ctx, account_alert, contract, state)
    if reversal is not None:
        reversal = limit_opening(ctx, account_alert, contract, state, reversal)
    if reversal is not None and reversal.opening == 0:
        return _record_closed(ctx, account_alert, reversal)
    warning = check_hook_settings(ctx, account_alert, contract, state)
    against = -state.quantity(contract.id) * Side(account_alert.alert.action).sign
    opens = reversal is not None or quantity is None or quantity > max(0, against)
    if account_alert.stored.is_copied and opens:
        await_copies(ctx, account_alert)
    return _enter(ctx, account_alert, contract, quantity=quantity, reason=warning, reversal=reversal)


def _record_closed(ctx: Context, account_alert: AccountAlert, reversal: RecordedReversal) -> dict[str, str]:
    """Record that an entry has closed what it is against, and leaves nothing to open; end its job."""
    with ctx.transaction() as tx:
        reason = f"{reversal.closed} of {reversal.contract_id} closed, and nothing to open"
        result, _ = record_outcome(tx, ctx, account_alert, reversal.contract_id, reason=reason)
        result["closes"] = reversal.contract_id
        tx.finish(result)
    return result


def _close_reversed_first(
    ctx: Context, account_alert: AccountAlert, contract: Contract, state: RootState
) -> RecordedReversal | None:
    """Close what the entry reverses, as `close_reversed_first`, unless chart and account disagree; record a denial."""
    stored = account_alert.stored
    if stored.reversal is None:
        require_agreement(ctx, account_alert, contract, state)
    try:
        request = build_sided_request(ctx, account_alert, contract, state)
        return close_reversed_first(ctx, request, state, stored.reversal)
    except RefusedError as error:
        deny_if(ctx, account_alert, contract, str(error))
        raise


def _may_be_late(stored: StoredAlert) -> bool:
    """Whether the time of an exit can be that of its sending: a bar's start, or a local time, must not lose it."""
    return stored.sent_at is not None and stored.received_at - stored.sent_at <= _LATEST_RESEND


def _trade_to_position(
    ctx: Context, account_alert: AccountAlert, contract: Contract, state: RootState
) -> dict[str, str]:
    """Trade the difference between what is held and the position that the sender wants, closing first.

    What is held on the other side, or in another month that the symbol means, is closed before the entry, which waits
    until the venue has confirmed that. Entries that rest on the wanted side count as filled; those that rest on the
    other side, or exceed the target position, are cancelled first.
    """
    target_position = account_alert.alert.target_position or 0
    deny_if(ctx, account_alert, contract, find_read_only_reason(ctx, account_alert.account_id))
    require_certain(state, [contract.id])
    held = state.quantity(contract.id)
    if to_close := reversals.list_closed_before_target(account_alert.alert, state, contract.id):
        close_first(ctx, to_close, account_alert.account_id)
        raise PostponedError(f"closing {', '.join(to_close)} before the entry", RETRY_AFTER)
    if surplus := state.surplus_entries(contract.id, target_position):
        cancel_first(ctx, surplus, account_alert.account_id)
        raise PostponedError(f"cancelling entries in {contract.id} that the target position does not want", RETRY_AFTER)
    planned = state.planned_quantity(contract.id, side_of(target_position))
    if planned >= abs(target_position):
        return exit_to_position(ctx, account_alert, contract.id, held=held, target_position=target_position)
    warning = check_hook_settings(ctx, account_alert, contract, state)
    await_copies(ctx, account_alert)
    return _enter(ctx, account_alert, contract, quantity=abs(target_position) - planned, reason=warning)


def _enter(
    ctx: Context,
    account_alert: AccountAlert,
    contract: Contract,
    *,
    quantity: int | None,
    reason: str | None = None,
    reversal: RecordedReversal | None = None,
) -> dict[str, str]:
    """Submit an entry of so many contracts, None for as many as its risk covers, or of the rest of a reversal."""
    alert, stored = account_alert.alert, account_alert.stored
    require_open_session(ctx, contract)
    request = EntryRequest(
        account_alert.account_id,
        contract,
        build_entry_terms(alert, quantity or 0),
        Origin.ALERT,
        expires_at=_expires_at(ctx),
        alert_id=stored.id,
        reason="; ".join(filter(None, (reason, account_alert.copy_note))) or None,
        find_obstacle=partial(find_later_close, ctx, account_alert, contract),
        risk=stored.risk if quantity is None else None,
        target_position=alert.target_position,
    )
    if reversal is not None:
        request = request.open_rest(reversal)
    return submit_entry(ctx, request)


def _expires_at(ctx: Context) -> datetime:
    """Return the expiry of the entry: that of the alert's job, else the entry TTL after the job was enqueued."""
    return ctx.job.expires_at or ctx.job.enqueued_at + ctx.settings.entry_ttl
