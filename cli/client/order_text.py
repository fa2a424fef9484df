"""One line for an order and its state."""

from decimal import Decimal
from typing import Any

from shared.domain.orders.order import PRICE_FIELDS, OrderState


def format_price(price: Decimal) -> str:
    """Return a price with the places it has, and two at least, such as 21500.50 or 1.08435."""
    exponent = price.normalize().as_tuple().exponent
    return f"{price:.{max(2, -exponent if isinstance(exponent, int) else 0)}f}"


def describe_order(order: dict[str, Any]) -> str:
    """Return an order and its state in one line."""
    filled = order["average_fill_price"]
    state = f"{order['state']}{f' at {format_price(filled)}' if filled is not None else ''}"
    if order["state"] == OrderState.SHADOW:
        state += ", would have been sent"
    if 0 < order["filled_quantity"] < order["quantity"]:
        state += f", {order['filled_quantity']} of {order['quantity']} filled"
    return f"{describe_terms(order)}: {state}"


def describe_terms(order: dict[str, Any]) -> str:
    """Return side, quantity, contract, type and price of an order."""
    at = next((order[name] for name in PRICE_FIELDS.values() if order[name] is not None), None)
    price = "" if at is None else f" at {format_price(at)}"
    return f"{order['side']} {order['quantity']} {order['contract_id']} {order['type']}{price}"
