"""The firm's rules applied to the state: loss limits, the close-out at 15:10, and the end of the day."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.market_data.contract import root_of_contract
from shared.domain.orders.matching import Move
from shared.domain.orders.order import OrderState, OrderType, Role, Side
from shared.domain.orders.stake import Stake, first_touch
from simulator.market.market import Market, find_quote
from simulator.venue import rules
from simulator.venue.filling import to_cancelled
from simulator.venue.placing import OrderTerms
from simulator.venue.records import AccountRecord, Change, HoldingRecord, OrderRecord
from simulator.venue.state import VenueState, is_leg

_TOO_LATE_TO_ENTER = "No new positions after 15:08 CT: everything must be closed by 15:10 CT."
_CLOSED_UNTIL_REOPEN = "Trading is closed until 17:00 CT: everything must be closed by 15:10 CT."


@dataclass(frozen=True, slots=True)
class Breach:
    """An account that reaches a loss limit at a market instant; `is_violation` means for good."""

    account_id: int
    at: datetime
    is_violation: bool


class RuleEnforcer:
    """Watches the accounts that have loss limits, and closes the day for all accounts."""

    def __init__(self, state: VenueState, market: Market) -> None:
        self._state = state
        self._market = market
        self._flat_by: dict[str, datetime] = {}
        self._day_begins: datetime | None = None

    def watched_contracts(self) -> set[str]:
        """Return the contracts held by accounts with a loss limit."""
        return {row.contract_id for row in self._state.holdings() if self._has_loss_limit(row.account_id)}

    def next_deadline(self, after: datetime) -> datetime:
        """Return the next instant at which time alone causes a change: a contract must be flat, or a day begins."""
        if self._day_begins is None or self._day_begins <= after:
            self._day_begins = rules.next_day_begins(after)
        return min([self._day_begins, *(self._next_flat_by(row, after) for row in self._exposed_contracts())])

    def apply_deadline(self, at: datetime) -> None:
        """Apply a deadline to all accounts in one change: cancel and close, or begin a new day.

        Each contract has its own deadline for orders and positions; the closing orders fill like any other, some
        milliseconds later. [SIM] The real firm begins about ten seconds earlier.
        """
        closing = {contract_id for contract_id in self._exposed_contracts() if self._flat_by.get(contract_id) == at}
        orders = [row for account_id in self._state.accounts for row in self._close_out(account_id, closing, at)]
        accounts = [] if at != self._day_begins else [
            replace(account, loss_state=loss_state)
            for account in self._state.accounts.values()
            if (loss_state := rules.next_day_loss_state(account)) != account.loss_state
        ]  # fmt: skip
        if orders or accounts:
            self._state.commit(Change(market_at=at, accounts=accounts, orders=orders))

    def first_breach(self, current: Mapping[str, Move], start: datetime, end: datetime) -> Breach | None:
        """Return the first breach of a loss limit in [start, end), while prices follow `current` or stay."""
        found = []
        for account in self._state.accounts.values():
            limit = rules.least_equity(account)
            if limit is None:
                continue
            stakes = [self._make_stake(row, current, start, end) for row in self._state.holdings(account.id)]
            at = first_touch(limit[0], account.balance, stakes, start, end)
            if at is not None:
                found.append(Breach(account.id, at, limit[1]))
        return min(found, key=lambda breach: breach.at, default=None)

    def end_trading(self, breach: Breach) -> None:
        """Cancel all orders, close all positions, and bar the account from trading: for the day, or for good."""
        account = self._state.accounts[breach.account_id]
        loss_state = replace(
            account.loss_state,
            is_violated=account.loss_state.is_violated or breach.is_violation,
            is_locked=account.loss_state.is_locked or not breach.is_violation,
        )
        orders = self._close_out(account.id, None, breach.at)
        self._state.commit(
            Change(market_at=breach.at, accounts=[replace(account, loss_state=loss_state)], orders=orders)
        )

    def find_clock_rejection(self, wanted: OrderTerms, account: AccountRecord, at: datetime) -> str | None:
        """Return the rejection of an order because of the time, or None. [SIM] The venue's texts are unknown."""
        held = self._state.holding(account.id, wanted.contract_id)
        opens = rules.is_opening(held.quantity if held else 0, wanted.side, wanted.quantity)
        root = root_of_contract(wanted.contract_id)
        event = rules.find_blocking_event(self._state.behaviour.events, root, at)
        if opens and event is not None:
            return f"No new positions in equity index minis within 5 minutes of {event}."
        contract = None if self._market.is_always_open else self._market.contract(wanted.contract_id, at)
        if contract is None:
            return None
        session = self._market.session(contract, at)
        if session.opens <= at and at >= rules.flat_by(session):
            return _CLOSED_UNTIL_REOPEN
        is_late = session.opens <= at and at >= rules.last_entry(session)
        return _TOO_LATE_TO_ENTER if is_late and opens else None

    def find_size_rejection(self, wanted: OrderTerms, account: AccountRecord) -> str | None:
        """Return the rejection of an order that is too large for its account, or None; bracket legs do not count."""
        held = {row.contract_id: _micros(row.contract_id, row.quantity) for row in self._state.holdings(account.id)}
        working: dict[str, int] = {}
        for row in self._state.list_alive(account.id):
            if row.side is wanted.side and not is_leg(row) and row.role is not Role.EXIT:
                working[row.contract_id] = working.get(row.contract_id, 0) + _micros(row.contract_id, row.open_quantity)
        before = rules.micros_on_side(held, working, wanted.side)
        more = _micros(wanted.contract_id, wanted.quantity)
        working[wanted.contract_id] = working.get(wanted.contract_id, 0) + more
        after, most = rules.micros_on_side(held, working, wanted.side), rules.max_micros(account)
        if after <= most or after <= before:
            return None
        return f"Maximum position exceeded: {most} micros are allowed, a mini is ten, this would make {after}."

    def _close_out(self, account_id: int, contracts: set[str] | None, at: datetime) -> list[OrderRecord]:
        """Return an account's cancelled orders and its closing orders, in some contracts or all (None)."""
        ended = [
            to_cancelled(row, at)
            for row in self._state.list_alive(account_id)
            if (contracts is None or row.contract_id in contracts) and row.role is not Role.EXIT
        ]
        held = [row for row in self._state.holdings(account_id) if contracts is None or row.contract_id in contracts]
        ids = self._state.new_order_ids(len(held))
        return ended + [exit_order(id_, row, abs(row.quantity), at) for id_, row in zip(ids, held, strict=True)]

    def _exposed_contracts(self) -> set[str]:
        if self._market.is_always_open:
            return set()
        rows = (self._state.alive.values(), self._state.holdings())
        return {row.contract_id for some in rows for row in some}

    def _next_flat_by(self, contract_id: str, after: datetime) -> datetime:
        known = self._flat_by.get(contract_id)
        if known is not None and known > after:
            return known
        contract = self._market.contract(contract_id, after)
        if contract is None:
            raise LookupError(f"the contract {contract_id} of an order or a position is not in this market")
        session = self._market.session(contract, after)
        found = rules.flat_by(session)
        if found <= after:
            found = rules.flat_by(self._market.session(contract, session.closes))
        self._flat_by[contract_id] = found
        return found

    def _has_loss_limit(self, account_id: int) -> bool:
        return rules.least_equity(self._state.accounts[account_id]) is not None

    def _make_stake(self, row: HoldingRecord, current: Mapping[str, Move], start: datetime, end: datetime) -> Stake:
        move = current.get(row.contract_id)
        if move is None:
            contract = self._market.contract(row.contract_id, start)
            now = find_quote(self._market, contract, start) if contract else None
            last = now.last if now else round(row.average_price)
            move = Move(start, end, last, last, is_rising=False)
        return Stake(row.quantity, row.average_price, root_of_contract(row.contract_id).tick_value, move)


def exit_order(id_: int, held: HoldingRecord, quantity: int, at: datetime) -> OrderRecord:
    """Return the market order that closes `quantity` of a position; it fills at most the position left by then."""
    return OrderRecord(
        id=id_,
        account_id=held.account_id,
        contract_id=held.contract_id,
        state=OrderState.SUBMITTING,
        type=OrderType.MARKET,
        side=Side.SELL if held.quantity > 0 else Side.BUY,
        quantity=quantity,
        role=Role.EXIT,
        created_market_at=at,
        updated_market_at=at,
    )


def _micros(contract_id: str, quantity: int) -> int:
    return rules.count_micros(root_of_contract(contract_id).name, quantity)
