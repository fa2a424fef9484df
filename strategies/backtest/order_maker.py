"""What a decision does to the orders of a backtest."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from shared.domain.orders.matching import fill_price_on_arrival
from shared.domain.orders.order import OrderType, Role, Side
from shared.domain.orders.position import Position
from shared.domain.strategies.decision import Cancel, Decision, Enter, EnterEither, Exit, MoveStop, Target
from strategies.backtest.admission import Moment, find_rejection, is_price_reached
from strategies.backtest.book import Book
from strategies.backtest.orders import WorkingOrder
from strategies.backtest.terms import BacktestTerms


class OrderMaker:
    """Turns decisions into orders; `rejections` counts what was not accepted by the rule that forbade it."""

    def __init__(self, terms: BacktestTerms) -> None:
        self._terms = terms
        self.rejections: Counter[str] = Counter()

    def apply(self, decision: Decision, book: Book, moment: Moment) -> None:
        """Change the orders of the book as decided at the close of a bar."""
        match decision:
            case Enter():
                self._enter([self._entry_of(decision, book, moment)], book, moment)
            case EnterEither(first=first, second=second):
                one, other = (self._entry_of(each, book, moment) for each in (first, second))
                self._enter([one, replace(other, group=one.group)], book, moment)
            case Exit(quantity=quantity):
                self._exit(quantity, book, moment)
            case MoveStop(price=price):
                self._move_stop(price, book, moment)
            case Target():
                self._hold(decision, book, moment)
            case Cancel():
                book.orders = [one for one in book.orders if one.role is not Role.ENTRY]

    def _entry_of(self, wanted: Enter, book: Book, moment: Moment) -> WorkingOrder:
        id_ = book.new_order_id()
        return WorkingOrder(
            id=id_, role=Role.ENTRY, type=wanted.type, side=wanted.side, quantity=self._size_of(wanted), group=id_,
            price=wanted.price, due_at=moment.now + book.costs.latency if wanted.type is OrderType.MARKET else None,
            stop_loss_ticks=wanted.stop_loss_ticks, take_profit_ticks=wanted.take_profit_ticks,
        )  # fmt: skip

    def _size_of(self, wanted: Enter) -> int:
        if wanted.risk is None:
            return self._terms.quantity if wanted.quantity is None else wanted.quantity
        return int(wanted.risk // (wanted.stop_loss_ticks * self._terms.contract.tick_value))

    def _enter(self, entries: Sequence[WorkingOrder], book: Book, moment: Moment) -> None:
        """Accept the entries that no rule forbids; each is checked as if the others were not."""
        accepted = [entry for entry in entries if self._is_accepted(entry, book, moment)]
        book.orders += accepted
        for entry in accepted:
            self._fill_on_arrival(entry, book, moment)

    def _is_accepted(self, entry: WorkingOrder, book: Book, moment: Moment) -> bool:
        rule = find_rejection(entry, book, self._terms, moment)
        if rule is not None:
            self.rejections[rule] += 1
        return rule is None

    def _fill_on_arrival(self, entry: WorkingOrder, book: Book, moment: Moment) -> None:
        """Fill a limit order that crosses the market when it arrives; another one of its group may have filled."""
        if entry.type is not OrderType.LIMIT or entry not in book.orders:
            return
        price = fill_price_on_arrival(entry.type, entry.side, entry.price, moment.quote)
        if price is not None:
            book.fill(entry, price, moment.now)

    def _exit(self, quantity: int | None, book: Book, moment: Moment) -> None:
        held = abs(book.position.quantity)
        if not held or not moment.is_open:
            self.rejections["session" if held else "nothing_held"] += 1
        elif quantity is None or quantity >= held:
            book.close_all(moment.now)
        else:
            book.close(quantity, moment.now)

    def _move_stop(self, price: int, book: Book, moment: Moment) -> None:
        """Move each stop that is further from the market; the others stay, as a stop never loses more than now."""
        side = Side.SELL if book.position.quantity > 0 else Side.BUY
        is_nearer = {
            one.id: (price - one.price) * side.sign < 0
            for one in book.orders
            if one.role is Role.STOP_LOSS and one.price is not None
        }
        if not any(is_nearer.values()):
            self.rejections["wider_stop" if is_nearer else "no_stop"] += 1
        elif not moment.is_open:
            self.rejections["session"] += 1
        elif is_price_reached(OrderType.STOP, side, price, moment.quote):
            self.rejections["price_reached"] += 1
        else:
            book.orders = [replace(one, price=price) if is_nearer.get(one.id) else one for one in book.orders]

    def _hold(self, wanted: Target, book: Book, moment: Moment) -> None:
        """Close what is held too much, or on the other side, and enter what is missing."""
        held = book.position.quantity
        kept = held if wanted.position * held > 0 else 0
        added = wanted.position - kept
        if held and not kept:
            self._exit(None, book, moment)
        elif abs(wanted.position) < abs(held):
            self._exit(abs(added), book, moment)
            return
        if not added:
            return
        seen = book.copy()
        seen.position = book.position if kept else Position()
        entry = Enter(
            side=Side.BUY if added > 0 else Side.SELL, quantity=abs(added), reason=wanted.reason,
            stop_loss_ticks=wanted.stop_loss_ticks, take_profit_ticks=wanted.take_profit_ticks,
        )  # fmt: skip
        order = self._entry_of(entry, book, moment)
        if self._is_accepted(order, seen, moment):
            book.orders.append(order)
