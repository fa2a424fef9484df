"""Prices of orders that are far from the market: a person may have mistyped one."""

from decimal import Decimal

from shared.domain.market_data.price_text import format_price_of
from shared.domain.orders.order import STOP_TYPES, OrderType, Side

_FAR = Decimal("0.02")
_ACROSS = Decimal("0.002")  # on the side of the market where the order fills or triggers at once


def describe_far_price(
    contract_id: str, side: Side, type_: OrderType, *, price: Decimal, market: Decimal
) -> str | None:
    """Return what an order's own price leads to if it is far from the market; None if it is near.

    `market` is the price at which a market order of the side fills now. More than 2 % away is far, and 0.2 % where the
    order fills or triggers at once.
    """
    away = (price - market) * side.sign
    is_across = away < 0 if type_ in STOP_TYPES else away > 0
    if abs(away) <= (_ACROSS if is_across else _FAR) * market:
        return None
    where = "above" if price > market else "below"
    shown, points, now = (_format(contract_id, one) for one in (price, abs(away), market))
    told = f"{side} {type_} at {shown} is {points} points ({abs(away) / market:.1%}) {where} the market at {now}"
    if not is_across:
        return f"{told}: it fills only once the market has moved that far"
    if type_ in STOP_TYPES:
        return f"{told}: it triggers at once, or the venue rejects it"
    return f"{told}: it fills at once, as a market order does"


def _format(contract_id: str, price: Decimal) -> str:
    """Return a price with commas between its thousands, so that a digit too many is seen."""
    return f"{Decimal(format_price_of(contract_id, price)):,f}"
