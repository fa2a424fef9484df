"""Whether the venue takes an order, and the rows it becomes: the order itself, its stop and its target."""

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

_LEAST_BRACKET_TICKS = 4
_MOST_TRAIL_TICKS = 1000  # on place; modify has no cap
_MOST_AWAY = Decimal("0.5")  # of the last price; how far the real venue lets a price be is not documented
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
    """A child asked for with its parent: signed ticks from the fill, and the type it shall have."""

    ticks: int
    type: OrderType


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTerms:
    """An order as it was asked for.

    `price` is the limit price of a limit, the stop price of a stop, the level a trailing stop shall begin at. With
    `joined` a limit takes the best bid (BUY) or ask (SELL) there is on acceptance.
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
class Circumstances:
    """What an order meets: the quote (None while the market is closed), why the clock forbids it, why its size does."""

    quote: Quote | None
    clock: str | None = None
    size: str | None = None


def reason_against(
    wanted: OrderTerms, account: AccountRecord, contract: Contract, state: VenueState, met: Circumstances
) -> str | None:
    """Return the venue's message of rejection, or None; checked in the order of venue.md section 10."""
    return next(_reasons_against(wanted, account, contract, state, met), None)


def _reasons_against(
    wanted: OrderTerms, account: AccountRecord, contract: Contract, state: VenueState, met: Circumstances
) -> Iterator[str]:
    if wanted.type not in _PLACEABLE:
        yield "Invalid order type. The simulator takes limit, market, stop, trailing stop, join bid and join ask."
    if wanted.quantity <= 0:
        yield "Invalid order size. Size should be greater than zero."
    if met.quote is None:
        yield CLOSED
    if met.clock:
        yield met.clock
    if met.quote is not None:
        yield from _reasons_against_price(wanted, contract, met.quote)
    if wanted.tag and state.has_tag(account.id, wanted.tag):
        yield "Specified custom tag is already in use"
    if wanted.stop_loss or wanted.take_profit:
        if account.bracket_mode is not BracketMode.AUTO_OCO:
            yield "Brackets cannot be used with Position Brackets. You must enable Auto OCO Brackets."
        yield from _reasons_against_brackets(wanted)
    if met.size:
        yield met.size


def _reasons_against_price(wanted: OrderTerms, contract: Contract, quote: Quote) -> Iterator[str]:
    reason = None
    if wanted.type is OrderType.TRAILING_STOP:
        reason = reason_against_trail(wanted.price, contract, quote, most=_MOST_TRAIL_TICKS)
    elif wanted.type in _PRICED and wanted.joined is None:
        reason = reason_against_price(wanted.type, wanted.side, wanted.price, contract, quote)
    if reason:
        yield reason


def reason_against_price(
    type_: OrderType, side: Side, price: Decimal | None, contract: Contract, quote: Quote
) -> str | None:
    """Return why a limit or stop price cannot be taken, or None. A limit may cross the market, a stop may not."""
    last = quote.last * contract.tick_size
    if price is None or not price.is_finite() or abs(price - last) > abs(last) * _MOST_AWAY:
        return OUT_OF_RANGE
    if price % contract.tick_size:
        return MISALIGNED
    if type_ is OrderType.STOP and (price - last) * side.sign <= 0:
        return OUT_OF_RANGE
    return None


def reason_against_trail(price: Decimal | None, contract: Contract, quote: Quote, most: int | None) -> str | None:
    """Return why a trailing stop cannot begin at a level, or None; `most` is the largest distance in ticks."""
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
    """Return the distance in ticks from the last price to the level a trailing stop was given."""
    return int(abs(quote.last * contract.tick_size - price) // contract.tick_size)


def trailing(order: OrderRecord, distance: int, quote: Quote) -> OrderRecord:
    """Return a trailing stop that begins `distance` ticks behind the last price, on the side that protects."""
    return replace(order, trail_ticks=distance, price=quote.last + distance * order.side.sign)


def _reasons_against_brackets(wanted: OrderTerms) -> Iterator[str]:
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
        if abs(bracket.ticks) < _LEAST_BRACKET_TICKS:
            yield f"Invalid {name} ticks ({bracket.ticks}). Price should be at least {_LEAST_BRACKET_TICKS} ticks away."


def rejected_row(wanted: OrderTerms, state: VenueState, now: datetime) -> OrderRecord:
    """Return the row a rejected order leaves behind: it has an id and uses up its tag."""
    return replace(_row(wanted, state.new_order_ids(1)[0], now), state=OrderState.REJECTED)


def accepted_rows(
    wanted: OrderTerms, contract: Contract, quote: Quote, state: VenueState, now: datetime
) -> list[OrderRecord]:
    """Return the rows of an order that is taken, as they are told: its stop, the order, its target.

    Their ids are consecutive, the order's the first, its stop's the next; the children are suspended.
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
    entry = _priced(_row(wanted, ids[0], now), wanted, contract, quote)
    children = [
        replace(
            _row(wanted, id_, now),
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


def _priced(entry: OrderRecord, wanted: OrderTerms, contract: Contract, quote: Quote) -> OrderRecord:
    if entry.type is OrderType.MARKET or (wanted.price is None and wanted.joined is None):
        return entry
    resting = replace(entry, state=OrderState.WORKING)
    if wanted.joined is not None:
        return replace(resting, price=quote.bid if wanted.joined is Side.BUY else quote.ask)
    assert wanted.price is not None  # noqa: S101 - seen above
    if entry.type is OrderType.TRAILING_STOP:
        return trailing(resting, trail_ticks(wanted.price, contract, quote), quote)
    return replace(resting, price=to_ticks(wanted.price, contract.tick_size))


def _row(wanted: OrderTerms, id_: int, now: datetime) -> OrderRecord:
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
