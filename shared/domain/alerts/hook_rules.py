"""Applies the settings of a hook to an alert: the symbol to trade, the size, the stop."""

from dataclasses import replace
from decimal import Decimal

from shared.domain.alerts.alert import Alert, AlertAction
from shared.domain.alerts.fields import MAX_CONTRACTS
from shared.domain.alerts.hook_settings import HookSettings, SizeMode
from shared.domain.alerts.payload import RefusedAlertError
from shared.domain.market_data.contract import ROOTS
from shared.domain.market_data.symbol import Symbol
from shared.domain.orders.order import direction_of


def apply_settings(alert: Alert, settings: HookSettings) -> Alert:
    """Return the alert as its hook trades it; raise RefusedAlertError for one that the hook does not take.

    With a size by risk the quantity of an entry is None: it follows from the stop. A hook that sizes by itself, fixed
    or by risk, cannot tell which part of its position a part of the chart's is: such an exit closes all, and one of a
    chart that stays long or short leaves what is held in that direction. So does a multiplier that rounds, of a part
    that is no position: its rounded parts would not add up to the rounded entries.
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
    if settings.size is SizeMode.SENT:
        return alert
    if settings.size is SizeMode.MULTIPLIER and _is_scaled(alert, value):
        quantity = None if alert.quantity is None else max(1, int(alert.quantity * value))
        return replace(alert, quantity=quantity, target_position=_scale_target(alert.target_position, value))
    if not alert.action.is_entry:
        kept = alert.kept_direction or direction_of(alert.target_position or 0)
        return replace(alert, quantity=None, target_position=kept.sign * MAX_CONTRACTS or None)
    if settings.size is SizeMode.FIXED:
        size = int(value)
        return replace(alert, quantity=size, target_position=_sign_of(alert.target_position) * size or None)
    if alert.target_position is not None:
        raise RefusedAlertError(
            "an entry that is a position needs a size in contracts, and this hook sizes by risk",
            field="market_position",
            hint="give the hook another size with `tickwork hooks set`, or send an order without market_position",
        )
    return replace(alert, quantity=None)


def _is_scaled(alert: Alert, factor: Decimal) -> bool:
    """Whether a multiplier applies to an alert: to an entry, a position, and with a whole factor to each part."""
    return factor % 1 == 0 or alert.action.is_entry or alert.target_position is not None


def _scale_target(target_position: int | None, factor: Decimal) -> int | None:
    return None if not target_position else _sign_of(target_position) * max(1, int(abs(target_position) * factor))


def _sign_of(target_position: int | None) -> int:
    return direction_of(target_position or 0).sign


def _set_stop(alert: Alert, settings: HookSettings) -> Alert:
    if not alert.action.is_entry or alert.stop_loss_ticks is not None or alert.stop_loss is not None:
        return alert
    return replace(alert, stop_loss_ticks=settings.default_stop_ticks)
