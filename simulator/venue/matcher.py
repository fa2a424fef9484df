"""The matching of orders up to a market instant, in the order of market time."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.market_data.contract import Contract
from shared.domain.market_data.coverage import Span
from shared.domain.orders.matching import Move, PriceHit, find_fill, trail_stop
from shared.domain.orders.order import OrderState, OrderType, Role
from simulator.faults import Fault
from simulator.market.market import Market, find_moves, find_quote
from simulator.venue.filling import Execution, fill_change, to_cancelled
from simulator.venue.records import Change, OrderRecord
from simulator.venue.rule_enforcer import RuleEnforcer
from simulator.venue.state import VenueState

DrawFault = Callable[[str], Fault | None]
_MARKET_AFTER_REST = {OrderType.MARKET, OrderType.STOP, OrderType.TRAILING_STOP}  # a triggered stop is a market order


class Matcher:
    """Follows the path of the prices since the last call, also over a time in which the process was down.

    It proceeds in pieces that end where something may happen: a move ends, a market order is due, a deadline of the
    rules comes (15:10, 17:00). Within a piece each price moves straight, so the first order or loss limit it reaches
    is found without a search of every tick.
    """

    def __init__(
        self, state: VenueState, market: Market, rule_enforcer: RuleEnforcer, latency: timedelta, speed: int
    ) -> None:
        self.draw_fault: DrawFault = lambda _: None  # set by Venue.draw_fill_faults_from
        self._state = state
        self._market = market
        self._rule_enforcer = rule_enforcer
        self._latency = latency * speed  # market time from the acceptance of a market order to its fill
        self._speed = speed
        self._paths: dict[str, deque[Move]] = {}
        # The journal has every change, so nothing happened after its last one.
        self.matched_until = state.changed_market_at

    def advance(self, now: datetime) -> None:
        """Match every order up to `now`; the past does not change."""
        self._paths.clear()
        while self._advance_once(now):
            pass

    def fill(self, order: OrderRecord, price: int, at: datetime) -> None:
        """Fill an order at a price, whole, or with the fault `partial_fill` one half now and the rest later.

        The fault is drawn for every fill of more than one contract, so two faults make three fills; its `seconds` are
        machine time. After them the rest of a market order or a triggered stop fills at market; the rest of a limit
        order rests.
        """
        quantity = order.open_quantity
        fault = self.draw_fault("partial_fill") if quantity > 1 else None
        rest_at = at + timedelta(seconds=fault.seconds) * self._speed if fault else None
        execution = Execution(quantity // 2 if fault else quantity, price, at, rest_at)
        contract = self._contract(order.contract_id, at)
        self._state.commit(fill_change(self._state, contract, order, execution))

    def _advance_once(self, now: datetime) -> bool:
        """Advance to the next thing that happens, at most to `now`; return False once `now` is reached."""
        due = min(
            ((self._due_at(row), row.id) for row in self._state.alive.values() if self._is_timed(row)), default=None
        )
        if due and due[0] <= self.matched_until:
            self._fill_at_market(self._state.orders[due[1]], self.matched_until)
            return True
        if self.matched_until >= now:
            return False
        start = self.matched_until
        deadline = self._rule_enforcer.next_deadline(start)
        end = min(now, deadline, due[0] if due else now, *self._rest_instants(start))
        end, current = self._moves_until(start, end, now)
        hit = self._first_hit(current, start)
        breach = self._rule_enforcer.first_breach(current, start, end)
        if breach and (hit is None or breach.at < hit[0].at):
            self.matched_until = breach.at
            self._rule_enforcer.end_trading(breach)
        elif hit:
            self.matched_until = hit[0].at
            self.fill(hit[1], self._add_slippage(hit[1], hit[0].price), hit[0].at)
        else:
            self._move_trailing_stops(current, end)
            self.matched_until = end
            if end == deadline:
                self._rule_enforcer.apply_deadline(deadline)
        return True

    def _is_timed(self, order: OrderRecord) -> bool:
        is_triggered = order.resumes_market_at is not None and order.type in _MARKET_AFTER_REST
        return order.state is OrderState.SUBMITTING or is_triggered

    def _due_at(self, order: OrderRecord) -> datetime:
        return order.resumes_market_at or order.created_market_at + self._latency

    def _rest_instants(self, after: datetime) -> list[datetime]:
        return [at for row in self._state.alive.values() if (at := row.resumes_market_at) and at > after]

    def _moves_until(self, start: datetime, end: datetime, now: datetime) -> tuple[datetime, dict[str, Move]]:
        """Return an end, at most `end`, until which every price moves straight, and these moves by contract."""
        found: dict[str, Move] = {}
        for contract_id in self._watched_contracts():
            path = self._path(contract_id, start, now)
            while path and path[0].end <= start:
                path.popleft()
            if path and path[0].start <= start:
                found[contract_id] = path[0]
                end = min(end, path[0].end)
            elif path:
                end = min(end, path[0].start)
        return end, {contract_id: move.clip(start, end) for contract_id, move in found.items()}

    def _watched_contracts(self) -> set[str]:
        return {order.contract_id for order in self._state.alive.values()} | self._rule_enforcer.watched_contracts()

    def _path(self, contract_id: str, start: datetime, now: datetime) -> deque[Move]:
        if contract_id not in self._paths:
            contract = self._contract(contract_id, now)
            self._paths[contract_id] = deque(find_moves(self._market, contract, Span(start, now)))
        return self._paths[contract_id]

    def _first_hit(self, current: dict[str, Move], start: datetime) -> tuple[PriceHit, OrderRecord] | None:
        at_touch = self._state.behaviour.limits_fill == "touch"
        hits = [
            (hit, order)
            for order in self._resting_orders(start)
            if order.price is not None
            and (move := current.get(order.contract_id))
            and (
                hit := find_fill(order.type, order.side, order.price, move, order.trail_ticks, is_touch_enough=at_touch)
            )
        ]
        return min(hits, key=lambda pair: (pair[0].at, pair[1].id), default=None)

    def _resting_orders(self, at: datetime) -> list[OrderRecord]:
        return [
            order
            for order in self._state.alive.values()
            if order.state is OrderState.WORKING
            and order.type is not OrderType.MARKET
            and (order.resumes_market_at is None or order.resumes_market_at <= at)
        ]

    def _move_trailing_stops(self, current: dict[str, Move], at: datetime) -> None:
        moved = []
        for order in self._resting_orders(at):
            move = current.get(order.contract_id)
            if move is None or order.price is None or order.trail_ticks is None:
                continue
            level = order.price
            for last in (move.start_price, move.end_price):
                level = trail_stop(order.side, level, order.trail_ticks, last)
            if level != order.price:
                moved.append(replace(order, price=level, updated_market_at=at))
        if moved:
            self._state.commit(Change(market_at=at, orders=moved))

    def _fill_at_market(self, order: OrderRecord, at: datetime) -> None:
        if order.role is Role.EXIT and self._state.behaviour.serialises_closes:
            capped = self._cap_to_position(order)
            if not capped.open_quantity:
                self._state.commit(Change(market_at=at, orders=[to_cancelled(order, at)]))
                return
            order = capped
        now = find_quote(self._market, self._contract(order.contract_id, at), at)
        if now is None:
            raise LookupError(f"no price of {order.contract_id} at {at} for the accepted order {order.id}")
        self.fill(order, self._add_slippage(order, now.price_for(order.side)), at)

    def _add_slippage(self, order: OrderRecord, price: int) -> int:
        """Return the price worsened by `slippage_ticks`; limit orders have no slippage."""
        worse = self._state.behaviour.slippage_ticks if order.type in _MARKET_AFTER_REST else 0
        return price + worse * order.side.sign

    def _cap_to_position(self, order: OrderRecord) -> OrderRecord:
        """Return an exit order of at most the position left: another order may have closed a part of it."""
        held = self._state.holding(order.account_id, order.contract_id)
        left = max(0, -order.side.sign * held.quantity) if held else 0
        return replace(order, quantity=order.filled_quantity + min(order.open_quantity, left))

    def _contract(self, contract_id: str, at: datetime) -> Contract:
        contract = self._market.contract(contract_id, at)
        if contract is None:
            raise LookupError(f"the contract {contract_id} of an order is not in this market")
        return contract
