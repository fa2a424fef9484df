"""What a strategy sees in a backtest: the same view as in life, made of the book and of the bars that have closed."""

from datetime import datetime
from decimal import Decimal

from shared.domain.market_data.calendar import Session
from shared.domain.market_data.timeframe import Timeframe
from shared.domain.orders.order import Role
from shared.domain.strategies.view import AccountFacts, OrderFacts, PositionFacts, View
from strategies.backtest.book import Book
from strategies.backtest.extremes import Extremes
from strategies.backtest.loss_limits import LossLimits
from strategies.backtest.rolled_bars import RolledBars, VisibleBars
from strategies.backtest.terms import BacktestTerms

_FLAT = PositionFacts()


class ViewBuilder:
    """Builds the view of each closed bar; what has not changed since the one before is not built again."""

    def __init__(self, terms: BacktestTerms, timeframe: Timeframe, series: RolledBars) -> None:
        self._terms = terms
        self._timeframe = timeframe
        self._series = series
        self._limits: LossLimits | None = None
        self._least: tuple[Decimal, bool] | None = None
        self._flat_key: tuple[object, ...] | None = None
        self._flat_facts = AccountFacts()

    def build(
        self, now: datetime, session: Session, book: Book, extremes: Extremes, *, last: int, day_balance: Decimal
    ) -> View:
        """Return the view at `now`, when the last price is `last` in ticks."""
        window = VisibleBars(self._series, int(now.timestamp()))
        return View(
            now, self._terms.contract, self._timeframe, session,
            _position_of(book, extremes) if book.position.quantity else _FLAT,
            _orders_of(book) if book.orders else (),
            self._account_of(book, last, day_balance),
            window.read_bars, window.read_since,
        )  # fmt: skip

    def _account_of(self, book: Book, last: int, day_balance: Decimal) -> AccountFacts:
        if book.position.quantity:
            return self._facts(book, book.balance + book.open_result(last), day_balance)
        key = (book.balance, day_balance, book.entry_count, book.limits)
        if key != self._flat_key:
            self._flat_key, self._flat_facts = key, self._facts(book, book.balance, day_balance)
        return self._flat_facts

    def _facts(self, book: Book, equity: Decimal, day_balance: Decimal) -> AccountFacts:
        if book.limits is not self._limits:
            self._limits = book.limits
            self._least = book.limits.least_equity() if book.limits else None
        least = self._least
        return AccountFacts(
            balance=book.balance,
            day_result=equity - day_balance,
            loss_left=None if least is None else equity - least[0],
            max_quantity=self._max_quantity(day_balance),
            entry_count_today=book.entry_count,
        )

    def _max_quantity(self, day_balance: Decimal) -> int | None:
        rules = self._terms.rule_book
        if rules is None:
            return None
        most = rules.max_micros(day_balance) // rules.count_micros(self._terms.contract.root, 1)
        return min(most, rules.max_quantity)


def _position_of(book: Book, extremes: Extremes) -> PositionFacts:
    held = book.position
    best, worst = (extremes.high, extremes.low) if held.quantity > 0 else (extremes.low, extremes.high)
    return PositionFacts(held.quantity, held.average_price, book.opened_at, best, worst)


def _orders_of(book: Book) -> tuple[OrderFacts, ...]:
    return tuple(
        OrderFacts(one.role, one.side, one.type, one.price, one.quantity)
        for one in book.orders
        if one.price is not None and one.role is not Role.EXIT
    )
