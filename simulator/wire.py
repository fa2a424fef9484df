"""The JSON of the venue's answers, with its field names and numbers."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import msgspec

from shared.domain.market_data.bar import Bar
from shared.domain.market_data.contract import Contract, root_of_contract
from shared.domain.orders.order import STOP_TYPES, OrderState, OrderType, Role, Side
from simulator.venue.records import AccountRecord, FillRecord, HoldingRecord, OrderRecord

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
_ENCODER = msgspec.json.Encoder(decimal_format="number")  # prices are exact to the tick, never floats


def encode_envelope(code: int = 0, message: str | None = None, **payload: object) -> bytes:
    """Encode an answer; any code but 0 is a failure, still with HTTP status 200."""
    return _ENCODER.encode({**payload, "success": code == 0, "errorCode": code, "errorMessage": message})


def encode(value: object) -> bytes:
    """Encode a value without the envelope."""
    return _ENCODER.encode(value)


def encode_raw(value: object) -> msgspec.Raw:
    """Encode a value once, as a part of a later answer."""
    return msgspec.Raw(_ENCODER.encode(value))


def to_utc(at: datetime) -> datetime:
    """Return an instant of a request in UTC; the venue reads one without an offset as UTC."""
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def account_model(account: AccountRecord) -> dict[str, object]:
    """Return the venue's JSON of an account; funded Express accounts are simulated too, only live accounts are not."""
    return {
        "id": account.id,
        "name": account.name,
        "balance": account.balance,
        "canTrade": account.may_trade,
        "isVisible": True,
        "simulated": not account.is_live,
    }


def contract_model(contract: Contract, description: str) -> dict[str, object]:
    """Return the venue's JSON of a contract."""
    return {
        "id": contract.id,
        "name": contract.name,
        "description": description,
        "tickSize": contract.tick_size,
        "tickValue": contract.tick_value,
        "activeContract": contract.is_active,
        "symbolId": _symbol_id(contract.id),
    }


def encode_bar(bar: Bar, tick_size: Decimal, prices: dict[int, Decimal]) -> msgspec.Raw:
    """Encode a bar; `prices` keeps the Decimal of each price in ticks: 20,000 bars have few different ones."""

    def price(ticks: int) -> Decimal:
        found = prices.get(ticks)
        if found is None:
            found = prices[ticks] = ticks * tick_size
        return found

    return msgspec.Raw(
        _ENCODER.encode(
            {
                "t": _instant(bar.start),
                "o": price(bar.open),
                "h": price(bar.high),
                "l": price(bar.low),
                "c": price(bar.close),
                "v": bar.volume,
            }
        )
    )


def order_model(order: OrderRecord) -> dict[str, object]:
    """Return the venue's JSON of an order.

    A suspended child has its signed distance in place of a price; a trailing stop has its distance besides its current
    level.
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
        "stopPrice": price if order.type in STOP_TYPES else None,
        "fillVolume": order.filled_quantity,
        "filledPrice": None if order.fill_price is None else _average_price(order.fill_price, tick_size),
        "customTag": order.tag,
        "trailDistance": distance,
        "trailPrice": None if distance is None else distance * tick_size,
        "parentOrderId": order.parent_order_id,
        "linkedOrderId": order.linked_order_id if order.role is Role.TAKE_PROFIT else None,
    }


def fill_model(fill: FillRecord) -> dict[str, object]:
    """Return the venue's JSON of a fill: a half-turn trade."""
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


def position_model(holding: HoldingRecord) -> dict[str, object]:
    """Return the venue's JSON of an open position; an average between two ticks has up to 9 decimals."""
    root = root_of_contract(holding.contract_id)
    return {
        "id": holding.id,
        "accountId": holding.account_id,
        "contractId": holding.contract_id,
        "contractDisplayName": f"{root.name}{holding.contract_id[-3:]}",
        "creationTimestamp": _instant(holding.opened_market_at),
        "type": 1 if holding.quantity > 0 else 2,
        "size": abs(holding.quantity),
        "averagePrice": _average_price(holding.average_price, root.tick_size),
    }


def _average_price(ticks: Fraction, tick_size: Decimal) -> Decimal:
    numerator, denominator = ticks.as_integer_ratio()
    average = numerator * tick_size / denominator
    return average if denominator == 1 else round(average, 9)


def _instant(at: datetime) -> str:
    return at.isoformat()


def _symbol_id(contract_id: str) -> str:
    return f"F.US.{root_of_contract(contract_id).product}"
