"""What an order is to be, and what is to change of one: checked here, before anything is sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from shared.domain.market_data.bar import to_ticks
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import OrderType, Side
from shared.errors import RefusedError
from shared.gateway import wire

# The legs of a bracket carry the tag with three characters more. Source: venue.md section 5.6.
LONGEST_TAG = 60
_PRICES = {
    OrderType.MARKET: None,
    OrderType.LIMIT: "limit_price",
    OrderType.STOP: "stop_price",
    OrderType.TRAILING_STOP: "trail_price",
    OrderType.JOIN_BID: None,
    OrderType.JOIN_ASK: None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """An order to place. One that exists can be sent: what cannot raises RefusedError when it is made.

    `trail_price` is the level at which a trailing stop begins. A bracket's ticks are unsigned distances from the fill.
    What is no entry may also leave on an account whose live orders are off.
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
            raise RefusedError(f"tag {self.tag!r} must have 1 to {LONGEST_TAG} printable characters")
        if self.type not in _PRICES:
            raise RefusedError(f"order {self.tag} is of type {self.type}, which cannot be placed")
        _need_positive(f"order {self.tag}: quantity", self.quantity)
        for field in ("limit_price", "stop_price", "trail_price"):
            price = getattr(self, field)
            if (price is None) is (field == _PRICES[self.type]):
                hint = "needs" if price is None else "must have no"
                raise RefusedError(f"order {self.tag}: a {self.type} order {hint} {field}")
            _need_aligned(f"order {self.tag}: {field}", price, self.contract)
        for field in ("stop_loss_ticks", "take_profit_ticks"):
            ticks = getattr(self, field)
            if ticks is not None:
                _need_positive(f"order {self.tag}: {field}, an unsigned distance,", ticks)

    def body(self) -> Mapping[str, Any]:
        """Return the order in the venue's words, its bracket signed: a long's stop lies below the fill."""
        legs = {
            "stopLossBracket": _leg(self.stop_loss_ticks, -self.side.sign, OrderType.STOP),
            "takeProfitBracket": _leg(self.take_profit_ticks, self.side.sign, OrderType.LIMIT),
        }
        prices = {"limitPrice": self.limit_price, "stopPrice": self.stop_price, "trailPrice": self.trail_price}
        return {
            "accountId": self.account_id,
            "contractId": self.contract.id,
            "type": wire.TYPE_NUMBERS[self.type],
            "side": wire.SIDE_NUMBERS[self.side],
            "size": self.quantity,
            "customTag": self.tag,
            **_given(prices | legs),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChange:
    """What is to become of a working order; None leaves a part as it is. RefusedError when it is made wrong.

    `trail_price` is the level from which a trailing stop takes its new distance; the venue sets no bound to it.
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
            _need_positive(f"order {self.order_id}: quantity", self.quantity)
        for field in ("limit_price", "stop_price", "trail_price"):
            _need_aligned(f"order {self.order_id}: {field}", getattr(self, field), self.contract)
        if {self.quantity, self.limit_price, self.stop_price, self.trail_price} == {None}:
            raise RefusedError(f"order {self.order_id}: nothing is to change")

    def body(self) -> Mapping[str, Any]:
        """Return the change in the venue's words: what is left out stays as it is."""
        changes = {
            "size": self.quantity,
            "limitPrice": self.limit_price,
            "stopPrice": self.stop_price,
            "trailPrice": self.trail_price,
        }
        return {"accountId": self.account_id, "orderId": self.order_id, **_given(changes)}


def _leg(ticks: int | None, sign: int, type_: OrderType) -> dict[str, int] | None:
    return None if ticks is None else {"ticks": sign * ticks, "type": wire.TYPE_NUMBERS[type_]}


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _need_positive(what: str, number: int) -> None:
    if type(number) is not int or number < 1:
        raise RefusedError(f"{what} must be a whole number above 0, not {number!r}")


def _need_aligned(what: str, price: Decimal | None, contract: Contract) -> None:
    if price is None:
        return
    if not isinstance(price, Decimal) or not price.is_finite():
        raise RefusedError(f"{what} must be a Decimal, not {price!r}")
    try:
        to_ticks(price, contract.tick_size)
    except ValueError:
        raise RefusedError(f"{what} {price} is not a multiple of {contract.id}'s tick {contract.tick_size}") from None
