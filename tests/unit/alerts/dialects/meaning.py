"""How a table of messages says what an alert must be, and the position that it must lead to."""

from typing import TypeAlias

from shared.domain.alerts.alert import Alert, AlertAction
from shared.domain.orders.order import Direction, OrderType

# A body, what it must become, and the positions that it must lead to from each of HELD ("" if it leads to none).
# "BUY 1 MNQ" is an order, "LONG 1 MNQ" a position, "refused <field>: <part of the hint>" a refusal, and
# "payload <field>=<value>" what the dialect makes of it.
Row: TypeAlias = tuple[str, str, str]

HELD = (-1, 0, 1, 3)


def describe(alert: Alert) -> str:
    """Return an alert as the tables write it."""
    parts = [_what(alert), alert.symbol.text if alert.symbol.month else alert.root.name]
    if alert.action is AlertAction.CLOSE and alert.target_position is not None:
        parts.append(f"to {alert.target_position:+}")
    if alert.type is not OrderType.MARKET:
        parts.append(f"{alert.type.value.lower()} {alert.price}")
    for name, price, ticks in (
        ("sl", alert.stop_loss, alert.stop_loss_ticks),
        ("tp", alert.take_profit, alert.take_profit_ticks),
    ):
        parts += [f"{name} {price}"] if price is not None else [f"{name} {ticks}t"] if ticks is not None else []
    return " ".join(parts)


def _what(alert: Alert) -> str:
    if alert.action is AlertAction.CLOSE:
        side = "" if alert.only_direction is None else f" {alert.only_direction.value}"
        return f"CLOSE{side}" + ("" if alert.quantity is None else f" {alert.quantity}")
    if not alert.action.is_entry:
        return alert.action.value
    if alert.target_position is not None:
        return f"{'LONG' if alert.target_position > 0 else 'SHORT'} {abs(alert.target_position)}"
    return f"{alert.action.value} {alert.quantity}"


def position_after(alert: Alert, held: int) -> int:
    """Return the position that an alert leads to, once its order has filled."""
    if alert.action is AlertAction.CLOSE:
        return _after_close(alert, held)
    if not alert.action.is_entry:
        return held
    if alert.target_position is not None:
        return alert.target_position
    quantity = alert.quantity or 0
    return held + (quantity if alert.action is AlertAction.BUY else -quantity)


def _after_close(alert: Alert, held: int) -> int:
    sign = (held > 0) - (held < 0)
    if alert.only_direction is not None and alert.only_direction is not {1: Direction.LONG, -1: Direction.SHORT}.get(
        sign
    ):
        return held
    if alert.target_position is not None:
        return sign * min(abs(held), abs(alert.target_position)) if held * alert.target_position > 0 else 0
    return 0 if alert.quantity is None else sign * max(0, abs(held) - alert.quantity)
