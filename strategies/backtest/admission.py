"""Whether an entry of a backtest is accepted: by the session, the venue's limits of orders, and the account's rules."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from shared.domain.market_data.calendar import Session
from shared.domain.orders.matching import Quote
from shared.domain.orders.order import MIN_TICKS, OrderType, Role, Side
from shared.domain.risk.account_risk import AccountRisk, Holding, OpenEntry
from shared.domain.risk.entry_rules import SizedEntry, check_entry_rules
from strategies.backtest.book import Book
from strategies.backtest.orders import WorkingOrder
from strategies.backtest.terms import BacktestTerms


@dataclass(frozen=True, slots=True)
class Moment:
    """The close of a bar: the quote that it left, its session, and whether the market trades."""

    now: datetime
    quote: Quote
    session: Session
    is_open: bool


def find_rejection(entry: WorkingOrder, book: Book, terms: BacktestTerms, moment: Moment) -> str | None:
    """Return the first rule that forbids an entry, None if it is accepted."""
    return next(_find_rejections(entry, book, terms, moment), None)


def is_price_reached(type_: OrderType, side: Side, price: int | None, quote: Quote) -> bool:
    """Whether the last price has reached a stop already, so that the venue would reject it."""
    return type_ is OrderType.STOP and price is not None and (price - quote.last) * side.sign <= 0


def _find_rejections(entry: WorkingOrder, book: Book, terms: BacktestTerms, moment: Moment) -> Iterator[str]:
    limits = book.limits
    if limits is not None and limits.is_breached:
        yield "max_loss_limit"
    if limits is not None and limits.is_day_locked:
        yield "daily_loss_limit"
    if not moment.is_open:
        yield "session"
    if not moment.session.takes_entries_at(moment.now):
        yield "last_entry"
    if entry.quantity < 1:
        yield "risk"
    for name, ticks in (("stop_loss", entry.stop_loss_ticks), ("take_profit", entry.take_profit_ticks)):
        if ticks is not None and ticks < MIN_TICKS:
            yield name
    if is_price_reached(entry.type, entry.side, entry.price, moment.quote):
        yield "price_reached"
    if terms.rule_book is not None:
        yield from _list_broken_rules(entry, book, terms, moment)


def _list_broken_rules(entry: WorkingOrder, book: Book, terms: BacktestTerms, moment: Moment) -> Iterator[str]:
    assert terms.rule_book is not None  # noqa: S101 - the caller has checked it
    sized = SizedEntry(terms.contract, entry.side, entry.quantity, entry.stop_loss_ticks)
    findings = check_entry_rules(
        sized, _risk_of(book, moment), terms.rule_book, moment.now, session=moment.session, calendar=terms.calendar
    )
    yield from (one.rule for one in findings)


def _risk_of(book: Book, moment: Moment) -> AccountRisk:
    limits = book.limits
    held = book.position.quantity
    return AccountRisk(
        balance=book.balance,
        day_opening_balance=limits.day_balance if limits else None,
        high_water_mark=limits.high_water_mark if limits else None,
        holdings=(_holding_of(book, moment.quote),) if held else (),
        open_entries=tuple(
            OpenEntry(
                book.contract.id, book.contract.root, one.side, one.quantity,
                (one.stop_loss_ticks or 0) * book.contract.tick_value * one.quantity,
            )
            for one in book.orders
            if one.role is Role.ENTRY
        ),
        trade_count_today=book.entry_count,
    )  # fmt: skip


def _holding_of(book: Book, quote: Quote) -> Holding:
    contract, held = book.contract, book.position
    sign = 1 if held.quantity > 0 else -1
    exit_price = quote.price_for(Side.SELL if sign > 0 else Side.BUY)
    stops = [one for one in book.orders if one.role is Role.STOP_LOSS and one.price is not None]
    lost = sum(max(0, (exit_price - (one.price or 0)) * sign) * one.quantity for one in stops)
    average = held.average_price * contract.tick_size.as_integer_ratio()[0] / contract.tick_size.as_integer_ratio()[1]
    return Holding(
        contract.id, contract.root, held.quantity, Decimal(average.numerator) / Decimal(average.denominator),
        exit_price * contract.tick_size, lost * contract.tick_value,
        max(0, abs(held.quantity) - sum(one.quantity for one in stops)),
    )  # fmt: skip
