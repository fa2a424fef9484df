"""The venue's wire: the bodies it takes and gives, in its words and numbers."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

import msgspec

from shared.domain.market_data.bar import Bar
from shared.domain.market_data.contract import Contract, root_of_contract
from shared.domain.orders.order import OrderState, OrderType, Role, Side
from simulator.venue.records import AccountRecord, FillRecord, HoldingRecord, OrderRecord

Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]

SIDES = {0: Side.BUY, 1: Side.SELL}
TYPES = {1: OrderType.LIMIT, 2: OrderType.MARKET, 4: OrderType.STOP, 5: OrderType.TRAILING_STOP}
JOINS = {6: Side.BUY, 7: Side.SELL}  # a limit at the best bid, at the best ask
STATUSES = {
    OrderState.WORKING: 1,
    OrderState.FILLED: 2,
    OrderState.CANCELLED: 3,
    OrderState.EXPIRED: 4,
    OrderState.REJECTED: 5,
    OrderState.SUBMITTING: 6,
    OrderState.SUSPENDED: 8,
}
_SIDE_NUMBERS = {side: number for number, side in SIDES.items()}
_TYPE_NUMBERS = {type_: number for number, type_ in TYPES.items()}
_JOIN_NUMBERS = {side: number for number, side in JOINS.items()}
_STOPS = {OrderType.STOP, OrderType.TRAILING_STOP}
_ENCODER = msgspec.json.Encoder(decimal_format="number")  # prices leave exact to the tick, never as floats


class RequestBody(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """A request. Unknown fields are ignored, as the venue does."""


class LoginKeyBody(RequestBody, frozen=True):
    """Auth/loginKey."""

    user_name: str
    api_key: str


class LoginAppBody(RequestBody, frozen=True):
    """Auth/loginApp, the flow of firms."""

    user_name: str
    password: str
    device_id: str
    app_id: str
    verify_key: str


class AccountSearchBody(RequestBody, frozen=True):
    """Account/search."""

    only_active_accounts: bool


class ContractSearchBody(RequestBody, frozen=True):
    """Contract/search."""

    live: bool
    search_text: str | None = None


class ContractByIdBody(RequestBody, frozen=True):
    """Contract/searchById."""

    contract_id: str


class ContractsAvailableBody(RequestBody, frozen=True):
    """Contract/available."""

    live: bool


class RetrieveBarsBody(RequestBody, frozen=True):
    """History/retrieveBars."""

    contract_id: str
    live: bool
    start_time: datetime
    end_time: datetime
    unit: Int32
    unit_number: Int32
    limit: Int32
    include_partial_bar: bool


class WireBracket(RequestBody, frozen=True):
    """A bracket of Order/place."""

    ticks: Int32
    type: Int32


class PlaceOrderBody(RequestBody, frozen=True):
    """Order/place."""

    account_id: Int32
    contract_id: str
    type: Int32
    side: Annotated[int, msgspec.Meta(ge=0, le=1)]
    size: Int32
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    custom_tag: str | None = None
    stop_loss_bracket: WireBracket | None = None
    take_profit_bracket: WireBracket | None = None


class ModifyOrderBody(RequestBody, frozen=True):
    """Order/modify."""

    account_id: Int32
    order_id: Int64
    size: Int32 | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None


class OrderByIdBody(RequestBody, frozen=True):
    """Order/cancel and Order/searchById."""

    account_id: Int32
    order_id: Int64


class OrderSearchBody(RequestBody, frozen=True):
    """Order/search."""

    account_id: Int32
    start_timestamp: datetime
    end_timestamp: datetime | None = None


class OrderFilter(RequestBody, frozen=True):
    """The filter of Order/v2/query."""

    account_id: Int32
    statuses: list[Int32] | None = None
    contract_id: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


class OrderQueryBody(RequestBody, frozen=True):
    """Order/v2/query; the defaults are ours, the venue documents none."""

    filter: OrderFilter
    page_size: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    page_offset: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] | None = None
    sort_by: Annotated[int, msgspec.Meta(ge=0, le=1)] | None = None
    sort_direction: Annotated[int, msgspec.Meta(ge=0, le=1)] | None = None
    include_total_count: bool | None = None


class AccountBody(RequestBody, frozen=True):
    """Order/searchOpen and Position/searchOpen."""

    account_id: Int32


class ClosePositionBody(RequestBody, frozen=True):
    """Position/closeContract."""

    account_id: Int32
    contract_id: str


class PartialCloseBody(RequestBody, frozen=True):
    """Position/partialCloseContract."""

    account_id: Int32
    contract_id: str
    size: Int32


class TradeSearchBody(RequestBody, frozen=True):
    """Trade/search."""

    account_id: Int32
    start_timestamp: datetime | None = None
    end_timestamp: datetime | None = None


def envelope(code: int = 0, message: str | None = None, **payload: object) -> bytes:
    """Encode an answer; any code but 0 is a failure, still with HTTP status 200."""
    return _ENCODER.encode({**payload, "success": code == 0, "errorCode": code, "errorMessage": message})


def encoded(value: object) -> bytes:
    """Encode a value that is no venue answer."""
    return _ENCODER.encode(value)


def utc(at: datetime) -> datetime:
    """Return an instant of a request in UTC; the venue takes one without offset as UTC."""
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def account_model(account: AccountRecord) -> dict[str, object]:
    """Put an account in the venue's words; funded Express accounts are simulated too, only live ones are not."""
    return {
        "id": account.id,
        "name": account.name,
        "balance": account.balance,
        "canTrade": account.may_trade,
        "isVisible": True,
        "simulated": not account.is_live,
    }


