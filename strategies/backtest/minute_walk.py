"""The way through the minutes: only a bar that reaches an order or a limit is followed, the others are passed over."""

from bisect import bisect_left
from decimal import Decimal

from shared.domain.market_data.bar_columns import time_of
from shared.domain.orders.order import OrderType, Role
from shared.domain.trades.round_trip import Fill
from strategies.backtest.book import Book
from strategies.backtest.path import follow, settle
from strategies.backtest.tape import Tape

_FAR = 2**62


class MinuteWalk:
    """Moves a book through the bars; `fills` are all until now, and `next_index` is the first bar that is to come.

    With `is_worst` a bar is followed both ways, and the one that leaves less is taken. `undecided_count` is of the bars
    in which other orders fill the other way.
    """

    def __init__(self, tape: Tape, book: Book, start: int, *, is_worst: bool) -> None:
        self.book = book
        self.fills: list[Fill] = []
        self.undecided_count = 0
        self.next_index = bisect_left(tape.seconds, start)
        self._tape = tape
        self._now = start
        self._is_worst = is_worst

    def advance(self, until: int) -> None:
        """Take the bars that start before `until`, in seconds since 1970; orders that are due fill before that."""
        if until <= self._now:
            return
        tape, index = self._tape, self.next_index
        if self.book.next_due() is not None:
            index = self._fill_due(index, until)
        while not self.book.is_idle:
            above, below = _edges_of(self.book)
            end = bisect_left(tape.seconds, until, index)
            index = next((n for n in range(index, end) if tape.highs[n] >= above or tape.lows[n] <= below), end)
            if index == end:
                break
            self._follow(index)
            index += 1
            if self.book.next_due() is not None:
                index = self._fill_due(index, until)
        self.next_index = bisect_left(tape.seconds, until, index)
        self._now = until

    def _fill_due(self, index: int, until: int) -> int:
        """Fill the market orders in the bar of their minute, or at the last quote without one; return the next bar."""
        due = self.book.next_due()
        assert due is not None  # noqa: S101 - the caller has found one
        assert due.due_at is not None  # noqa: S101 - as above
        seconds, at = self._tape.seconds, due.due_at.timestamp()
        if index < len(seconds) and seconds[index] <= at < seconds[index] + 60 and seconds[index] < until:
            self._follow(index)
            return index + 1
        settle(self.book, self._tape.quote_after(index - 1), time_of(until))
        self._keep_fills()
        return index

    def _follow(self, index: int) -> None:
        book, tape, before = self.book, self._tape, self._tape.quote_after(index - 1)
        other = book.copy()
        above, below = _edges_of(book)
        entries = {one.id for one in book.orders if one.role is Role.ENTRY}
        follow(book, tape.path(index), before)
        # If one stop, target or exit alone filled, and the other price was out of reach, so it does the other way.
        is_open = len(book.filled) > 1 or not entries.isdisjoint(book.filled)
        if self._is_worst or is_open or (tape.highs[index] >= above and tape.lows[index] <= below):
            follow(other, tape.path(index, is_other_way=True), before)
            self.undecided_count += book.filled != other.filled
            if self._is_worst and _equity_of(other, tape.closes[index]) < _equity_of(book, tape.closes[index]):
                self.book = other
        self._keep_fills()

    def _keep_fills(self) -> None:
        self.fills += self.book.take_fills()


def _edges_of(book: Book) -> tuple[int, int]:
    """Return the prices, above and below, from which on something may happen: an order fills, or a limit is touched."""
    above, below = _FAR, -_FAR
    for order in book.orders:
        if order.price is None:
            continue
        # A stop is reached from where the price is; a limit one tick behind its price.
        at = order.price if order.type is OrderType.STOP else order.price - order.side.sign
        if (order.type is OrderType.STOP) == (order.side.sign > 0):
            above = min(above, at)
        else:
            below = max(below, at)
    loss_price = book.loss_price()
    if loss_price is not None and book.position.quantity > 0:
        below = max(below, loss_price)
    elif loss_price is not None:
        above = min(above, loss_price)
    return above, below


def _equity_of(book: Book, price: int) -> Decimal:
    return book.balance + book.open_result(price)
