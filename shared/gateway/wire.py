"""The venue's JSON, read into our words: beyond this file nobody knows how the venue calls things."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from shared.domain.accounts.stage import Stage, stage_of
from shared.domain.market_data.bar import Bar, to_ticks
from shared.domain.market_data.contract import Contract, root_of_contract
from shared.domain.orders.order import Direction, OrderState, OrderType, Side

Json = dict[str, Any]
W = TypeVar("W")

log = logging.getLogger(__name__)

WORKING = (1, 6, 7, 8)
_SIDES = {0: Side.BUY, 1: Side.SELL}
SIDE_NUMBERS = {side: number for number, side in _SIDES.items()}
_TYPES = {
    1: OrderType.LIMIT,
    2: OrderType.MARKET,
    4: OrderType.STOP,
    5: OrderType.TRAILING_STOP,
    6: OrderType.JOIN_BID,
    7: OrderType.JOIN_ASK,
}
TYPE_NUMBERS = {type_: number for number, type_ in _TYPES.items()}
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
_DIRECTIONS = {0: Direction.FLAT, 1: Direction.LONG, 2: Direction.SHORT}


@dataclass(frozen=True, slots=True)
class VenueAccount:
    """An account as the venue shows it. `balance` is realised, in dollars.

    `is_simulated` says where orders execute, and is True for funded accounts too: `stage` tells what is at stake.
    """

    id: int
    name: str
    balance: Decimal
    can_trade: bool
    is_simulated: bool | None

    @property
    def stage(self) -> Stage:
        """Practice, combine or express, as its name says; UNKNOWN is not to be traded."""
        return stage_of(self.name)


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order as the venue shows it. A number we cannot read gives `state` IN_DOUBT, `type` UNKNOWN, `side` None.

    `trail_ticks` and `trail_distance` say how far a trailing stop stays behind, in ticks and as a price difference,
    never the level that was asked for; a suspended leg shows its signed offset from the fill there.
    """

    id: int
    account_id: int
    contract_id: str
    state: OrderState
    type: OrderType
    side: Side | None
    quantity: int
    filled_quantity: int
    average_fill_price: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    trail_ticks: int | None
    trail_distance: Decimal | None
    tag: str | None
    parent_order_id: int | None
    linked_order_id: int | None
    created_market_at: datetime
    updated_market_at: datetime | None


@dataclass(frozen=True, slots=True)
class VenueFill:
    """One execution of one side; its fees are for that side alone.

    `gross_pnl` is None when it opened a position, and has neither fees nor commissions taken off; `side` is None when
    the venue names none that we know.
    """

    id: int
    order_id: int
    account_id: int
    contract_id: str
    side: Side | None
    quantity: int
    price: Decimal
    gross_pnl: Decimal | None
    fees: Decimal
    commissions: Decimal
    is_voided: bool
    filled_market_at: datetime


@dataclass(frozen=True, slots=True)
class VenuePosition:
    """An open position: one per account and contract. `direction` is None when the venue names none that we know."""

    id: int
    account_id: int
    contract_id: str
    direction: Direction | None
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
        state=_known(found, "status", _STATES) or OrderState.IN_DOUBT,
        type=_known(found, "type", _TYPES) or OrderType.UNKNOWN,
        side=_known(found, "side", _SIDES),
        quantity=found["size"],
        filled_quantity=found.get("fillVolume") or 0,
        average_fill_price=_optional(found.get("filledPrice")),
        limit_price=_optional(found.get("limitPrice")),
        stop_price=_optional(found.get("stopPrice")),
        trail_ticks=found.get("trailDistance"),
        trail_distance=_optional(found.get("trailPrice")),
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
        side=_known(found, "side", _SIDES),
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
        direction=_known(found, "type", _DIRECTIONS),
        quantity=found["size"],
        average_price=_decimal(found["averagePrice"]),
        opened_market_at=instant(found["creationTimestamp"]),
    )


def _known(found: Json, field: str, words: Mapping[int, W]) -> W | None:
    """Return our word for the number in a field; None, and a line of log, if it is left out or new to us."""
    number = found.get(field)
    word = words.get(number) if type(number) is int else None
    if word is None:
        log.warning("%s %s has %s %s, which we do not know", found.get("contractId"), found.get("id"), field, number)
    return word


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
