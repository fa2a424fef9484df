"""Brings the state up to a market instant: everything that happens on the way happens in the order of market time."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.market_data.contract import Contract
from shared.domain.market_data.coverage import Span
from shared.domain.orders.matching import Move, PriceHit, on_move, trailed
from shared.domain.orders.order import OrderState, OrderType, Role
from simulator.faults import Fault
from simulator.market.market import Market, moves, quote
from simulator.venue.filling import Execution, cancelled, change_of
from simulator.venue.records import Change, OrderRecord
from simulator.venue.rule_enforcer import RuleEnforcer
from simulator.venue.state import VenueState

Meet = Callable[[str], Fault | None]
_MARKET_AFTER_REST = {OrderType.MARKET, OrderType.STOP, OrderType.TRAILING_STOP}  # once triggered, a stop is at market


class Matcher:
    """Walks the path of the prices since the last time, also over the time the process was down.

    The way is cut where something may happen: a move ends, a market order falls due, a bell rings (15:10, 17:00). In
    between each price goes straight, so the first order or limit it meets is found without looking at every tick.
    """

    def __init__(
        self, state: VenueState, market: Market, rule_enforcer: RuleEnforcer, latency: timedelta, speed: int
    ) -> None:
        self.meet: Meet = lambda _: None  # faults; the program puts in those that tests arm
        self._state = state
        self._market = market
        self._rule_enforcer = rule_enforcer
        self._latency = latency * speed  # market time from a market order's acceptance to its fill
        self._speed = speed
        self._paths: dict[str, deque[Move]] = {}
        # Nothing happened after the last change that was written down, or it would have been written down.
        self.matched_until = state.changed_market_at

    def advance(self, now: datetime) -> None:
        """Match every order up to `now`; the past stays as it is."""
        self._paths.clear()
        while self._step(now):
            pass

    def fill(self, order: OrderRecord, price: int, at: datetime) -> None:
        """Fill an order at a price, whole, or with the fault `partial_fill` one half now and the rest after a while.

        The fault is met by every fill of more than one contract, so two of them make three fills; its `seconds` are
        machine time. What is left of a market order or a triggered stop then takes the market, of a limit it rests.
        """
        quantity = order.open_quantity
        fault = self.meet("partial_fill") if quantity > 1 else None
        rest_at = at + timedelta(seconds=fault.seconds) * self._speed if fault else None
        execution = Execution(quantity // 2 if fault else quantity, price, at, rest_at)
        contract = self._contract(order.contract_id, at)
        self._state.commit(change_of(self._state, contract, order, execution))

    def _step(self, now: datetime) -> bool:
        """Go on to the next thing that happens, at `now` at the latest; False when nothing more does until then."""
        due = min(((self._due(row), row.id) for row in self._state.alive.values() if self._is_timed(row)), default=None)
        if due and due[0] <= self.matched_until:
            self._fill_at_market(self._state.orders[due[1]], self.matched_until)
            return True
        if self.matched_until >= now:
            return False
        start = self.matched_until
        bell = self._rule_enforcer.next_bell(start)
        end = min(now, bell, due[0] if due else now, *self._rests(start))
        end, current = self._moves_until(start, end, now)
        hit = self._first_hit(current, start)
        breach = self._rule_enforcer.first_breach(current, start, end)
        if breach and (hit is None or breach.at < hit[0].at):
            self.matched_until = breach.at
            self._rule_enforcer.stop(breach)
        elif hit:
            self.matched_until = hit[0].at
            self.fill(hit[1], self._slipped(hit[1], hit[0].price), hit[0].at)
        else:
            self._trail(current, end)
            self.matched_until = end
            if end == bell:
                self._rule_enforcer.ring(bell)
        return True

    def _is_timed(self, order: OrderRecord) -> bool:
        is_triggered = order.resumes_market_at is not None and order.type in _MARKET_AFTER_REST
        return order.state is OrderState.SUBMITTING or is_triggered

    def _due(self, order: OrderRecord) -> datetime:
        return order.resumes_market_at or order.created_market_at + self._latency

    def _rests(self, after: datetime) -> list[datetime]:
        return [at for row in self._state.alive.values() if (at := row.resumes_market_at) and at > after]

    def _moves_until(self, start: datetime, end: datetime, now: datetime) -> tuple[datetime, dict[str, Move]]:
        """Return an end at or before `end` up to which every price goes straight, and those moves by contract."""
        found: dict[str, Move] = {}
        for contract_id in self._watched():
            path = self._path(contract_id, start, now)
            while path and path[0].end <= start:
                path.popleft()
            if path and path[0].start <= start:
                found[contract_id] = path[0]
                end = min(end, path[0].end)
            elif path:
                end = min(end, path[0].start)
        return end, {contract_id: move.clipped(start, end) for contract_id, move in found.items()}

    def _watched(self) -> set[str]:
        return {order.contract_id for order in self._state.alive.values()} | self._rule_enforcer.watched()

    def _path(self, contract_id: str, start: datetime, now: datetime) -> deque[Move]:
        if contract_id not in self._paths:
            contract = self._contract(contract_id, now)
            self._paths[contract_id] = deque(moves(self._market, contract, Span(start, now)))
        return self._paths[contract_id]

    def _first_hit(self, current: dict[str, Move], start: datetime) -> tuple[PriceHit, OrderRecord] | None:
        at_touch = self._state.behaviour.limits_fill == "touch"
        hits = [
            (hit, order)
            for order in self._resting(start)
            if order.price is not None
            and (move := current.get(order.contract_id))
            and (hit := on_move(order.type, order.side, order.price, move, order.trail_ticks, is_touch_enough=at_touch))
        ]
        return min(hits, key=lambda pair: (pair[0].at, pair[1].id), default=None)

    def _resting(self, at: datetime) -> list[OrderRecord]:
        return [
            order
            for order in self._state.alive.values()
            if order.state is OrderState.WORKING
            and order.type is not OrderType.MARKET
            and (order.resumes_market_at is None or order.resumes_market_at <= at)
        ]

    def _trail(self, current: dict[str, Move], at: datetime) -> None:
        moved = []
        for order in self._resting(at):
            move = current.get(order.contract_id)
            if move is None or order.price is None or order.trail_ticks is None:
                continue
            level = order.price
            for last in (move.start_price, move.end_price):
                level = trailed(order.side, level, order.trail_ticks, last)
            if level != order.price:
                moved.append(replace(order, price=level, updated_market_at=at))
        if moved:
            self._state.commit(Change(market_at=at, orders=moved))

    def _fill_at_market(self, order: OrderRecord, at: datetime) -> None:
        if order.role is Role.EXIT:
            capped = self._capped(order)
            if not capped.open_quantity:
                self._state.commit(Change(market_at=at, orders=[cancelled(order, at)]))
                return
            order = capped
        now = quote(self._market, self._contract(order.contract_id, at), at)
        if now is None:
            raise LookupError(f"{order.contract_id} has no price at {at}, yet order {order.id} was accepted")
        self.fill(order, self._slipped(order, now.taken_by(order.side)), at)

    def _slipped(self, order: OrderRecord, price: int) -> int:
        """Return what an order gets that takes the market: as much worse as the venue's behaviour say."""
        worse = self._state.behaviour.slippage_ticks if order.type in _MARKET_AFTER_REST else 0
        return price + worse * order.side.sign

    def _capped(self, order: OrderRecord) -> OrderRecord:
        """Return an exit over no more than there still is to close: another order may have been faster."""
        held = self._state.holding(order.account_id, order.contract_id)
        left = max(0, -order.side.sign * held.quantity) if held else 0
        return replace(order, quantity=order.filled_quantity + min(order.open_quantity, left))

    def _contract(self, contract_id: str, at: datetime) -> Contract:
        contract = self._market.contract(contract_id, at)
        if contract is None:
            raise LookupError(f"the market does not know {contract_id}, yet there is an order for it")
        return contract
