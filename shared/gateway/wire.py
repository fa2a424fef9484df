"""Translation of the venue's JSON into our types: fields and codes of accounts, contracts, bars, orders and fills."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from shared.domain.accounts.stage import Stage, parse_stage
from shared.domain.market_data.bar import Bar, RejectedBar, to_ticks
from shared.domain.market_data.contract import ROOTS, Contract, root_of_contract
from shared.domain.orders.order import Direction, OrderState, OrderType, Side

Json = dict[str, Any]
W = TypeVar("W")

log = logging.getLogger(__name__)

_MOST_TICKS = 2**40
_MOST_TEXT = 500
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
    6: OrderState.WORKING,  # Pending: accepted, not yet in the market
    7: OrderState.WORKING,  # PendingCancellation: may still fill
    8: OrderState.SUSPENDED,
}
_DIRECTIONS = {0: Direction.FLAT, 1: Direction.LONG, 2: Direction.SHORT}


@dataclass(frozen=True, slots=True)
class VenueAccount:
    """An account as the venue reports it. `balance` is realised, in dollars.

    `is_simulated` says where orders execute, and is True for funded accounts too: use `stage` to tell them apart.
    """

    id: int
    name: str
    balance: Decimal
    can_trade: bool
    is_simulated: bool | None

    @property
    def stage(self) -> Stage:
        """Practice, combine or express, derived from the name; trading is disabled for UNKNOWN."""
        return parse_stage(self.name)


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order as the venue reports it. A code we do not know gives `state` None, `type` UNKNOWN, `side` None.

    `trail_ticks` and `trail_distance` are the distance of a trailing stop, in ticks and as a price difference, never
    the level that was requested; for a suspended leg they hold its signed offset from the fill.
    """

    id: int
    account_id: int
    contract_id: str
    state: OrderState | None
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

    `gross_pnl` is before fees and commissions, and None for a fill that opened a position; `side` is None if the venue
    sent a code we do not know.
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
    """An open position: one per account and contract. `direction` is None if the venue sent a code we do not know."""

    id: int
    account_id: int
    contract_id: str
    direction: Direction | None
    quantity: int
    average_price: Decimal
    opened_market_at: datetime


def parse_account(found: Json) -> VenueAccount:
    """Parse a TradingAccountModel."""
    return VenueAccount(
        found["id"], found["name"], _to_decimal(found["balance"]), found["canTrade"], found.get("simulated")
    )


def parse_contract(found: Json) -> Contract:
    """Parse a ContractModel; raise ValueError if its root is unknown or its tick differs from our table of roots."""
    root = root_of_contract(found["id"])
    tick_size, tick_value = _to_decimal(found["tickSize"]), _to_decimal(found["tickValue"])
    if (tick_size, tick_value) != (root.tick_size, root.tick_value):
        raise ValueError(
            f"{found['id']} has a tick of {tick_size} worth {tick_value} at the venue, "
            f"and of {root.tick_size} worth {root.tick_value} in our table of roots"
        )
    return Contract(found["id"], found["name"], root.name, root.tick_size, root.tick_value, found["activeContract"])


def parse_bar(found: Json, tick_size: Decimal) -> Bar:
    """Parse an AggregateBarModel; raise ValueError if it is not a bar in whole ticks."""
    open_, high, low, close = (to_ticks(_to_decimal(found[name]), tick_size) for name in "ohlc")
    if max(abs(open_), abs(high), abs(low), abs(close)) > _MOST_TICKS:
        raise ValueError(f"price {found['h']} is beyond {_MOST_TICKS} ticks")
    volume = found["v"]
    if type(volume) is not int:
        raise ValueError(f"volume {volume} is no whole number")
    return Bar(parse_instant(found["t"]), open_, high, low, close, volume)


