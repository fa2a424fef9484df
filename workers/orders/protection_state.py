"""What protects a position by our rows: its size, its open orders, and what is missing or left over."""

from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import Connection

from shared.db.market_data import contracts
from shared.db.orders import changes, fills, orders, positions
from shared.db.orders.orders import OrderRow
from shared.db.orders.positions import PositionRow
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import ChangeKind, OrderState, Origin, Role
from shared.domain.orders.protection import ClosingOrder, ProtectionPlan, plan_protection

_CLOSERS = {Role.STOP_LOSS, Role.TAKE_PROFIT, Role.EXIT}
_UNCONFIRMED = {OrderState.CREATED, OrderState.SUBMITTING, OrderState.IN_DOUBT}


@dataclass(frozen=True, slots=True)
class ProtectionState:
    """The position and open orders of one contract in our rows; `quantity` is signed.

    `opened_by` is the role of the order of ours whose fill opened the position, None if that is none of ours, or if an
    entry of that side makes it one that was asked for.
    """

    account_id: int
    contract: Contract
    quantity: int
    position: PositionRow | None
    open_orders: list[OrderRow]
    shown: frozenset[int] = frozenset()  # venue ids of the orders that the venue listed before it listed the positions
    opened_by: Role | None = None
    of_fixed_size: frozenset[UUID] = frozenset()  # orders whose quantity the venue has refused to change
    with_open_cancel: frozenset[UUID] = frozenset()  # read if some are to change: orders that may end any moment

    @property
    def plan(self) -> ProtectionPlan:
        """The stop that is missing, and the orders to cancel or shrink."""
        return plan_protection(
            self.quantity,
            [
                replace(
                    _to_closing_order(row, self.contract),
                    is_size_fixed=row.id in self.of_fixed_size,
                    has_open_cancel=row.id in self.with_open_cancel,
                )
                for row in self.open_orders
                if row.state is OrderState.WORKING
            ],
        )

    @property
    def is_turned_around(self) -> bool:
        """Whether a stop, target or exit of ours has opened the position: it closed more than was held."""
        return self.quantity != 0 and self.opened_by in _CLOSERS

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do for a guard."""
        return self.plan.is_empty and not self.is_turned_around

    @property
    def has_unconfirmed_stop(self) -> bool:
        """Whether a stop of ours was created or sent, and the venue has not confirmed it yet."""
        return any(row.role is Role.STOP_LOSS and row.state in _UNCONFIRMED for row in self.open_orders)


def load_state(connection: Connection, account_id: int, contract_id: str) -> ProtectionState:
    """Return the position and the open orders of the contract, from our rows."""
    held = positions.find_held(connection, account_id, contract_id)
    state = ProtectionState(
        account_id,
        contracts.require(connection, contract_id),
        held.row.quantity if held else 0,
        held.row if held else None,
        orders.list_open_in_contract(connection, account_id, contract_id),
        opened_by=held.opened_by if held else None,
    )
    if not state.plan.shrinks and not state.plan.cancels:
        return state
    cancelled = {one.order_id for one in changes.list_open(connection, account_id) if one.kind is ChangeKind.CANCEL}
    state = replace(state, with_open_cancel=frozenset(cancelled))
    if not state.plan.shrinks:
        return state
    return replace(state, of_fixed_size=changes.list_refused_resizes(connection, [row.id for row in state.open_orders]))


def record_if_protected(connection: Connection, state: ProtectionState) -> None:
    """Record by what the fills of a position are guarded, if working stops cover it and no guard has to close it."""
    if not state.plan.is_covered or state.is_turned_around:
        return
    how = "flat"
    if state.quantity:
        stops = [row for row in state.open_orders if row.role is Role.STOP_LOSS and row.state is OrderState.WORKING]
        if any(row.origin is Origin.PROTECTOR for row in stops):
            how = "a stop of the protector"
        else:
            how = "the bracket's stop" if stops else "an external stop"
    fills.record_guarded(connection, state.account_id, state.contract.id, how)


def _to_closing_order(row: OrderRow, contract: Contract) -> ClosingOrder:
    price = row.stop_price if row.stop_price is not None else row.limit_price
    return ClosingOrder(
        id=row.id,
        role=row.role,
        type=row.type,
        side=row.side,
        quantity=max(row.quantity - row.filled_quantity, 0),
        price=0 if price is None else int(price / contract.tick_size),
        is_ours=row.role is not Role.OTHER,
        bracket=row.parent_id,
    )
