"""The account of a backtest: its orders, its position, its balance, and what each fill does to them."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from math import ceil, floor

from shared.domain.market_data.contract import Contract
from shared.domain.orders.matching import Quote
from shared.domain.orders.order import OrderType, Role, Side
from shared.domain.orders.position import Position, apply_fill, to_dollars
from shared.domain.trades.round_trip import Fill
from shared.domain.trades.rounding import CENT
from strategies.backtest.loss_limits import LimitTouch, LossLimits
from strategies.backtest.orders import WorkingOrder, legs_of
from strategies.backtest.terms import Costs

_SLIPPING = {OrderType.MARKET, OrderType.STOP}
_IDS_OF_AN_ORDER = 3  # its own, and those of its stop and its target


@dataclass(slots=True, kw_only=True)
class Book:
    """Everything that fills change. `fills` are those since they were taken last, `filled` the ids of their orders."""

    contract: Contract
    costs: Costs
    strategy: str
    balance: Decimal
    limits: LossLimits | None
    position: Position = field(default_factory=Position)
    opened_at: datetime | None = None
    orders: list[WorkingOrder] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    filled: list[int] = field(default_factory=list)
    entry_count: int = 0
    day_lock_count: int = 0
    _order_id: int = 1 - _IDS_OF_AN_ORDER
    _fill_id: int = 0
    _loss_facts: tuple[Position, Decimal, LossLimits | None] | None = None
    _loss_price: int | None = None

    def copy(self) -> "Book":
        """Return a book that changes by itself."""
        return replace(self, orders=list(self.orders), fills=list(self.fills), filled=list(self.filled))

    def new_order_id(self) -> int:
        """Take the next id of an order; the two after it are those of its stop and its target."""
        self._order_id += _IDS_OF_AN_ORDER
        return self._order_id

    def take_fills(self) -> list[Fill]:
        """Return the fills since the last call."""
        found, self.fills, self.filled = self.fills, [], []
        return found

    @property
    def is_idle(self) -> bool:
        """Whether nothing is held and nothing works."""
        return not self.position.quantity and not self.orders

    def next_due(self) -> WorkingOrder | None:
        """Return the market order that fills next."""
        due = [one for one in self.orders if one.due_at is not None] if self.orders else None
        return None if not due else min(due, key=lambda one: (one.due_at, one.id))

    def open_result(self, price: int) -> Decimal:
        """Return the open result at a price in ticks, before costs, half-even to the cent."""
        held, tick_value = self.position, self.contract.tick_value
        if held.average_price.denominator == 1:
            return (held.quantity * (price - held.average_price.numerator) * tick_value).quantize(CENT, ROUND_HALF_EVEN)
        return to_dollars(held.quantity * (price - held.average_price), tick_value)

    def loss_price(self) -> int | None:
        """Return the price in ticks at which the equity touches a loss limit; None while flat or without a limit."""
        facts = (self.position, self.balance, self.limits)
        if facts != self._loss_facts:
            self._loss_facts, self._loss_price = facts, self._find_loss_price()
        return self._loss_price

    def _find_loss_price(self) -> int | None:
        held, least = self.position, self.limits.least_equity() if self.limits else None
        if least is None or not held.quantity:
            return None
        room = Fraction(least[0] - self.balance) / (held.quantity * Fraction(self.contract.tick_value))
        return (floor if held.quantity > 0 else ceil)(held.average_price + room)

    def fill_at_market(self, order: WorkingOrder, quote: Quote, at: datetime) -> None:
        """Fill a market order at the quote; one that only closes takes at most what is held."""
        if order.role is Role.EXIT:
            left = max(0, -order.side.sign * self.position.quantity)
            if not left:
                self.orders.remove(order)
                return
            self.fill(order, quote.price_for(order.side), at, quantity=min(order.quantity, left))
            return
        self.fill(order, quote.price_for(order.side), at)

    def fill(self, order: WorkingOrder, price: int, at: datetime, *, quantity: int | None = None) -> None:
        """Fill an order whole at a price in ticks, worsened by the slippage unless it is a limit order."""
        if order.type in _SLIPPING:
            price += self.costs.slippage_ticks * order.side.sign
        size = order.quantity if quantity is None else quantity
        before = self.position
        self.position, parts = apply_fill(before, order.side, size, price)
        if self.position.quantity * before.quantity <= 0:
            self.opened_at = at if self.position.quantity else None
        closed = opened = 0
        for part in parts:
            gross = None if part.realised is None else to_dollars(part.realised, self.contract.tick_value)
            self._record(order, part.quantity, price, gross, at)
            closed, opened = (closed, part.quantity) if gross is None else (part.quantity, opened)
        self.filled.append(order.id)
        self.orders = [one for one in self.orders if one.group != order.group]
        if order.is_leg:
            return
        self._shrink_legs(closed)
        if opened:
            self.entry_count += 1
            self.orders += legs_of(order, opened, price)

    def cancel_all(self) -> None:
        """Cancel every order that is not closing the position already."""
        self.orders = [one for one in self.orders if one.role is Role.EXIT]

    def close_all(self, at: datetime) -> None:
        """Cancel everything and close the position at the market."""
        self.cancel_all()
        if self.position.quantity:
            self.close(abs(self.position.quantity), at)

    def close(self, quantity: int, at: datetime) -> None:
        """Close a part of the position at the market; its stops and targets shrink as it fills."""
        id_ = self.new_order_id()
        self.orders.append(
            WorkingOrder(
                id=id_, role=Role.EXIT, type=OrderType.MARKET, quantity=quantity, group=id_,
                side=Side.SELL if self.position.quantity > 0 else Side.BUY, due_at=at + self.costs.latency,
            )
        )  # fmt: skip

    def end_trading(self, breach: LimitTouch) -> None:
        """Close everything because the equity touched a limit, and enter nothing more: today, or for good."""
        if self.limits is not None:
            self.limits = self.limits.apply(breach)
            self.day_lock_count += not breach.is_final
        self.close_all(breach.at)

    def _record(self, order: WorkingOrder, quantity: int, price: int, gross: Decimal | None, at: datetime) -> None:
        self._fill_id += 1
        fees, commissions = self.costs.fees * quantity, self.costs.commissions * quantity
        self.balance += (gross or 0) - fees - commissions
        self.fills.append(
            Fill(
                id=self._fill_id, side=order.side, quantity=quantity, price=price * self.contract.tick_size,
                fees=fees, commissions=commissions, gross_pnl=gross, is_voided=False, filled_market_at=at,
                strategy=self.strategy,
            )
        )  # fmt: skip

    def _shrink_legs(self, closed: int) -> None:
        """Take what an order has closed from the stops and targets, those of the oldest entry first."""
        groups = {one.group: one.quantity for one in self.orders if one.is_leg}
        cut = {}
        for group, quantity in groups.items():
            cut[group] = min(closed, quantity)
            closed -= cut[group]
        changed = [replace(one, quantity=one.quantity - cut.get(one.group, 0)) for one in self.orders]
        self.orders = [one for one in changed if one.quantity]
