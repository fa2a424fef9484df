"""The terms of an entry that an alert asks for."""

from shared.domain.alerts.alert import Alert
from shared.domain.orders.order import OrderType, Side
from shared.domain.risk.preconditions import EntryTerms


def build_entry_terms(alert: Alert, quantity: int) -> EntryTerms:
    """Return the terms of an entry of so many contracts, as the alert has them; 0 for a size by risk."""
    return EntryTerms(
        side=Side(alert.action),
        quantity=quantity,
        type=alert.type,
        limit_price=alert.price if alert.type is OrderType.LIMIT else None,
        stop_price=alert.price if alert.type is OrderType.STOP else None,
        stop_loss_ticks=alert.stop_loss_ticks,
        take_profit_ticks=alert.take_profit_ticks,
        stop_loss=alert.stop_loss,
        take_profit=alert.take_profit,
        trail_ticks=alert.trail_ticks,
    )
