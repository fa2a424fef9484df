"""The path of the price through one bar, along which orders fill and limits are touched as at the simulator."""

from collections.abc import Sequence
from datetime import datetime

from shared.domain.orders.matching import Move, PriceHit, Quote, find_fill
from shared.domain.orders.stake import Stake, first_touch
from strategies.backtest.book import Book
from strategies.backtest.loss_limits import LimitTouch
from strategies.backtest.orders import WorkingOrder


def follow(book: Book, path: Sequence[Move], before: Quote) -> None:
    """Fill the orders along the path of a bar; `before` is the quote as the bar before left it.

    It goes from one thing that happens to the next: a market order is due, a move ends, an order or a limit is reached.
    """
    at, end = path[0].start, path[-1].end
    while True:
        due = book.next_due()
        if due is not None and due.due_at is not None and due.due_at <= at:
            quote = before if at <= path[0].start else _move_at(path, at).quote_at(at)
            book.fill_at_market(due, quote, at)
            continue
        breach = _breach_while_flat(book, at)
        if breach is not None:
            book.end_trading(breach)
            continue
        if at >= end or book.is_idle:
            return
        move = _move_at(path, at)
        until = move.end if due is None or due.due_at is None else min(move.end, due.due_at)
        at = _follow_piece(book, move.clip(at, until))


def settle(book: Book, quote: Quote, until: datetime) -> None:
    """Fill the market orders that are due by `until` while nothing is traded: at the last quote."""
    while (due := book.next_due()) is not None and due.due_at is not None and due.due_at <= until:
        book.fill_at_market(due, quote, due.due_at)
        breach = _breach_while_flat(book, due.due_at)
        if breach is not None:
            book.end_trading(breach)


def _follow_piece(book: Book, piece: Move) -> datetime:
    """Apply the first thing that happens on a straight piece of the path, and return when it does."""
    hit = _first_hit(book, piece)
    breach = _first_breach(book, piece)
    if breach is not None and (hit is None or breach.at < hit[0].at):
        book.end_trading(breach)
        return breach.at
    if hit is None:
        return piece.end
    book.fill(hit[1], hit[0].price, hit[0].at)
    return hit[0].at


def _first_hit(book: Book, piece: Move) -> tuple[PriceHit, WorkingOrder] | None:
    hits = [
        (hit, order)
        for order in book.orders
        if order.price is not None and (hit := find_fill(order.type, order.side, order.price, piece)) is not None
    ]
    return min(hits, key=lambda pair: (pair[0].at, pair[1].id), default=None)


def _first_breach(book: Book, piece: Move) -> LimitTouch | None:
    least = book.limits.least_equity() if book.limits else None
    held = book.position
    price = book.loss_price()
    if least is None or price is None:
        return None
    nearest = (min if held.quantity > 0 else max)(piece.start_price, piece.end_price)
    if (nearest - price) * held.quantity > 0:
        return None
    stake = Stake(held.quantity, held.average_price, book.contract.tick_value, piece)
    at = first_touch(least[0], book.balance, [stake], piece.start, piece.end)
    return None if at is None else LimitTouch(at=at, is_final=least[1])


def _breach_while_flat(book: Book, at: datetime) -> LimitTouch | None:
    least = book.limits.least_equity() if book.limits else None
    if least is None or book.position.quantity or book.balance > least[0]:
        return None
    return LimitTouch(at=at, is_final=least[1])


def _move_at(path: Sequence[Move], at: datetime) -> Move:
    return next((move for move in path if at < move.end), path[-1])
