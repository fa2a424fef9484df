"""One line for an order and its state."""

from decimal import Decimal
from typing import Any

from shared.domain.market_data.contract_text import shorten_contract
from shared.domain.market_data.price_text import format_price_of
from shared.domain.orders.order import PRICE_FIELDS, OrderState


def describe_order(order: dict[str, Any]) -> str:
    """Return an order and its state in one line."""
    filled = order["average_fill_price"]
    at = "" if filled is None else f" at {format_price_of(order['contract_id'], filled)}"
    state = f"{order['state']}{at}"
    if order["state"] == OrderState.SHADOW:
        state += ", would have been sent"
    if 0 < order["filled_quantity"] < order["quantity"]:
        state += f", {order['filled_quantity']} of {order['quantity']} filled"
    return f"{describe_terms(order)}: {state}"


def describe_terms(order: dict[str, Any]) -> str:
    """Return side, quantity, contract, type and price of an order."""
    at = next((order[name] for name in PRICE_FIELDS.values() if order[name] is not None), None)
    price = "" if at is None else f" at {format_price_of(order['contract_id'], at)}"
    return f"{order['side']} {order['quantity']} {shorten_contract(order['contract_id'])} {order['type']}{price}"


def list_terms(wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the dry run of an entry would send as rows of a table: fields and values."""
    return [
        {
            "field": name.replace("_", " "),
            "value": format_price_of(wanted["contract_id"], Decimal(value)) if name in PRICE_FIELDS.values() else value,
        }
        for name, value in wanted.items()
        if value is not None
    ]