def contract_model(contract: Contract, description: str) -> dict[str, object]:
    """Put a contract in the venue's words."""
    return {
        "id": contract.id,
        "name": contract.name,
        "description": description,
        "tickSize": contract.tick_size,
        "tickValue": contract.tick_value,
        "activeContract": contract.is_active,
        "symbolId": _symbol_id(contract.id),
    }


def bar_models(bars: list[Bar], tick_size: Decimal) -> list[dict[str, Any]]:
    """Put bars in the venue's words; each price is made once, 20,000 bars share few."""
    prices: dict[int, Decimal] = {}

    def price(ticks: int) -> Decimal:
        found = prices.get(ticks)
        if found is None:
            found = prices[ticks] = ticks * tick_size
        return found

    return [
        {
            "t": _instant(bar.start),
            "o": price(bar.open),
            "h": price(bar.high),
            "l": price(bar.low),
            "c": price(bar.close),
            "v": bar.volume,
        }
        for bar in bars
    ]


def order_model(order: OrderRecord) -> dict[str, object]:
    """Put an order in the venue's words.

    A suspended child shows its signed distance where others show a price; a trailing stop shows its distance beside
    the level it stands at now.
    """
    tick_size = root_of_contract(order.contract_id).tick_size
    price = None if order.price is None else order.price * tick_size
    distance = order.bracket_ticks if order.state is OrderState.SUSPENDED else order.trail_ticks
    return {
        "id": order.id,
        "accountId": order.account_id,
        "contractId": order.contract_id,
        "symbolId": _symbol_id(order.contract_id),
        "creationTimestamp": _instant(order.created_market_at),
        "updateTimestamp": _instant(order.updated_market_at),
        "status": STATUSES[order.state],
        "type": _TYPE_NUMBERS.get(order.type, 0) if order.joined is None else _JOIN_NUMBERS[order.joined],
        "side": _SIDE_NUMBERS[order.side],
        "size": order.quantity,
        "limitPrice": price if order.type is OrderType.LIMIT else None,
        "stopPrice": price if order.type in _STOPS else None,
        "fillVolume": order.filled_quantity,
        "filledPrice": None if order.fill_price is None else _average(order.fill_price, tick_size),
        "customTag": order.tag,
        "trailDistance": distance,
        "trailPrice": None if distance is None else distance * tick_size,
        "parentOrderId": order.parent_order_id,
        "linkedOrderId": order.linked_order_id if order.role is Role.TAKE_PROFIT else None,
    }


def fill_model(fill: FillRecord) -> dict[str, object]:
    """Put a fill in the venue's words: a trade, one half-turn."""
    return {
        "id": fill.id,
        "accountId": fill.account_id,
        "contractId": fill.contract_id,
        "creationTimestamp": _instant(fill.filled_market_at),
        "price": fill.price * root_of_contract(fill.contract_id).tick_size,
        "profitAndLoss": fill.gross_pnl,
        "fees": fill.fees,
        "commissions": fill.commissions,
        "side": _SIDE_NUMBERS[fill.side],
        "size": fill.quantity,
        "voided": False,
        "orderId": fill.order_id,
    }


def position_model(holding: HoldingRecord, contract_name: str) -> dict[str, object]:
    """Put an open position in the venue's words; an average between two ticks has up to 9 decimals."""
    return {
        "id": holding.id,
        "accountId": holding.account_id,
        "contractId": holding.contract_id,
        "contractDisplayName": contract_name,
        "creationTimestamp": _instant(holding.opened_market_at),
        "type": 1 if holding.quantity > 0 else 2,
        "size": abs(holding.quantity),
        "averagePrice": _average(holding.average_price, root_of_contract(holding.contract_id).tick_size),
    }


def _average(ticks: Fraction, tick_size: Decimal) -> Decimal:
    numerator, denominator = ticks.as_integer_ratio()
    average = numerator * tick_size / denominator
    return average if denominator == 1 else round(average, 9)


def _instant(at: datetime) -> str:
    return at.isoformat()


def _symbol_id(contract_id: str) -> str:
    return f"F.US.{root_of_contract(contract_id).product}"
