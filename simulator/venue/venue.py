"""The venue itself: what an account may ask for, answered with the wire's error codes."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from shared.clock import MarketClock
from shared.domain.bar import to_ticks
from shared.domain.contract import Contract
from shared.domain.matching import on_arrival
from shared.domain.order import OrderState, OrderType, Role, Side
from simulator.market.market import Market, quote
from simulator.venue.book import Book, is_leg
from simulator.venue.journal import Journal
from simulator.venue.matcher import Matcher
from simulator.venue.placing import CLOSED, Wanted, accepted_rows, reason_against, reason_against_price, rejected_row
from simulator.venue.records import BracketMode, Change, Holding, Order

_LATENCY = timedelta(milliseconds=10)  # machine time from acceptance to the fill of a market order


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer: code 0 is success; the codes' meaning is the endpoint's own."""

    code: int = 0
    message: str | None = None
    order_id: int | None = None


ACCOUNT_NOT_FOUND = Verdict(1)


class Venue:
    """Accounts that trade one market. Every question is answered as of now: what is due has happened first."""

    def __init__(self, market: Market, clock: MarketClock, journal: Journal) -> None:
        self.market = market
        self.clock = clock
        self.book = Book(journal, clock.now())
        self._matcher = Matcher(self.book, market, _LATENCY * clock.speed)

    def now(self) -> datetime:
        """Match what is due and return the market's time, which never goes back."""
        now = max(self.clock.now(), self._matcher.matched_until)
        self._matcher.advance(now)
        return now

    def place(self, wanted: Wanted) -> Verdict:
        """Take or reject an order (PlaceOrderErrorCode); code 2 leaves a rejected order and uses up the tag."""
        now = self.now()
        account = self.book.accounts.get(wanted.account_id)
        if account is None:
            return ACCOUNT_NOT_FOUND
        if not account.can_trade:
            return Verdict(10, "Account is not allowed to trade.")
        contract = self.market.contract(wanted.contract_id, now)
        if contract is None:
            return Verdict(8, f"Contract {wanted.contract_id} was not found.")
        if not contract.is_active:
            return Verdict(9, f"Contract {wanted.contract_id} is not active.")
        current, is_open = quote(self.market, contract, now), self.market.is_open(contract, now)
        reason = reason_against(wanted, account, contract, current, self.book, is_open=is_open)
        if reason is not None:
            row = rejected_row(wanted, self.book, now)
            self.book.commit(Change(market_at=now, orders=[row]))
            return Verdict(2, reason, row.id)
        rows = accepted_rows(wanted, contract, self.book, now)
        self.book.commit(Change(market_at=now, orders=rows))
        self._fill_if_crossing(rows[0], contract, now)
        return Verdict(order_id=rows[0].id)

    def cancel(self, account_id: int, order_id: int) -> Verdict:
        """Cancel an order that has not filled, and its bracket (CancelOrderErrorCode)."""
        now = self.now()
        if account_id not in self.book.accounts:
            return ACCOUNT_NOT_FOUND
        order = self.book.orders.get(order_id)
        if order is None or order.account_id != account_id:
            return Verdict(2)
        if order.state.is_final:
            return Verdict(5)
        if order.state is OrderState.SUBMITTING:
            return Verdict(3)
        rows = [order] if is_leg(order) else [order, *self.book.children(order)]
        self.book.commit(
            Change(
                market_at=now,
                orders=[replace(row, state=OrderState.CANCELLED, updated_market_at=now) for row in rows],
            )
        )
        return Verdict()

    def modify(
        self, account_id: int, order_id: int, quantity: int | None, limit: Decimal | None, stop: Decimal | None
    ) -> Verdict:
        """Change a resting order; None keeps what it has (ModifyOrderErrorCode)."""
        now = self.now()
        if account_id not in self.book.accounts:
            return ACCOUNT_NOT_FOUND
        order = self.book.orders.get(order_id)
        if order is None or order.account_id != account_id:
            return Verdict(2)
        contract = self.market.contract(order.contract_id, now)
        if order.state is not OrderState.WORKING or contract is None or (quantity is not None and quantity <= 0):
            return Verdict(3)
        price = limit if order.type is OrderType.LIMIT else stop
        changed = replace(order, quantity=quantity or order.quantity, updated_market_at=now)
        if price is not None:
            current = quote(self.market, contract, now)
            if current is None:
                return Verdict(3, CLOSED)
            if reason := reason_against_price(order.type, order.side, price, contract, current):
                return Verdict(3, reason)
            changed = replace(changed, price=to_ticks(price, contract.tick_size))
        self.book.commit(Change(market_at=now, orders=[changed]))
        self._fill_if_crossing(changed, contract, now)
        return Verdict()

    def close(self, account_id: int, contract_id: str, quantity: int | None = None) -> Verdict:
        """Close a position, or `quantity` of it, with a market order without tag; resting orders stay as they are.

        The codes are those of closeContract; InvalidCloseSize is 5 and moves the later ones up by one if `quantity`
        is given, as in partialCloseContract.
        """
        now = self.now()
        account = self.book.accounts.get(account_id)
        if account is None:
            return ACCOUNT_NOT_FOUND
        contract = self.market.contract(contract_id, now)
        if contract is None:
            return Verdict(3)
        held = self.book.holding(account_id, contract_id)
        if held is None:
            return Verdict(2)
        if quantity is not None and not 0 < quantity <= abs(held.quantity):
            return Verdict(5)
        if not self.market.is_open(contract, now):
            return Verdict(5 if quantity is None else 6, CLOSED)
        order = _exit_order(self.book.new_order_ids(1)[0], held, quantity or abs(held.quantity), now)
        self.book.commit(Change(market_at=now, orders=[order]))
        self._matcher.fill_at_market(order, now)
        return Verdict()

    def set_account(self, account_id: int, bracket_mode: BracketMode | None, can_trade: bool | None) -> bool:  # noqa: FBT001 - None keeps what it is
        """Change an account's settings, as its owner would in the platform; False if there is no such account."""
        account = self.book.accounts.get(account_id)
        if account is None:
            return False
        changed = replace(
            account,
            bracket_mode=bracket_mode or account.bracket_mode,
            can_trade=account.can_trade if can_trade is None else can_trade,
        )
        self.book.commit(Change(market_at=self.now(), accounts=[changed]))
        return True

    def _fill_if_crossing(self, order: Order, contract: Contract, now: datetime) -> None:
        current = quote(self.market, contract, now)
        if order.type is OrderType.LIMIT and current is not None:
            price = on_arrival(order.type, order.side, order.price, current)
            if price is not None and self.market.is_open(contract, now):
                self._matcher.fill(order, price, now)


def _exit_order(id_: int, held: Holding, quantity: int, now: datetime) -> Order:
    return Order(
        id=id_,
        account_id=held.account_id,
        contract_id=held.contract_id,
        state=OrderState.SUBMITTING,
        type=OrderType.MARKET,
        side=Side.SELL if held.quantity > 0 else Side.BUY,
        quantity=quantity,
        role=Role.EXIT,
        created_market_at=now,
        updated_market_at=now,
    )
