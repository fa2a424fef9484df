"""The venue: the requests of an account, answered with the error codes of the API."""

import asyncio
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from decimal import Decimal

from shared.domain.market_data.bar import to_ticks
from shared.domain.market_data.contract import Contract
from shared.domain.orders.matching import Quote, fill_price_on_arrival
from shared.domain.orders.order import OrderState, OrderType
from simulator.market.clocks import Clock, SteppedClock
from simulator.market.market import Market, find_quote
from simulator.market.script import Script, Step
from simulator.market.scripted import ScriptedMarket
from simulator.venue.accounts import AccountKind, new_account
from simulator.venue.behaviour import Behaviour
from simulator.venue.filling import to_cancelled
from simulator.venue.journal import Journal
from simulator.venue.matcher import DrawFault, Matcher
from simulator.venue.placing import (
    CLOSED,
    NO_LAST,
    NO_TRAIL,
    OrderTerms,
    PlacingContext,
    find_price_rejection,
    find_rejection,
    find_trail_rejection,
    make_accepted_rows,
    make_rejected_row,
    trail_ticks,
    with_trail,
)
from simulator.venue.records import AccountRecord, AccountSettings, Change, HoldingRecord, OrderRecord
from simulator.venue.rule_enforcer import RuleEnforcer, exit_order
from simulator.venue.state import VenueState, is_leg
from simulator.venue.venue_answer import ACCOUNT_NOT_FOUND, VenueAnswer, refuse_trading, refuse_without_row

_AT_ONCE = timedelta(minutes=10)  # of market time: matching it takes a few milliseconds
_LATENCY = timedelta(milliseconds=10)  # machine time from acceptance to the fill of a market order


@dataclass(frozen=True, slots=True, kw_only=True)
class Modification:
    """The requested changes of an order; None keeps the value. `trail` is the initial level of a trailing stop."""

    quantity: int | None = None
    limit: Decimal | None = None
    stop: Decimal | None = None
    trail: Decimal | None = None


_REJECTED = 2
_FOLLOWER = "Follower accounts cannot cancel orders"
_LIVE = "Live accounts not supported"


