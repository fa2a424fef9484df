"""The acceptance or rejection of an order, and its rows: the order itself, its stop and its target."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from shared.domain.market_data.bar import to_ticks
from shared.domain.market_data.contract import Contract
from shared.domain.orders.matching import Quote
from shared.domain.orders.order import OrderState, OrderType, Role, Side
from simulator.venue.records import AccountRecord, BracketMode, OrderRecord
from simulator.venue.state import VenueState

_MIN_BRACKET_TICKS = 4
_MAX_TRAIL_TICKS = 1000  # on place; modify has no cap
_MAX_PRICE_DISTANCE = Decimal("0.5")  # of the last price; the limit of the real venue is not documented
_PRICED = {OrderType.LIMIT, OrderType.STOP}
_PLACEABLE = {OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.TRAILING_STOP}
CLOSED = "Trading is currently unavailable. The instrument is not in an active trading status."
OUT_OF_RANGE = "Invalid price. Price is outside allowed range."
MISALIGNED = "Invalid price. Price is not aligned to tick size."
NO_TRAIL = "Trail Distance not set."
TRAIL_MISALIGNED = "Invalid trail price. Price is not aligned to tick size."
NO_LAST = "Cannot trail without a last price"


@dataclass(frozen=True, slots=True, kw_only=True)
class BracketLeg:
    """A bracket child as requested: its signed distance from the fill in ticks, and its type."""

    ticks: int
    type: OrderType


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTerms:
    """An order as requested.

    `price` is the limit price, the stop price, or the initial level of a trailing stop. With `joined` a limit order
    takes the best bid (BUY) or ask (SELL) at its acceptance.
    """

    account_id: int
    contract_id: str
    type: OrderType
    side: Side
    quantity: int
    price: Decimal | None
    tag: str | None
    stop_loss: BracketLeg | None
    take_profit: BracketLeg | None
    joined: Side | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacingContext:
    """The quote when an order arrives (None: market closed), and the rejections because of time or size."""

    quote: Quote | None
    clock_rejection: str | None = None
    size_rejection: str | None = None


def find_rejection(
    wanted: OrderTerms, account: AccountRecord, contract: Contract, state: VenueState, context: PlacingContext
) -> str | None:
    """Return the venue's rejection message, or None; the checks have the order of venue.md section 10."""
    return next(_find_rejections(wanted, account, contract, state, context), None)


def _find_rejections(
    wanted: OrderTerms, account: AccountRecord, contract: Contract, state: VenueState, context: PlacingContext
) -> Iterator[str]:
    if wanted.type not in _PLACEABLE:
        yield "Invalid order type. The simulator takes limit, market, stop, trailing stop, join bid and join ask."
    if wanted.quantity <= 0:
        yield "Invalid order size. Size should be greater than zero."
    if context.quote is None:
        yield CLOSED
    if context.clock_rejection:
        yield context.clock_rejection
    if context.quote is not None:
        yield from _find_price_rejections(wanted, contract, context.quote)
    if wanted.tag and state.has_tag(account.id, wanted.tag):
        yield "Specified custom tag is already in use"
    if wanted.stop_loss or wanted.take_profit:
        if account.bracket_mode is not BracketMode.AUTO_OCO:
            yield "Brackets cannot be used with Position Brackets. You must enable Auto OCO Brackets."
        yield from _find_bracket_rejections(wanted)
    if context.size_rejection:
        yield context.size_rejection


def _find_price_rejections(wanted: OrderTerms, contract: Contract, quote: Quote) -> Iterator[str]:
    reason = None
    if wanted.type is OrderType.TRAILING_STOP:
        reason = find_trail_rejection(wanted.price, contract, quote, most=_MAX_TRAIL_TICKS)
    elif wanted.type in _PRICED and wanted.joined is None:
        reason = find_price_rejection(wanted.type, wanted.side, wanted.price, contract, quote)
    if reason:
        yield reason


def find_price_rejection(
    type_: OrderType, side: Side, price: Decimal | None, contract: Contract, quote: Quote
) -> str | None:
    """Return the rejection of a limit or stop price, or None. A limit may cross the market, a stop may not."""
    last = quote.last * contract.tick_size
    if price is None or not price.is_finite() or abs(price - last) > abs(last) * _MAX_PRICE_DISTANCE:
        return OUT_OF_RANGE
    if price % contract.tick_size:
        return MISALIGNED
    if type_ is OrderType.STOP and (price - last) * side.sign <= 0:
        return OUT_OF_RANGE
    return None


def find_trail_rejection(price: Decimal | None, contract: Contract, quote: Quote, most: int | None) -> str | None:
    """Return the rejection of the level of a trailing stop, or None; `most` is the largest distance in ticks."""
    if price is None or not price.is_finite():
        return NO_TRAIL
    if abs(price) > abs(quote.last * contract.tick_size) * 10 or price % contract.tick_size:
        return TRAIL_MISALIGNED
    distance = trail_ticks(price, contract, quote)
    if distance == 0:
        return NO_TRAIL
    if most is not None and distance > most:
        return f"Trail Distance exceeds maximum ({most})"
    return None


