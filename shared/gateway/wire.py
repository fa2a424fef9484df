"""The venue's JSON, read into our words: beyond this file nobody knows how the venue calls things."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from shared.domain.bar import Bar, to_ticks
from shared.domain.contract import Contract, root_of_contract
from shared.domain.order import Direction, OrderState, OrderType, Side

Json = dict[str, Any]

LIMIT, MARKET, STOP = 1, 2, 4
WORKING = (1, 6, 7, 8)
SIDES = {0: Side.BUY, 1: Side.SELL}
SIDE_NUMBERS = {side: number for number, side in SIDES.items()}
_TYPES = {
    LIMIT: OrderType.LIMIT,
    MARKET: OrderType.MARKET,
    STOP: OrderType.STOP,
    5: OrderType.TRAILING_STOP,
    6: OrderType.LIMIT,  # JoinBid: a limit at the best bid
    7: OrderType.LIMIT,  # JoinAsk
}
_STATES = {
    1: OrderState.WORKING,
    2: OrderState.FILLED,
    3: OrderState.CANCELLED,
    4: OrderState.EXPIRED,
    5: OrderState.REJECTED,
    6: OrderState.WORKING,  # Pending: taken, not yet in the market
    7: OrderState.WORKING,  # PendingCancellation: may still fill
    8: OrderState.SUSPENDED,
}
_DIRECTIONS = {1: Direction.LONG, 2: Direction.SHORT}


@dataclass(frozen=True, slots=True)
class VenueAccount:
    """An account as the venue shows it. `balance` is realised, in dollars."""

    id: int
    name: str
    balance: Decimal
    can_trade: bool
    is_simulated: bool | None


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order as the venue shows it. `state` is UNKNOWN for a status we cannot read."""

    id: int
    account_id: int
    contract_id: str
    state: OrderState
    type: OrderType
    side: Side
    quantity: int
    filled_quantity: int
    average_fill_price: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    tag: str | None
    parent_order_id: int | None
    linked_order_id: int | None
    created_market_at: datetime
    updated_market_at: datetime | None


@dataclass(frozen=True, slots=True)
class VenueFill:
    """One execution, one side. `gross_pnl` is None when it opened a position, and knows no fees."""

    id: int
    order_id: int
    account_id: int
    contract_id: str
    side: Side
    quantity: int
    price: Decimal
    gross_pnl: Decimal | None
    fees: Decimal
    commissions: Decimal
    is_voided: bool
    filled_market_at: datetime


@dataclass(frozen=True, slots=True)
class VenuePosition:
    """An open position: one per account and contract, `quantity` above zero."""

    id: int
    account_id: int
    contract_id: str
    direction: Direction
    quantity: int
    average_price: Decimal
    opened_market_at: datetime


def account(found: Json) -> VenueAccount:
    """Read a TradingAccountModel."""
    return VenueAccount(
        found["id"], found["name"], _decimal(found["balance"]), found["canTrade"], found.get("simulated")
    )


def contract(found: Json) -> Contract:
    """Read a ContractModel; raise ValueError if we do not know its root, or know it with another tick."""
    root = root_of_contract(found["id"])
    tick_size, tick_value = _decimal(found["tickSize"]), _decimal(found["tickValue"])
    if (tick_size, tick_value) != (root.tick_size, root.tick_value):
        raise ValueError(
            f"{found['id']} has a tick of {tick_size} worth {tick_value} at the venue, "
            f"and of {root.tick_size} worth {root.tick_value} in our table of roots"
        )
    return Contract(found["id"], found["name"], root.name, root.tick_size, root.tick_value, found["activeContract"])


def bar(found: Json, tick_size: Decimal) -> Bar:
    """Read an AggregateBarModel; raise ValueError if it is no bar in whole ticks."""
    open_, high, low, close = (to_ticks(_decimal(found[name]), tick_size) for name in "ohlc")
    return Bar(instant(found["t"]), open_, high, low, close, found["v"])


def order(found: Json) -> VenueOrder:
    """Read an OrderModel; optional parts may be null or left out."""
    updated = found.get("updateTimestamp")
    return VenueOrder(
        id=found["id"],
        account_id=found["accountId"],
        contract_id=found["contractId"],
        state=_STATES.get(found["status"], OrderState.UNKNOWN),
        type=_TYPES.get(found["type"], OrderType.UNKNOWN),
        side=SIDES[found["side"]],
        quantity=found["size"],
        filled_quantity=found.get("fillVolume") or 0,
        average_fill_price=_optional(found.get("filledPrice")),
        limit_price=_optional(found.get("limitPrice")),
        stop_price=_optional(found.get("stopPrice")),
        tag=found.get("customTag") or None,
        parent_order_id=found.get("parentOrderId"),
        linked_order_id=found.get("linkedOrderId"),
        created_market_at=instant(found["creationTimestamp"]),
        updated_market_at=None if updated is None else instant(updated),
    )


def fill(found: Json) -> VenueFill:
    """Read a HalfTradeModel."""
    return VenueFill(
        id=found["id"],
        order_id=found["orderId"],
        account_id=found["accountId"],
        contract_id=found["contractId"],
        side=SIDES[found["side"]],
        quantity=found["size"],
        price=_decimal(found["price"]),
        gross_pnl=_optional(found.get("profitAndLoss")),
        fees=_decimal(found.get("fees") or 0),
        commissions=_decimal(found.get("commissions") or 0),
        is_voided=bool(found.get("voided")),
        filled_market_at=instant(found["creationTimestamp"]),
    )


def position(found: Json) -> VenuePosition:
    """Read a PositionModel."""
    return VenuePosition(
        id=found["id"],
        account_id=found["accountId"],
        contract_id=found["contractId"],
        direction=_DIRECTIONS[found["type"]],
        quantity=found["size"],
        average_price=_decimal(found["averagePrice"]),
        opened_market_at=instant(found["creationTimestamp"]),
    )


def instant(text: str) -> datetime:
    """Read an instant of the venue, in UTC; one without offset is UTC already."""
    at = datetime.fromisoformat(text)
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def text_of(at: datetime) -> str:
    """Return an instant as the venue takes it: whole seconds, earlier rather than later."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _decimal(value: Any) -> Decimal:  # noqa: ANN401 - a JSON number, an int or already a Decimal
    return Decimal(value)


def _optional(value: Any) -> Decimal | None:  # noqa: ANN401 - as above, or null
    return None if value is None else _decimal(value)
