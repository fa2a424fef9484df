"""The changes of one fill: the order, the position, the balance, and the bracket legs."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import OrderState, OrderType, Role
from shared.domain.orders.position import Position, apply_fill, to_dollars
from shared.domain.trades.fees import fees_of
from simulator.venue.records import Change, FillRecord, HoldingRecord, OrderRecord
from simulator.venue.state import VenueState, is_leg


@dataclass(frozen=True, slots=True)
class Execution:
    """A quantity that trades at a price in ticks; the rest of the order waits until `rest_market_at`."""

    quantity: int
    price: int
    at: datetime
    rest_market_at: datetime | None = None


def fill_change(state: VenueState, contract: Contract, order: OrderRecord, execution: Execution) -> Change:
    """Return all changes of a fill, as one change.

    A bracket covers the filled quantity. [SIM] The venue's behaviour is unknown here: the legs take their price from
    the first fill and keep it while they grow with the next fills, so that a moved stop stays where it is; legs that
    have ended do not return for the rest of their entry; a partly filled leg shrinks its sibling by the same quantity,
    so that the two never close more than the position.
    """
    fills, holding, earned = _update_position(state, contract, order, execution)
    account = state.accounts[order.account_id]
    filled = _apply_execution(order, execution, is_update=state.behaviour.fills_update_orders)
    return Change(
        market_at=execution.at,
        accounts=[replace(account, balance=account.balance + earned)],
        orders=[
            filled,
            *_update_bracket(state, filled, execution),
            *_cancel_orphaned_legs(state, filled, holding, execution.at),
        ],
        fills=fills,
        holdings=[holding],
    )


def average_price(before: Fraction | None, quantity: int, execution: Execution) -> Fraction:
    """Return the average price of `quantity` filled at `before` and of an execution."""
    return ((before or 0) * quantity + Fraction(execution.price) * execution.quantity) / (quantity + execution.quantity)


def _apply_execution(order: OrderRecord, execution: Execution, *, is_update: bool) -> OrderRecord:
    quantity = order.filled_quantity + execution.quantity
    is_whole = quantity == order.quantity
    return replace(
        order,
        state=OrderState.FILLED if is_whole else OrderState.WORKING,
        filled_quantity=quantity,
        fill_price=average_price(order.fill_price, order.filled_quantity, execution),
        resumes_market_at=None if is_whole else execution.rest_market_at,
        updated_market_at=execution.at if is_update else order.updated_market_at,
    )


def _update_position(
    state: VenueState, contract: Contract, order: OrderRecord, execution: Execution
) -> tuple[list[FillRecord], HoldingRecord, Decimal]:
    held = state.holding(order.account_id, order.contract_id)
    before = held.position if held else Position()
    after, parts = apply_fill(before, order.side, execution.quantity, execution.price)
    fills = []
    for part in parts:
        fees, commissions = fees_of(contract.root, part.quantity)
        fills.append(
            FillRecord(
                id=state.new_fill_id(), order_id=order.id, account_id=order.account_id, contract_id=order.contract_id,
                side=order.side, quantity=part.quantity, price=execution.price,
                gross_pnl=None if part.realised is None else to_dollars(part.realised, contract.tick_value),
                fees=fees, commissions=commissions, filled_market_at=execution.at,
            )
        )  # fmt: skip
    is_same_holding = held is not None and before.quantity * after.quantity >= 0
    holding = HoldingRecord(
        id=held.id if held and is_same_holding else state.new_holding_id(),
        account_id=order.account_id,
        contract_id=order.contract_id,
        opened_market_at=held.opened_market_at if held and is_same_holding else execution.at,
        quantity=after.quantity,
        average_price=after.average_price if after.quantity else before.average_price,
    )
    earned = sum(((fill.gross_pnl or 0) - fill.fees - fill.commissions for fill in fills), start=Decimal(0))
    return fills, holding, earned


def _update_bracket(state: VenueState, order: OrderRecord, execution: Execution) -> list[OrderRecord]:
    """Return the legs a fill activates or grows (its bracket, target first), or shrinks or cancels (the sibling)."""
    if order.parent_order_id is not None and is_leg(order):
        siblings = [row for row in state.children(order.parent_order_id) if row.id != order.id]
        return [_shrink_sibling(row, order, execution) for row in siblings]
    return [_cover_fill(row, execution) for row in reversed(state.children(order.id))]


def _shrink_sibling(sibling: OrderRecord, leg: OrderRecord, execution: Execution) -> OrderRecord:
    left = sibling.quantity - execution.quantity
    if leg.state is OrderState.FILLED or left <= sibling.filled_quantity:
        return to_cancelled(sibling, execution.at)
    return replace(sibling, quantity=left, updated_market_at=execution.at)


def _cover_fill(leg: OrderRecord, execution: Execution) -> OrderRecord:
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


def _cancel_orphaned_legs(
    state: VenueState, order: OrderRecord, holding: HoldingRecord, at: datetime
) -> list[OrderRecord]:
    """Return the legs cancelled because the position is closed: none unless `close_cancels_legs` is set."""
    if order.role is not Role.EXIT or holding.quantity or not state.accounts[order.account_id].close_cancels_legs:
        return []
    return [to_cancelled(row, at) for row in state.list_alive(order.account_id, order.contract_id) if is_leg(row)]


def to_cancelled(order: OrderRecord, at: datetime) -> OrderRecord:
    """Return the order in the state CANCELLED."""
    return replace(order, state=OrderState.CANCELLED, resumes_market_at=None, updated_market_at=at)
