"""What an alert would lead to if it came now, on each account of its hook, by the questions that a worker asks."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Connection

from cli.client.alert_outlook import AlertOutlook, Forecast
from cli.client.copy_forecast import forecast_part, forecast_size
from cli.client.exit_forecast import NO_ACCOUNT, AlertTrial, decide_exit
from shared.clock import machine_now
from shared.config import Settings
from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.accounts.installations import describe_read_only
from shared.db.alerts import hooks, reversals
from shared.db.alerts.alerts import StoredAlert
from shared.db.alerts.entry_denials import (
    build_copy,
    describe_disagreement,
    describe_idle_hook,
    describe_inactive,
    describe_stale,
    find_cooldown,
    find_late,
)
from shared.db.alerts.hooks import Hook
from shared.db.market_data import contracts, market_clock
from shared.db.orders import root_state
from shared.db.orders.root_state import RootState, side_of
from shared.db.risk import entry_check
from shared.domain.alerts.alert import Alert, AlertAction
from shared.domain.alerts.copy_ratio import SAME, describe_empty_copy, describe_ratio, scale_alert
from shared.domain.alerts.entry_terms import build_entry_terms
from shared.domain.alerts.hook_settings import HookSettings
from shared.domain.counting import count_of
from shared.domain.market_data.calendar import calendar_of
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.orders.order import Side
from shared.domain.orders.position import show_position
from shared.domain.orders.reversal import Reversal, plan_reversal
from shared.domain.risk.personal_limits import describe_reduce_only
from shared.domain.risk.preconditions import check_session
from shared.errors import MarketClosedError, PostponedError, RefusedError, RiskLimitError
from shared.hot.quotes import exit_price_from
from shared.ids import new_id
from shared.overview.risk_view import read_fresh_quotes

_NO_HOOK = UUID(int=0)
_NO_MARKET = "this database has no market yet: run `tickwork up`"


def forecast(
    connection: Connection, settings: Settings, raw: bytes, traded: Alert, hook: Hook | None
) -> list[Forecast]:
    """Return what each account of the hook would make of the alert now; of a test alert nothing.

    Without a hook it is the only tradable account, if there is just one. `traded` is the alert as the hook trades it.
    """
    if traded.action is AlertAction.TEST:
        return []
    now, root = machine_now(), traded.root.name
    chosen = _choose_accounts(connection, hook)
    contract = contracts.find_active(connection, root)
    stored = StoredAlert(
        id=new_id(),
        body=raw,
        dialect="" if hook is None else hook.settings.dialect,
        received_at=now,
        sent_at=traded.sent_at,
        root=root,
        hook_id=_NO_HOOK if hook is None else hook.id,
        hook_name="(none)" if hook is None else hook.name,
        settings=HookSettings() if hook is None else hook.settings,
        is_hook_inactive=hook is not None and hook.paused_at is not None,
        account_id=0 if hook is None else hook.account_id,
        ratio=SAME,
        denial=None,
        contract=contract,
    )
    followers = {} if hook is None else hooks.list_followers(connection).get(hook.id, {})
    ratios = [SAME if account is None else followers.get(account.id, SAME) for account in chosen]
    alerts = [(replace(stored, ratio=ratio), scale_alert(traded, ratio)) for ratio in ratios]
    trials = zip(alerts, chosen, strict=True)
    return [_forecast(AlertTrial(connection, settings, *alert, contract, account)) for alert, account in trials]


def _choose_accounts(connection: Connection, hook: Hook | None) -> Sequence[AccountRow | None]:
    """Return the accounts to ask: those of the hook, else the only tradable one, else None for what holds for all."""
    known = accounts.list_all(connection)
    if hook is None:
        tradable = [one for one in known if one.can_trade]
        return tradable if len(tradable) == 1 else [None]
    ids = [hook.account_id, *hooks.list_followers(connection).get(hook.id, {})]
    return [one for account_id in ids for one in known if one.id == account_id]


def _forecast(trial: AlertTrial) -> Forecast:
    try:
        outcome, detail = _decide_entry(trial) if trial.alert.action.is_entry else decide_exit(trial)
    except MarketClosedError as error:
        expires = error.retry_after > trial.settings.entry_ttl
        outcome, detail = AlertOutlook.EXPIRES if expires else AlertOutlook.WAITS, str(error)
    except PostponedError as error:
        outcome, detail = AlertOutlook.WAITS, str(error)
    except RefusedError as error:
        outcome, detail = AlertOutlook.DENIED, str(error)
    account = trial.account
    if account is None:
        return Forecast(None, None, outcome, detail)
    note = describe_ratio(trial.alert, trial.stored.ratio)
    if note is not None and outcome in {AlertOutlook.TRADES, AlertOutlook.NOTHING}:
        detail = f"{detail}; {note}"
    return Forecast(account.id, account.name, outcome, detail, trial.stored.ratio)


def _decide_entry(trial: AlertTrial) -> tuple[AlertOutlook, str]:
    connection, alert, account, stored = trial.connection, trial.alert, trial.account, trial.stored
    inactive = describe_inactive(alert, trial.contract)
    if inactive is not None:
        raise RefusedError(_after(_list_closed_anyway(trial), inactive))
    stale, late = describe_stale(stored), find_late(connection, stored, alert)
    if stale is not None and (account is None or late is not None or alert.target_position is not None):
        raise RefusedError(_after(_list_closed_anyway(trial), stale))
    _deny_if(late)
    if trial.contract is None or account is None:
        _deny_if(describe_idle_hook(stored, Side(alert.action), "", RootState({}, [], frozenset())))
        return AlertOutlook.UNKNOWN, NO_ACCOUNT
    state = root_state.read(connection, account.id, alert.root)
    if alert.target_position is None:
        part = forecast_part(trial, account, trial.contract)
        order = build_copy(stored, alert, trial.contract.id, state, part)
        if order.size == 0:
            raise RefusedError(describe_empty_copy(order))
        held, exact = state.quantity(trial.contract.id), order.exact or Decimal(0)
        if alert.quantity is None and order.held:
            exact = max(exact, Decimal(forecast_size(trial, account, trial.contract) or order.held))
        reversal = None if account.is_shadow else plan_reversal(Side(alert.action), alert.type, exact, held)
        reversal = reversal and reversal.limit_to(order.most_opening)
        if stale is not None and (reversal is None or reversal.opening):
            raise RefusedError(_after([] if reversal is None else [_describe_close(reversal, trial.contract)], stale))
        if reversal is None:
            return _enter(trial, account, trial.contract, state, quantity=order.size)
        return _reverse(trial, account, trial.contract, state, reversal)
    return _trade_to_position(trial, account, trial.contract, state)


def _reverse(
    trial: AlertTrial, account: AccountRow, contract: Contract, state: RootState, reversal: Reversal
) -> tuple[AlertOutlook, str]:
    """Return the outcome of an entry that first closes the position against it, or a part of that."""
    _deny_if(_find_read_only_reason(trial, account))
    if trial.stored.settings.is_agreement_required:
        _deny_if(describe_disagreement(trial.alert, contract.id, state))
    opening, closes = reversal.opening, _describe_close(reversal, contract)
    if not opening:
        return AlertOutlook.TRADES, closes
    trial = replace(trial, alert=replace(trial.alert, quantity=opening))
    return _enter(trial, account, contract, state, quantity=opening, before=[closes])


def _describe_close(reversal: Reversal, contract: Contract) -> str:
    return f"closes {'' if reversal.closes_all else f'{reversal.closing} of '}{contract.id}"


def _find_read_only_reason(trial: AlertTrial, account: AccountRow) -> str | None:
    market = market_clock.read(trial.connection)
    return None if market is None else describe_read_only(account, market.clock.now())


def _list_closed_anyway(trial: AlertTrial) -> list[str]:
    """Return what a target position closes that is stale, or in a contract that is not active: what it reverses."""
    connection, alert, account, stored = trial.connection, trial.alert, trial.account, trial.stored
    if account is None or _find_read_only_reason(trial, account) is not None:
        return []
    state = root_state.read(connection, account.id, alert.root)
    reversed_ = reversals.list_reversed(connection, stored, account.id, alert, state, correlation_id=stored.id)
    return [f"closes {contract_id}" for contract_id in reversed_]


def _after(before: Sequence[str], denial: object) -> str:
    return "".join([*(f"{one}, then " for one in before), "the entry is denied: " if before else "", str(denial)])


def _trade_to_position(
    trial: AlertTrial, account: AccountRow, contract: Contract, state: RootState
) -> tuple[AlertOutlook, str]:
    _deny_if(_find_read_only_reason(trial, account))
    target_position = trial.alert.target_position or 0
    held = state.quantity(contract.id)
    to_close = reversals.list_closed_before_target(trial.alert, state, contract.id)
    left = {one: quantity for one, quantity in state.positions.items() if one not in to_close}
    state = replace(state, positions=left, orders=[row for row in state.orders if row.contract_id not in to_close])
    surplus = state.surplus_entries(contract.id, target_position)
    state = replace(state, orders=[row for row in state.orders if row not in surplus])
    before = [f"closes {one}" for one in to_close]
    before += [f"cancels {count_of(len(surplus), 'resting entry', 'resting entries')}"] if surplus else []
    planned = state.planned_quantity(contract.id, side_of(target_position))
    if planned < abs(target_position):
        return _enter(trial, account, contract, state, quantity=abs(target_position) - planned, before=before)
    if abs(state.quantity(contract.id)) > abs(target_position):
        before.append(f"closes down to {show_position(target_position)}")
    wanted = f"{show_position(held)} is held, {show_position(target_position)} is wanted"
    return (AlertOutlook.TRADES, "; ".join([*before, wanted])) if before else (AlertOutlook.NOTHING, wanted)


def _enter(
    trial: AlertTrial,
    account: AccountRow,
    contract: Contract,
    state: RootState,
    *,
    quantity: int | None,
    before: Sequence[str] = (),
) -> tuple[AlertOutlook, str]:
    """Return the outcome of an entry of so many contracts, None for what its risk covers, after what is `before` it."""
    try:
        warning = _find_warning(trial, account, contract, state, has_closed=bool(before))
        entered = _check(trial, account, contract, quantity, has_closed=bool(before))
    except RefusedError as error:
        raise RefusedError(_after(before, error)) from None
    if entered is None:
        return AlertOutlook.UNKNOWN, _NO_MARKET
    first, modes = "".join(f"{one}, then " for one in before), _describe_modes(account)
    return AlertOutlook.TRADES, f"{first}{trial.alert.action} {entered} {contract.id}{modes}{warning}"


def _describe_modes(account: AccountRow) -> str:
    approval = ", once it is approved" if account.is_approval_required else ""
    return approval + (", which shadow mode records and does not send" if account.is_shadow else "")


def _find_warning(
    trial: AlertTrial, account: AccountRow, contract: Contract, state: RootState, *, has_closed: bool
) -> str:
    stored, alert = trial.stored, trial.alert
    _deny_if(describe_idle_hook(stored, Side(alert.action), contract.id, state))
    _deny_if(find_cooldown(trial.connection, stored, account.id, contract.id))
    difference = None if has_closed else describe_disagreement(alert, contract.id, state)
    if stored.settings.is_agreement_required:
        _deny_if(difference)
    return "" if difference is None else f"; warning: {difference}"


def _check(
    trial: AlertTrial, account: AccountRow, contract: Contract, quantity: int | None, *, has_closed: bool
) -> int | None:
    """Return the quantity of an entry that passes the pre-trade check, None without a market; raise what it raises.

    After a close the rules are asked of other positions than now, so they deny nothing here but what would open one.
    """
    if has_closed and account.reduce_only is not None:
        raise RiskLimitError(describe_reduce_only(account.reduce_only))
    market = market_clock.read(trial.connection)
    if market is None:
        return None
    clock, settings = market.clock, trial.settings
    check_session(calendar_of(ROOTS[contract.root].group), contract, clock.now(), speed=clock.speed)
    checked = entry_check.check(
        trial.connection,
        account,
        contract,
        build_entry_terms(trial.alert, quantity or 0),
        settings=settings,
        clock=clock,
        exit_prices=lambda held: exit_price_from(read_fresh_quotes(settings, held)),
        risk=trial.stored.risk if quantity is None else None,
    )
    if checked.denial is not None and not (has_closed and checked.findings):
        raise checked.denial
    return checked.entry.quantity


def _deny_if(reason: str | None) -> None:
    if reason is not None:
        raise RefusedError(reason)
