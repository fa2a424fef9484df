"""Brings the book up to a market instant: which orders filled on the way, and what each fill changes."""

from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.contract import Contract
from shared.domain.coverage import Span
from shared.domain.matching import Move, on_move
from shared.domain.order import OrderState
from shared.domain.position import Position, after_fill, in_money
from simulator.market.market import Market, moves, quote
from simulator.venue.book import Book, is_leg
from simulator.venue.fees import fees_of
from simulator.venue.records import Change, Fill, Holding, Order


class Matcher:
    """Walks the path of the prices since the last time, also over the time the process was down."""

    def __init__(self, book: Book, market: Market, latency: timedelta) -> None:
        self._book = book
        self._market = market
        self._latency = latency  # market time from a market order's acceptance to its fill
        # Nothing filled after the last change that was written down, or it would have been written down.
        self.matched_until = book.changed_market_at

    def advance(self, now: datetime) -> None:
        """Match every order up to `now`; the past stays as it is."""
        waiting = [order for order in self._book.alive.values() if order.state is OrderState.SUBMITTING]
        for order in sorted(waiting, key=lambda order: order.id):
            due = max(order.created_market_at + self._latency, self.matched_until)
            if due <= now:
                self._match_until(due)
                self.fill_at_market(order, due)
        self._match_until(now)

    def fill_at_market(self, order: Order, at: datetime) -> None:
        """Fill an order whole at the quote of a market instant."""
        contract = self._contract(order.contract_id, at)
        now = quote(self._market, contract, at)
        if now is None:
            raise LookupError(f"{order.contract_id} has no price at {at}, yet order {order.id} was accepted")
        self.fill(order, now.taken_by(order.side), at)

    def fill(self, order: Order, price: int, at: datetime) -> None:
        """Fill an order whole: its fills, the position, the balance, its bracket and its sibling in one change."""
        contract = self._contract(order.contract_id, at)
        account = self._book.accounts[order.account_id]
        held = self._book.holding(order.account_id, order.contract_id)
        before = held.position if held else Position()
        after, parts = after_fill(before, order.side, order.quantity, price)
        fills = []
        for part in parts:
            fees, commissions = fees_of(contract.root, part.quantity)
            fills.append(
                Fill(
                    id=self._book.new_fill_id(), order_id=order.id, account_id=order.account_id,
                    contract_id=order.contract_id, side=order.side, quantity=part.quantity, price=price,
                    gross_pnl=None if part.realised is None else in_money(part.realised, contract.tick_value),
                    fees=fees, commissions=commissions, filled_market_at=at,
                )
            )  # fmt: skip
        earned = sum((fill.gross_pnl or 0) - fill.fees - fill.commissions for fill in fills)
        is_new = held is None or before.quantity * after.quantity < 0
        holding = Holding(
            id=self._book.new_holding_id() if held is None or is_new else held.id,
            account_id=order.account_id,
            contract_id=order.contract_id,
            opened_market_at=at if held is None or is_new else held.opened_market_at,
            quantity=after.quantity,
            average_price=after.average_price,
        )
        filled = replace(
            order, state=OrderState.FILLED, filled_quantity=order.quantity, fill_price=price, updated_market_at=at
        )
        self._book.commit(
            Change(
                market_at=at,
                accounts=[replace(account, balance=account.balance + earned)],
                orders=[filled, *self._followers(filled, price, at)],
                fills=fills,
                holdings=[holding],
            )
        )

    def _followers(self, order: Order, price: int, at: datetime) -> list[Order]:
        """Return the orders that a fill wakes (its bracket) or ends (the other leg)."""
        if is_leg(order):
            siblings = (row for row in self._book.alive.values() if row.parent_order_id == order.parent_order_id)
            return [
                replace(row, state=OrderState.CANCELLED, updated_market_at=at) for row in siblings if row.id != order.id
            ]
        return [
            replace(row, state=OrderState.WORKING, price=price + (row.bracket_ticks or 0), updated_market_at=at)
            for row in self._book.children(order)
        ]

    def _match_until(self, until: datetime) -> None:
        span = Span(self.matched_until, until)
        if span.start >= span.end:
            return
        for contract_id in sorted({order.contract_id for order in self._working()}):
            for move in moves(self._market, self._contract(contract_id, until), span):
                self._match(contract_id, move)
        self.matched_until = until

    def _match(self, contract_id: str, move: Move) -> None:
        while True:
            hits = [
                (hit, order)
                for order in self._working()
                if order.contract_id == contract_id
                and order.price is not None
                and (hit := on_move(order.type, order.side, order.price, move))
            ]
            if not hits:
                return
            hit, order = min(hits, key=lambda pair: (pair[0].at, pair[1].id))
            self.fill(order, hit.price, hit.at)
            move = move.rest_from(hit)

    def _working(self) -> list[Order]:
        return [order for order in self._book.alive.values() if order.state is OrderState.WORKING]

    def _contract(self, contract_id: str, at: datetime) -> Contract:
        contract = self._market.contract(contract_id, at)
        if contract is None:
            raise LookupError(f"the market does not know {contract_id}, yet there is an order for it")
        return contract
