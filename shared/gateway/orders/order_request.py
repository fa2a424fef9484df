"""Requests to place or change an order, validated before they are sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from shared.domain.market_data.bar import to_ticks
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import PRICE_FIELDS, OrderType, Side
from shared.errors import RefusedError
from shared.gateway import wire

# The tags of a bracket's legs are three characters longer. Source: venue.md section 5.6.
LONGEST_TAG = 60
_PLACEABLE = tuple(type_ for type_ in OrderType if type_ is not OrderType.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """An order to place. Creating an invalid one raises RefusedError, so that every instance can be sent.

    `trail_price` is the level at which a trailing stop begins. A bracket's ticks are unsigned distances from the fill.
    With `is_entry` False it may also be sent for an account whose live orders were switched off.
    """

    account_id: int
    contract: Contract
    side: Side
    quantity: int
    tag: str
    type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    stop_loss_ticks: int | None = None
    take_profit_ticks: int | None = None
    is_entry: bool = True

    def __post_init__(self) -> None:
        if not 1 <= len(self.tag) <= LONGEST_TAG or not self.tag.isprintable():
            raise RefusedError(f"invalid tag {self.tag!r}: expected 1 to {LONGEST_TAG} printable characters")
        if self.type not in _PLACEABLE:
            raise RefusedError(f"order {self.tag}: invalid type '{self.type}': expected {', '.join(_PLACEABLE)}")
        _require_positive(f"order {self.tag}", "quantity", self.quantity, "contracts")
        for field in PRICE_FIELDS.values():
            price = getattr(self, field)
            if (price is None) is (field == PRICE_FIELDS.get(self.type)):
                requirement = "needs" if price is None else "must have no"
                raise RefusedError(f"order {self.tag}: a {self.type} order {requirement} {field}")
            _require_aligned(f"order {self.tag}", field, price, self.contract)
        for field in ("stop_loss_ticks", "take_profit_ticks"):
            ticks = getattr(self, field)
            if ticks is not None:
                _require_positive(f"order {self.tag}", field, ticks, "ticks, without a sign")

    def body(self) -> Mapping[str, Any]:
        """Return the venue's JSON of the order, its bracket signed: a long's stop lies below the fill."""
        legs = {
            "stopLossBracket": _encode_leg(self.stop_loss_ticks, -self.side.sign, OrderType.STOP),
            "takeProfitBracket": _encode_leg(self.take_profit_ticks, self.side.sign, OrderType.LIMIT),
        }
        prices = {"limitPrice": self.limit_price, "stopPrice": self.stop_price, "trailPrice": self.trail_price}
        return {
            "accountId": self.account_id,
            "contractId": self.contract.id,
            "type": wire.TYPE_NUMBERS[self.type],
            "side": wire.SIDE_NUMBERS[self.side],
            "size": self.quantity,
            "customTag": self.tag,
            **_drop_none(prices | legs),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChange:
    """A change of a working order; None leaves a field as it is. Creating an invalid one raises RefusedError.

    `trail_price` is the level from which a trailing stop takes its new distance; the venue does not limit it.
    """

    account_id: int
    contract: Contract
    order_id: int
    quantity: int | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None

    def __post_init__(self) -> None:
        if self.quantity is not None:
            _require_positive(f"order {self.order_id}", "quantity", self.quantity, "contracts")
        for field in PRICE_FIELDS.values():
            _require_aligned(f"order {self.order_id}", field, getattr(self, field), self.contract)
        if {self.quantity, self.limit_price, self.stop_price, self.trail_price} == {None}:
            raise RefusedError(f"order {self.order_id}: no change given: expected a quantity or a price")

    def body(self) -> Mapping[str, Any]:
        """Return the venue's JSON of the change: a field left out stays as it is."""
        changes = {
            "size": self.quantity,
            "limitPrice": self.limit_price,
            "stopPrice": self.stop_price,
            "trailPrice": self.trail_price,
        }
        return {"accountId": self.account_id, "orderId": self.order_id, **_drop_none(changes)}


def _encode_leg(ticks: int | None, sign: int, type_: OrderType) -> dict[str, int] | None:
    return None if ticks is None else {"ticks": sign * ticks, "type": wire.TYPE_NUMBERS[type_]}


def _drop_none(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _require_positive(order: str, field: str, number: int, unit: str) -> None:
    if type(number) is not int or number < 1:
        raise RefusedError(f"{order}: invalid {field} '{number}': expected a whole number of {unit}, at least 1")


def _require_aligned(order: str, field: str, price: Decimal | None, contract: Contract) -> None:
    if price is None:
        return
    if not isinstance(price, Decimal) or not price.is_finite():
        raise RefusedError(f"{order}: invalid {field} '{price}' ({type(price).__name__}): expected a finite Decimal")
    try:
        to_ticks(price, contract.tick_size)
    except ValueError:
        raise RefusedError(
            f"{order}: invalid {field} '{price}': expected a multiple of the tick {contract.tick_size} of {contract.id}"
        ) from None
