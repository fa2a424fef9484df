"""What a strategy may decide: to enter, to exit, to move its stop, to hold another position, or to cancel its orders.

Prices are whole ticks, as in the columns of a view; distances are unsigned ticks.
"""

from dataclasses import dataclass
from decimal import Decimal

from shared.domain.orders.order import OrderType, Side
from shared.domain.strategies.strategy_error import StrategyError

_ENTRY_TYPES = {OrderType.MARKET, OrderType.LIMIT, OrderType.STOP}


@dataclass(frozen=True, slots=True, kw_only=True)
class Enter:
    """An entry with its stop, at the market, or at `price` as a limit or stop order.

    `quantity` is in contracts; `risk` instead is the most dollars that the stop may lose, costs left out; without
    either the size of the instance counts. `stop_loss_ticks` and `take_profit_ticks` are counted from the fill.
    Raise StrategyError for a price that the type does not take, no stop, or a size below 1.
    """

    side: Side
    stop_loss_ticks: int
    reason: str
    take_profit_ticks: int | None = None
    type: OrderType = OrderType.MARKET
    price: int | None = None
    quantity: int | None = None
    risk: Decimal | None = None

    def __post_init__(self) -> None:
        if self.type not in _ENTRY_TYPES:
            raise StrategyError(f"invalid type {self.type} of an entry: expected MARKET, LIMIT or STOP")
        if (self.price is None) != (self.type is OrderType.MARKET):
            raise StrategyError(f"invalid price {self.price} of a {self.type} entry: only LIMIT and STOP have one")
        _require_above_zero("stop_loss_ticks", self.stop_loss_ticks)
        for name in ("take_profit_ticks", "quantity"):
            if (value := getattr(self, name)) is not None:
                _require_above_zero(name, value)
        if self.risk is not None and (self.quantity is not None or not self.risk > 0):
            raise StrategyError(f"invalid risk {self.risk} of an entry: expected dollars above 0, and no quantity")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnterEither:
    """Two entries at prices of which the one that fills first cancels the other (OCO)."""

    first: Enter
    second: Enter

    def __post_init__(self) -> None:
        if OrderType.MARKET in {self.first.type, self.second.type}:
            raise StrategyError("invalid EnterEither: a MARKET entry leaves no choice, expected LIMIT or STOP")

    @property
    def reason(self) -> str:
        """The reason of both."""
        return self.first.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """Close the position at the market: all of it, or `quantity` contracts."""

    reason: str
    quantity: int | None = None

    def __post_init__(self) -> None:
        if self.quantity is not None:
            _require_above_zero("quantity", self.quantity)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveStop:
    """Move the stop of the position to `price`. One that would lose more than now is ignored."""

    price: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Hold `position` contracts, below 0 for short, by one market order; what is opened gets this stop and target."""

    position: int
    stop_loss_ticks: int
    reason: str
    take_profit_ticks: int | None = None

    def __post_init__(self) -> None:
        _require_above_zero("stop_loss_ticks", self.stop_loss_ticks)
        if self.take_profit_ticks is not None:
            _require_above_zero("take_profit_ticks", self.take_profit_ticks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Cancel the entries that have not filled."""

    reason: str


Decision = Enter | EnterEither | Exit | MoveStop | Target | Cancel


def _require_above_zero(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise StrategyError(f"invalid {name} {value!r}: expected a whole number above 0")
