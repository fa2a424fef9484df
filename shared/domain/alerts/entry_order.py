"""The order of an entry: its type, and the price of a limit or stop entry."""

from collections.abc import Mapping
from decimal import Decimal

from shared.domain.alerts.fields import invalid_value, missing_field, parse_price, read_field
from shared.domain.alerts.payload import Json, RefusedAlertError
from shared.domain.orders.order import PRICE_FIELDS, OrderType

ORDER_TYPES = {"market": OrderType.MARKET, "limit": OrderType.LIMIT, "stop": OrderType.STOP}
# A trailing entry cannot be sent.
PRICE_OF_TYPE = {type_: PRICE_FIELDS[type_] for type_ in (OrderType.LIMIT, OrderType.STOP)}


def parse_order_type(payload: Mapping[str, Json]) -> OrderType:
    """Return the type of the entry: `order_type`, or what `limit_price` or `stop_price` implies."""
    hint = 'expected "market", "limit" or "stop"'
    value = read_field(payload, "order_type", hint)
    implied = [type_ for type_, field in PRICE_OF_TYPE.items() if field in payload]
    if value is None:
        if len(implied) > 1:
            raise RefusedAlertError(
                "limit_price contradicts stop_price", field="limit_price", hint="send one of them, or an order_type"
            )
        return implied[0] if implied else OrderType.MARKET
    type_ = ORDER_TYPES.get(value.strip().lower()) if isinstance(value, str) else None
    if type_ is None:
        raise invalid_value("order_type", value, hint)
    unused = [PRICE_OF_TYPE[one] for one in implied if one is not type_]
    if unused:
        raise RefusedAlertError(
            f"{unused[0]} contradicts order_type {value!r}", field=unused[0], hint="leave out one of the two"
        )
    return type_


def parse_entry_price(payload: Mapping[str, Json], type_: OrderType) -> Decimal | None:
    """Return the price of a limit or stop entry, None of a market one; raise RefusedAlertError without it."""
    field = PRICE_OF_TYPE.get(type_)
    if field is None:
        return None
    price = parse_price(payload, field)
    if price is None:
        raise missing_field(field, f"a {type_.value.lower()} entry needs a price above 0, such as 21500.25")
    return price
