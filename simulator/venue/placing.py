"""Whether the venue takes an order, and the rows it becomes: the order itself, its stop and its target."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from shared.domain.bar import to_ticks
from shared.domain.contract import Contract
from shared.domain.matching import Quote
from shared.domain.order import OrderState, OrderType, Role, Side
from simulator.venue.book import Book
from simulator.venue.records import Account, BracketMode, Order

_LEAST_BRACKET_TICKS = 4
_MOST_AWAY = Decimal("0.5")  # of the last price; how far the real venue lets a price be is not documented
_RESTING = {OrderType.LIMIT, OrderType.STOP}
CLOSED = "Trading is currently unavailable. The instrument is not in an active trading status."
OUT_OF_RANGE = "Invalid price. Price is outside allowed range."
MISALIGNED = "Invalid price. Price is not aligned to tick size."


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """A child asked for with its parent: signed ticks from the fill, and the type it shall have."""

    ticks: int
    type: OrderType


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An order as it was asked for. `price` is the limit price of a limit, the stop price of a stop."""

    account_id: int
    contract_id: str
    type: OrderType
    side: Side
    quantity: int
    price: Decimal | None
    tag: str | None
    stop_loss: Bracket | None
    take_profit: Bracket | None


def reason_against(
    wanted: Wanted, account: Account, contract: Contract, quote: Quote | None, book: Book, *, is_open: bool
) -> str | None:
    """Return the venue's message of rejection, or None; checked in the order of venue.md section 10."""
    return next(_reasons_against(wanted, account, contract, quote if is_open else None, book), None)


def _reasons_against(
    wanted: Wanted, account: Account, contract: Contract, quote: Quote | None, book: Book
) -> Iterator[str]:
    if wanted.type is not OrderType.MARKET and wanted.type not in _RESTING:
        yield "Invalid order type. The simulator takes market, limit and stop orders."
    if wanted.quantity <= 0:
        yield "Invalid order size. Size should be greater than zero."
    if quote is None:
        yield CLOSED
    elif wanted.type in _RESTING:
        yield from _reasons_against_price(wanted.type, wanted.side, wanted.price, contract, quote)
    if wanted.tag and book.has_tag(account.id, wanted.tag):
        yield "Specified custom tag is already in use"
    if wanted.stop_loss or wanted.take_profit:
        if account.bracket_mode is not BracketMode.AUTO_OCO:
            yield "Brackets cannot be used with Position Brackets. You must enable Auto OCO Brackets."
        yield from _reasons_against_brackets(wanted)


def reason_against_price(
    type_: OrderType, side: Side, price: Decimal | None, contract: Contract, quote: Quote
) -> str | None:
    """Return why a limit or stop price cannot be taken, or None. A limit may cross the market, a stop may not."""
    return next(_reasons_against_price(type_, side, price, contract, quote), None)


def _reasons_against_price(
    type_: OrderType, side: Side, price: Decimal | None, contract: Contract, quote: Quote
) -> Iterator[str]:
    last = quote.last * contract.tick_size
    if price is None or not price.is_finite() or abs(price - last) > abs(last) * _MOST_AWAY:
        yield OUT_OF_RANGE
    elif price % contract.tick_size:
        yield MISALIGNED
    elif type_ is OrderType.STOP and (price - last) * side.sign <= 0:
        yield OUT_OF_RANGE


def _reasons_against_brackets(wanted: Wanted) -> Iterator[str]:
    for name, bracket, type_, sign in (
        ("stop loss", wanted.stop_loss, OrderType.STOP, -wanted.side.sign),
        ("take profit", wanted.take_profit, OrderType.LIMIT, wanted.side.sign),
    ):
        if bracket is None:
            continue
        if bracket.type is not type_:
            yield f"Invalid {name} type. The simulator takes {'a stop' if type_ is OrderType.STOP else 'a limit'}."
        if bracket.ticks * sign <= 0:
            than = "less" if sign < 0 else "greater"
            when = "when longing." if wanted.side is Side.BUY else "when going short"
            yield f"Invalid {name} ticks ({bracket.ticks}). Ticks should be {than} than zero {when}"
        if abs(bracket.ticks) < _LEAST_BRACKET_TICKS:
            yield f"Invalid {name} ticks ({bracket.ticks}). Price should be at least {_LEAST_BRACKET_TICKS} ticks away."


def rejected_row(wanted: Wanted, book: Book, now: datetime) -> Order:
    """Return the row a rejected order leaves behind: it has an id and uses up its tag."""
    return replace(_row(wanted, book.new_order_ids(1)[0], now), state=OrderState.REJECTED)


def accepted_rows(wanted: Wanted, contract: Contract, book: Book, now: datetime) -> list[Order]:
    """Return the order and its suspended children, with consecutive ids: the order, its stop, its target."""
    legs = [
        (role, bracket, suffix)
        for role, bracket, suffix in (
            (Role.STOP_LOSS, wanted.stop_loss, "SL"),
            (Role.TAKE_PROFIT, wanted.take_profit, "TP"),
        )
        if bracket is not None
    ]
    ids = book.new_order_ids(1 + len(legs))
    entry = _row(wanted, ids[0], now)
    if wanted.price is not None and wanted.type in _RESTING:
        entry = replace(entry, state=OrderState.WORKING, price=to_ticks(wanted.price, contract.tick_size))
    children = [
        replace(
            entry,
            id=id_, state=OrderState.SUSPENDED, type=bracket.type, side=wanted.side.opposite, role=role, price=None,
            tag=f"{wanted.tag}-{suffix}" if wanted.tag else None, bracket_ticks=bracket.ticks,
            parent_order_id=entry.id,
            linked_order_id=ids[1] if role is Role.TAKE_PROFIT and wanted.stop_loss else None,
        )
        for id_, (role, bracket, suffix) in zip(ids[1:], legs, strict=True)
    ]  # fmt: skip
    return [entry, *children]


def _row(wanted: Wanted, id_: int, now: datetime) -> Order:
    return Order(
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
    )
