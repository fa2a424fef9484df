"""What one fill changes: the order, the position, the balance, and the orders it wakes, shrinks or ends."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import OrderState, OrderType, Role
from shared.domain.orders.position import Position, after_fill, in_money
from simulator.venue.fees import fees_of
from simulator.venue.records import Change, FillRecord, HoldingRecord, OrderRecord
from simulator.venue.state import VenueState, is_leg


@dataclass(frozen=True, slots=True)
class Execution:
    """A quantity that trades at a price in ticks; what is left of the order waits for `rest_market_at`."""

    quantity: int
    price: int
    at: datetime
    rest_market_at: datetime | None = None


def change_of(state: VenueState, contract: Contract, order: OrderRecord, execution: Execution) -> Change:
    """Return all that a fill changes, as one change.

    A bracket covers the filled quantity. [SIM], where nobody knows what the venue does: the legs take their price from
    the first fill and keep it while they grow with the next ones, so that a stop somebody moved stays where it is; legs
    that have ended do not come back for the rest of their entry; a leg that fills in part shrinks its sibling by as
    much, so that the two never close more than there is.
    """
    fills, holding, earned = _position_after(state, contract, order, execution)
    account = state.accounts[order.account_id]
    filled = _filled(order, execution)
    return Change(
        market_at=execution.at,
        accounts=[replace(account, balance=account.balance + earned)],
        orders=[filled, *_followers(state, filled, execution), *_orphans(state, filled, holding, execution.at)],
        fills=fills,
        holdings=[holding],
    )


def average(before: Fraction | None, quantity: int, execution: Execution) -> Fraction:
    """Return the average price of what had filled before, `quantity` at `before`, and of an execution."""
    return ((before or 0) * quantity + Fraction(execution.price) * execution.quantity) / (quantity + execution.quantity)


def _filled(order: OrderRecord, execution: Execution) -> OrderRecord:
    quantity = order.filled_quantity + execution.quantity
    is_whole = quantity == order.quantity
    return replace(
        order,
        state=OrderState.FILLED if is_whole else OrderState.WORKING,
        filled_quantity=quantity,
        fill_price=average(order.fill_price, order.filled_quantity, execution),
        resumes_market_at=None if is_whole else execution.rest_market_at,
        updated_market_at=execution.at,
    )


def _position_after(
    state: VenueState, contract: Contract, order: OrderRecord, execution: Execution
) -> tuple[list[FillRecord], HoldingRecord, Decimal]:
    held = state.holding(order.account_id, order.contract_id)
    before = held.position if held else Position()
    after, parts = after_fill(before, order.side, execution.quantity, execution.price)
    fills = []
    for part in parts:
        fees, commissions = fees_of(contract.root, part.quantity)
        fills.append(
            FillRecord(
                id=state.new_fill_id(), order_id=order.id, account_id=order.account_id, contract_id=order.contract_id,
                side=order.side, quantity=part.quantity, price=execution.price,
                gross_pnl=None if part.realised is None else in_money(part.realised, contract.tick_value),
                fees=fees, commissions=commissions, filled_market_at=execution.at,
            )
        )  # fmt: skip
    goes_on = held is not None and before.quantity * after.quantity >= 0
    holding = HoldingRecord(
        id=held.id if held and goes_on else state.new_holding_id(),
        account_id=order.account_id,
        contract_id=order.contract_id,
        opened_market_at=held.opened_market_at if held and goes_on else execution.at,
        quantity=after.quantity,
        average_price=after.average_price,
    )
    earned = sum(((fill.gross_pnl or 0) - fill.fees - fill.commissions for fill in fills), start=Decimal(0))
    return fills, holding, earned


def _followers(state: VenueState, order: OrderRecord, execution: Execution) -> list[OrderRecord]:
    """Return the orders that a fill wakes or grows (its bracket, the target first), shrinks or ends (the other leg)."""
    if order.parent_order_id is not None and is_leg(order):
        siblings = [row for row in state.children(order.parent_order_id) if row.id != order.id]
        return [_lessened(row, order, execution) for row in siblings]
    return [_covering(row, execution) for row in reversed(state.children(order.id))]


def _lessened(sibling: OrderRecord, leg: OrderRecord, execution: Execution) -> OrderRecord:
    left = sibling.quantity - execution.quantity
    if leg.state is OrderState.FILLED or left <= sibling.filled_quantity:
        return cancelled(sibling, execution.at)
    return replace(sibling, quantity=left, updated_market_at=execution.at)


def _covering(leg: OrderRecord, execution: Execution) -> OrderRecord:
    if leg.state is not OrderState.SUSPENDED:
        return replace(leg, quantity=leg.quantity + execution.quantity, updated_market_at=execution.at)
    ticks = leg.bracket_ticks or 0
    return replace(
        leg,
        state=OrderState.WORKING,
        quantity=execution.quantity,
        price=execution.price + ticks,
        trail_ticks=abs(ticks) if leg.type is OrderType.TRAILING_STOP else None,
        updated_market_at=execution.at,
    )


def _orphans(state: VenueState, order: OrderRecord, holding: HoldingRecord, at: datetime) -> list[OrderRecord]:
    """Return the legs that a closing ends: none, unless the account says so."""
    if order.role is not Role.EXIT or holding.quantity or not state.accounts[order.account_id].close_cancels_legs:
        return []
    return [cancelled(row, at) for row in state.alive_of(order.account_id, order.contract_id) if is_leg(row)]


def cancelled(order: OrderRecord, at: datetime) -> OrderRecord:
    """Return the order as it is once it is cancelled."""
    return replace(order, state=OrderState.CANCELLED, resumes_market_at=None, updated_market_at=at)
