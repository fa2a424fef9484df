"""Applies the settings of a hook to an alert: the symbol to trade, the size, the stop."""

from dataclasses import replace
from decimal import Decimal

from shared.domain.alerts.alert import Alert, AlertAction
from shared.domain.alerts.hook_settings import HookSettings, SizeMode
from shared.domain.alerts.payload import RefusedAlertError
from shared.domain.market_data.contract import ROOTS
from shared.domain.market_data.symbol import Symbol


def apply_settings(alert: Alert, settings: HookSettings) -> Alert:
    """Return the alert as its hook trades it; raise RefusedAlertError for one that the hook does not take.

    With a size by risk the quantity of an entry is None: it follows from the stop. The part of an exit is scaled by a
    multiplier only.
    """
    if settings.is_test_only and alert.action is not AlertAction.TEST:
        raise RefusedAlertError("this hook takes test alerts only", field="action", hint="send it to another hook")
    return _set_stop(_scale(_map_symbol(alert, settings), settings), settings)


def _map_symbol(alert: Alert, settings: HookSettings) -> Alert:
    name = settings.traded_root(alert.root.name)
    if name is None:
        raise RefusedAlertError(
            f"symbol {alert.symbol.text!r} is not taken by this hook",
            field="symbol",
            hint=f"expected one of {', '.join(sorted(settings.symbols))}, or add it with `tickwork hooks set`",
        )
    if name == alert.root.name:
        return alert
    root, month = ROOTS[name], alert.symbol.month
    if month is not None and month not in root.months:
        raise RefusedAlertError(
            f"symbol {alert.symbol.text!r} is traded as {name}, which has no month {month}",
            field="symbol",
            hint=f"send {alert.root.name} or {alert.root.name}1!",
        )
    return replace(alert, symbol=Symbol(alert.symbol.text, root, month, alert.symbol.year))


def _scale(alert: Alert, settings: HookSettings) -> Alert:
    value = settings.size_value or Decimal(1)
    match settings.size:
        case SizeMode.MULTIPLIER:
            quantity = None if alert.quantity is None else max(1, int(alert.quantity * value))
            if not alert.target:
                return replace(alert, quantity=quantity)
            size = max(1, int(abs(alert.target) * value))
            return replace(alert, target=size if alert.target > 0 else -size, quantity=quantity)
        case SizeMode.FIXED if alert.target:
            size = int(value)
            return replace(
                alert,
                target=size if alert.target > 0 else -size,
                quantity=size if alert.action.is_entry else alert.quantity,
            )
        case SizeMode.FIXED if alert.action.is_entry:
            return replace(alert, quantity=int(value))
        case SizeMode.RISK if alert.action.is_entry and alert.target is not None:
            raise RefusedAlertError(
                "market_position needs a size in contracts, and this hook sizes by risk",
                field="market_position",
                hint="leave market_position out, or give the hook another size with `tickwork hooks set`",
            )
        case SizeMode.RISK if alert.action.is_entry:
            return replace(alert, quantity=None)
    return alert


def _set_stop(alert: Alert, settings: HookSettings) -> Alert:
    if not alert.action.is_entry or alert.stop_loss_ticks is not None or alert.stop_loss is not None:
        return alert
    return replace(alert, stop_loss_ticks=settings.default_stop_ticks)