def parse_bar_or_reject(found: Json, contract: Contract, *, is_minute: bool) -> Bar | RejectedBar:
    """Parse an AggregateBarModel, or say why it is none; one bad record must not hide the others of its answer.

    A price of 0 or below is possible for energy alone. Source: crude oil of May 2020 settled below 0.
    """
    try:
        bar = parse_bar(found, contract.tick_size)
        reason = _find_impossible(bar, contract, is_minute=is_minute)
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        reason, bar = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}", None
    if bar is not None and reason is None:
        return bar
    record = msgspec.json.encode(found, enc_hook=str).decode()
    return RejectedBar(_find_start(found), (reason or "")[:_MOST_TEXT], record[:_MOST_TEXT])


def _find_impossible(bar: Bar, contract: Contract, *, is_minute: bool) -> str | None:
    if is_minute and (bar.start.second or bar.start.microsecond):
        return f"its start {bar.start.isoformat()} is no whole minute"
    if bar.low <= 0 and ROOTS[contract.root].group != "energy":
        return f"price {bar.low * contract.tick_size} is not above 0"
    return None


def _find_start(found: Json) -> datetime | None:
    try:
        return parse_instant(found["t"])
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        return None


def parse_order(found: Json) -> VenueOrder:
    """Parse an OrderModel; optional fields may be null or missing."""
    updated = found.get("updateTimestamp")
    return VenueOrder(
        id=found["id"],
        account_id=found["accountId"],
        contract_id=found["contractId"],
        state=_translate_number(found, "status", _STATES),
        type=_translate_number(found, "type", _TYPES) or OrderType.UNKNOWN,
        side=_translate_number(found, "side", _SIDES),
        quantity=found["size"],
        filled_quantity=found.get("fillVolume") or 0,
        average_fill_price=_to_optional_decimal(found.get("filledPrice")),
        limit_price=_to_optional_decimal(found.get("limitPrice")),
        stop_price=_to_optional_decimal(found.get("stopPrice")),
        trail_ticks=found.get("trailDistance"),
        trail_distance=_to_optional_decimal(found.get("trailPrice")),
        tag=found.get("customTag") or None,
        parent_order_id=found.get("parentOrderId"),
        linked_order_id=found.get("linkedOrderId"),
        created_market_at=parse_instant(found["creationTimestamp"]),
        updated_market_at=None if updated is None else parse_instant(updated),
    )


def parse_fill(found: Json) -> VenueFill:
    """Parse a HalfTradeModel."""
    return VenueFill(
        id=found["id"],
        order_id=found["orderId"],
        account_id=found["accountId"],
        contract_id=found["contractId"],
        side=_translate_number(found, "side", _SIDES),
        quantity=found["size"],
        price=_to_decimal(found["price"]),
        gross_pnl=_to_optional_decimal(found.get("profitAndLoss")),
        fees=_to_decimal(found.get("fees") or 0),
        commissions=_to_decimal(found.get("commissions") or 0),
        is_voided=bool(found.get("voided")),
        filled_market_at=parse_instant(found["creationTimestamp"]),
    )


def parse_position(found: Json) -> VenuePosition:
    """Parse a PositionModel."""
    return VenuePosition(
        id=found["id"],
        account_id=found["accountId"],
        contract_id=found["contractId"],
        direction=_translate_number(found, "type", _DIRECTIONS),
        quantity=found["size"],
        average_price=_to_decimal(found["averagePrice"]),
        opened_market_at=parse_instant(found["creationTimestamp"]),
    )


def _translate_number(found: Json, field: str, values: Mapping[int, W]) -> W | None:
    """Translate the code in a field; return None and log a warning if it is missing or unknown."""
    number = found.get(field)
    value = values.get(number) if type(number) is int else None
    if value is None:
        log.warning("%s %s: unknown %s %s", found.get("contractId"), found.get("id"), field, number)
    return value


def parse_instant(text: str) -> datetime:
    """Parse an instant from the venue into UTC; one without an offset is UTC already."""
    at = datetime.fromisoformat(text)
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def format_instant(at: datetime) -> str:
    """Format an instant as the venue expects it: in UTC, rounded down to whole seconds."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _to_decimal(value: Any) -> Decimal:  # noqa: ANN401 - a JSON number, an int or already a Decimal
    return Decimal(value)


def _to_optional_decimal(value: Any) -> Decimal | None:  # noqa: ANN401 - as above, or null
    return None if value is None else _to_decimal(value)