def trail_ticks(price: Decimal, contract: Contract, quote: Quote) -> int:
    """Return the distance in ticks from the last price to the requested level of a trailing stop."""
    return int(abs(quote.last * contract.tick_size - price) // contract.tick_size)


def with_trail(order: OrderRecord, distance: int, quote: Quote) -> OrderRecord:
    """Return the order as a trailing stop `distance` ticks behind the last price, on the protective side."""
    return replace(order, trail_ticks=distance, price=quote.last + distance * order.side.sign)


def _find_bracket_rejections(wanted: OrderTerms) -> Iterator[str]:
    for name, bracket, types, sign in (
        ("stop loss", wanted.stop_loss, (OrderType.STOP, OrderType.TRAILING_STOP), -wanted.side.sign),
        ("take profit", wanted.take_profit, (OrderType.LIMIT,), wanted.side.sign),
    ):
        if bracket is None:
            continue
        if bracket.type not in types:
            yield f"Invalid {name} type. The simulator takes {'a limit' if sign == wanted.side.sign else 'a stop'}."
        if bracket.ticks * sign <= 0:
            than = "less" if sign < 0 else "greater"
            when = "when longing." if wanted.side is Side.BUY else "when going short"
            yield f"Invalid {name} ticks ({bracket.ticks}). Ticks should be {than} than zero {when}"
        if abs(bracket.ticks) < _MIN_BRACKET_TICKS:
            yield f"Invalid {name} ticks ({bracket.ticks}). Price should be at least {_MIN_BRACKET_TICKS} ticks away."


def make_rejected_row(wanted: OrderTerms, state: VenueState, now: datetime) -> OrderRecord:
    """Return the row of a rejected order: it has an id and uses up its tag."""
    return replace(_make_row(wanted, state.new_order_ids(1)[0], now), state=OrderState.REJECTED)


def make_accepted_rows(
    wanted: OrderTerms, contract: Contract, quote: Quote, state: VenueState, now: datetime
) -> list[OrderRecord]:
    """Return the rows of an accepted order, in the order of the hub events: its stop, the order, its target.

    Their ids are consecutive, first the order's, then the stop's; the children are suspended.
    """
    legs = [
        (role, bracket, suffix)
        for role, bracket, suffix in (
            (Role.STOP_LOSS, wanted.stop_loss, "SL"),
            (Role.TAKE_PROFIT, wanted.take_profit, "TP"),
        )
        if bracket is not None
    ]
    ids = state.new_order_ids(1 + len(legs))
    entry = _set_price(_make_row(wanted, ids[0], now), wanted, contract, quote)
    children = [
        replace(
            _make_row(wanted, id_, now),
            state=OrderState.SUSPENDED, type=bracket.type, side=wanted.side.opposite, role=role,
            tag=f"{wanted.tag}-{suffix}" if wanted.tag else None, bracket_ticks=bracket.ticks,
            parent_order_id=entry.id, joined=None,
            linked_order_id=ids[1] if role is Role.TAKE_PROFIT and wanted.stop_loss else None,
        )
        for id_, (role, bracket, suffix) in zip(ids[1:], legs, strict=True)
    ]  # fmt: skip
    stops = [row for row in children if row.role is Role.STOP_LOSS]
    targets = [row for row in children if row.role is Role.TAKE_PROFIT]
    return [*stops, entry, *targets]


def _set_price(entry: OrderRecord, wanted: OrderTerms, contract: Contract, quote: Quote) -> OrderRecord:
    if entry.type is OrderType.MARKET or (wanted.price is None and wanted.joined is None):
        return entry
    resting = replace(entry, state=OrderState.WORKING)
    if wanted.joined is not None:
        return replace(resting, price=quote.bid if wanted.joined is Side.BUY else quote.ask)
    assert wanted.price is not None  # noqa: S101 - checked above
    if entry.type is OrderType.TRAILING_STOP:
        return with_trail(resting, trail_ticks(wanted.price, contract, quote), quote)
    return replace(resting, price=to_ticks(wanted.price, contract.tick_size))


def _make_row(wanted: OrderTerms, id_: int, now: datetime) -> OrderRecord:
    return OrderRecord(
        id=id_,
        account_id=wanted.account_id,
        contract_id=wanted.contract_id,
        state=OrderState.SUBMITTING,
        type=wanted.type,
        side=wanted.side,
        quantity=wanted.quantity,
        role=Role.ENTRY,
        created_market_at=now,
        updated_market_at=now,
        tag=wanted.tag,
        joined=wanted.joined,
    )