class Venue:
    """Accounts that trade one market. Every request first matches the due orders."""

    def __init__(self, market: Market, clock: Clock, journal: Journal) -> None:
        self.clock = clock
        self.state = VenueState(journal, clock.now())
        self.market = ScriptedMarket(market)
        for script in self.state.scripts:
            self.market.play(script)
        self._rule_enforcer = RuleEnforcer(self.state, self.market)
        self._matcher = Matcher(self.state, self.market, self._rule_enforcer, _LATENCY, clock.speed)

    def now(self) -> datetime:
        """Match the due orders and return the market time, which never goes back."""
        now = self.read_clock()
        self._matcher.advance(now)
        return now

    def read_clock(self) -> datetime:
        """Return the market time without matching anything."""
        return max(self.clock.now(), self._matcher.matched_until)

    async def catch_up(self) -> None:
        """Match the due orders up to some minutes ago, and let others be served meanwhile.

        After a pause of days `now` would match all of them at once.
        """
        while self.clock.now() - self._matcher.matched_until > _AT_ONCE:
            self._matcher.advance(self._matcher.matched_until + _AT_ONCE)
            await asyncio.sleep(0)

    def draw_fill_faults_from(self, draw_fault: DrawFault) -> None:
        """Draw the faults of fills from `draw_fault`: see Matcher.fill."""
        self._matcher.draw_fault = draw_fault

    def place(self, wanted: OrderTerms) -> VenueAnswer:
        """Accept or reject an order (PlaceOrderErrorCode); code 2 leaves a rejected order and uses up the tag."""
        now = self.now()
        account = self.state.accounts.get(wanted.account_id)
        if account is None:
            return ACCOUNT_NOT_FOUND
        contract = self.market.contract(wanted.contract_id, now)
        if not account.may_trade or contract is None or not contract.is_active:
            return refuse_without_row(wanted, account, contract)
        current = self._quote(contract, now)
        context = PlacingContext(
            quote=current,
            clock_rejection=self._rule_enforcer.find_clock_rejection(wanted, account, now),
            size_rejection=self._rule_enforcer.find_size_rejection(wanted, account),
        )
        reason = find_rejection(wanted, account, contract, self.state, context)
        if reason == CLOSED and self.state.behaviour.closed_code != _REJECTED:
            return VenueAnswer(self.state.behaviour.closed_code, reason)
        if reason is not None or current is None:
            row = make_rejected_row(wanted, self.state, now)
            self.state.commit(Change(market_at=now, orders=[row]))
            return VenueAnswer(_REJECTED, reason, row.id)
        rows = make_accepted_rows(wanted, contract, current, self.state, now)
        self.state.commit(Change(market_at=now, orders=rows))
        entry = next(row for row in rows if row.parent_order_id is None)
        self._fill_if_crossing(entry, contract, now)
        return VenueAnswer(order_id=entry.id)

    def cancel(self, account_id: int, order_id: int) -> VenueAnswer:
        """Cancel an order that has not filled, and its suspended bracket children (CancelOrderErrorCode).

        The legs that protect a partial fill stay. [SIM] Cancelling one leg leaves the other alone.
        """
        now = self.now()
        account = self.state.accounts.get(account_id)
        if account is None:
            return ACCOUNT_NOT_FOUND
        order = self.state.orders.get(order_id)
        if order is None or order.account_id != account_id:
            return VenueAnswer(2)
        if account.is_follower or account.is_live:
            return VenueAnswer(6, _FOLLOWER if account.is_follower else _LIVE)
        if order.state.is_final:
            return VenueAnswer(5)
        if order.state is OrderState.SUBMITTING:
            return VenueAnswer(3)
        suspended = [row for row in self.state.children(order.id) if row.state is OrderState.SUSPENDED]
        rows = [order] if is_leg(order) else [order, *suspended]
        self.state.commit(Change(market_at=now, orders=[to_cancelled(row, now) for row in rows]))
        return VenueAnswer()

    def modify(self, account_id: int, order_id: int, wanted: Modification) -> VenueAnswer:
        """Modify a resting order (ModifyOrderErrorCode); one leg of a bracket leaves the other alone.

        [SIM] A suspended leg cannot be modified, and the new quantity must exceed the filled quantity.
        """
        now = self.now()
        account, order = self.state.accounts.get(account_id), self.state.orders.get(order_id)
        if account is None:
            return ACCOUNT_NOT_FOUND
        if order is None or order.account_id != account_id:
            return VenueAnswer(2)
        contract = self.market.contract(order.contract_id, now)
        if not account.may_trade or contract is None:
            return VenueAnswer(6, refuse_trading(account).message) if contract else VenueAnswer(7)
        quantity = order.quantity if wanted.quantity is None else wanted.quantity
        if order.state is not OrderState.WORKING or quantity <= order.filled_quantity:
            return VenueAnswer(3)
        changed = self._change_price(order, wanted, contract, now)
        if isinstance(changed, VenueAnswer):
            return changed
        changed = replace(changed, quantity=quantity, updated_market_at=now)
        self.state.commit(Change(market_at=now, orders=[changed]))
        self._fill_if_crossing(changed, contract, now)
        return VenueAnswer()

    def close(self, account_id: int, contract_id: str, quantity: int | None = None) -> VenueAnswer:
        """Close a position, or `quantity` of it, with a market order without a tag.

        Resting orders stay, unless the account's `close_cancels_legs` cancels the legs once the position is flat. The
        closing order fills like any market order, at most the position left. The codes are those of closeContract; with
        `quantity` they are those of partialCloseContract: 5 is InvalidCloseSize, and the codes after it are one higher.
        [SIM] An account that may not trade may still close.
        """
        now = self.now()
        account, contract = self.state.accounts.get(account_id), self.market.contract(contract_id, now)
        if account is None:
            return ACCOUNT_NOT_FOUND
        if contract is None:
            return VenueAnswer(3)
        held = self.state.holding(account_id, contract_id)
        reason = self._find_close_rejection(account, contract, held, quantity)
        if reason is not None or held is None:
            return reason or VenueAnswer(2)
        order = exit_order(self.state.new_order_ids(1)[0], held, quantity or abs(held.quantity), now)
        self.state.commit(Change(market_at=now, orders=[order]))
        return VenueAnswer()

    def add_account(self, user: str, kind: AccountKind, *, balance: Decimal | None = None) -> AccountRecord:
        """Open an account for a user ("" is the user of the settings)."""
        account = new_account(self.state.new_account_id(), user, kind, balance)
        self.state.commit(Change(market_at=self.now(), accounts=[account]))
        return account

    def set_account(self, account_id: int, settings: AccountSettings) -> bool:
        """Change the settings of an account; return False for an unknown account.

        Another balance is a payout or a deposit, no result of the day.
        """
        now = self.now()
        account = self.state.accounts.get(account_id)
        if account is None:
            return False
        values = {field.name: getattr(settings, field.name) for field in fields(settings)}
        changed = replace(account, **{name: value for name, value in values.items() if value is not None})
        if settings.balance is not None and (began := account.loss_state.day_balance) is not None:
            began += settings.balance - account.balance
            changed = replace(changed, loss_state=replace(changed.loss_state, day_balance=began))
        self.state.commit(Change(market_at=now, accounts=[changed]))
        return True

    def play(self, contract_id: str, steps: list[Step]) -> Script:
        """Let the price of a contract follow steps from now on, also after a restart; after them it stays.

        Raise LookupError for a contract the market does not know.
        """
        now = self.now()
        if self.market.contract(contract_id, now) is None:
            raise LookupError(f"unknown contract {contract_id!r}: expected a contract of this market")
        script = Script(contract_id=contract_id, starts_market_at=now, steps=steps)
        self.state.commit(Change(market_at=now, scripts=[script]))
        self.market.play(script)
        return script

    def set_behaviour(self, behaviour: Behaviour) -> None:
        """Use this behaviour from now on, also after a restart."""
        self.state.commit(Change(market_at=self.now(), behaviour=behaviour))

    def step(self, duration: timedelta) -> datetime:
        """Advance a stepped clock and return the market time; raise ValueError for a clock that runs by itself."""
        if not isinstance(self.clock, SteppedClock):
            raise ValueError("cannot step: the time of this market runs by itself, start the simulator with --stepped")  # noqa: TRY004 - a wrong state, not a wrong type
        self.clock.advance_to(self.now() + duration)
        return self.now()

    def _quote(self, contract: Contract, now: datetime) -> Quote | None:
        """Return the quote, or None while the market is closed."""
        return find_quote(self.market, contract, now) if self.market.is_open(contract, now) else None

    def _find_close_rejection(
        self, account: AccountRecord, contract: Contract, held: HoldingRecord | None, quantity: int | None
    ) -> VenueAnswer | None:
        offset = 0 if quantity is None else 1
        if account.is_live:
            return VenueAnswer(8 + offset, _LIVE)
        if held is None or not contract.is_active:
            return VenueAnswer(2 if contract.is_active else 4)
        if quantity is not None and not 0 < quantity <= abs(held.quantity):
            return VenueAnswer(5)
        if not self.market.is_open(contract, self._matcher.matched_until):
            return VenueAnswer(5 + offset, None if offset else CLOSED)
        return None

    def _change_price(
        self, order: OrderRecord, wanted: Modification, contract: Contract, now: datetime
    ) -> OrderRecord | VenueAnswer:
        """Return the order at the requested price, or the refusal."""
        if order.type is OrderType.TRAILING_STOP:
            return self._change_trail(order, wanted.trail, contract, now)
        if wanted.trail is not None:
            return VenueAnswer(3, NO_TRAIL)
        price = wanted.limit if order.type is OrderType.LIMIT else wanted.stop
        if price is None:
            return order
        current = self._quote(contract, now)
        reason = find_price_rejection(order.type, order.side, price, contract, current) if current else CLOSED
        return VenueAnswer(3, reason) if reason else replace(order, price=to_ticks(price, contract.tick_size))

    def _change_trail(
        self, order: OrderRecord, price: Decimal | None, contract: Contract, now: datetime
    ) -> OrderRecord | VenueAnswer:
        if price is None:
            return order
        current = self._quote(contract, now)
        reason = find_trail_rejection(price, contract, current, most=None) if current else NO_LAST
        if current is None or reason:
            return VenueAnswer(3, reason)
        return with_trail(order, trail_ticks(price, contract, current), current)

    def _fill_if_crossing(self, order: OrderRecord, contract: Contract, now: datetime) -> None:
        current = self._quote(contract, now)
        if order.type is OrderType.LIMIT and current is not None and order.resumes_market_at is None:
            price = fill_price_on_arrival(order.type, order.side, order.price, current)
            if price is not None:
                self._matcher.fill(order, price, now)
