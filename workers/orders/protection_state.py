"""What protects a position by our rows: its size, its open orders, and what is missing or left over."""

from dataclasses import dataclass

from sqlalchemy import Connection

from shared.db.market_data import contracts
from shared.db.orders import fills, orders, positions
from shared.db.orders.orders import OrderRow
from shared.db.orders.positions import PositionRow
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import OrderState, Origin, Role
from shared.domain.orders.protection import ClosingOrder, ProtectionPlan, plan_protection

_UNCONFIRMED = {OrderState.CREATED, OrderState.SUBMITTING, OrderState.IN_DOUBT}


@dataclass(frozen=True, slots=True)
class ProtectionState:
    """The position and open orders of one contract in our rows; `quantity` is signed."""

    contract: Contract
    quantity: int
    position: PositionRow | None
    open_orders: list[OrderRow]
    shown: frozenset[int] = frozenset()  # venue ids of the orders that the venue listed before it listed the positions

    @property
    def plan(self) -> ProtectionPlan:
        """The stop that is missing, and the orders to cancel or shrink."""
        return plan_protection(
            self.quantity,
            [_to_closing_order(row, self.contract) for row in self.open_orders if row.state is OrderState.WORKING],
        )

    @property
    def has_unconfirmed_stop(self) -> bool:
        """Whether a stop of ours was created or sent, and the venue has not confirmed it yet."""
        return any(row.role is Role.STOP_LOSS and row.state in _UNCONFIRMED for row in self.open_orders)


def load_state(connection: Connection, account_id: int, contract_id: str) -> ProtectionState:
    """Return the position and the open orders of the contract, from our rows."""
    held = [row for row in positions.list_of_account(connection, account_id) if row.contract_id == contract_id]
    return ProtectionState(
        contracts.require(connection, contract_id),
        held[0].quantity if held else 0,
        held[0] if held else None,
        orders.list_open_in_contract(connection, account_id, contract_id),
    )


def record_protection(connection: Connection, account_id: int, state: ProtectionState) -> None:
    """Record by what the fills of a covered position are guarded."""
    how = "flat"
    if state.quantity:
        stops = [row for row in state.open_orders if row.role is Role.STOP_LOSS and row.state is OrderState.WORKING]
        if any(row.origin is Origin.PROTECTOR for row in stops):
            how = "a stop of the protector"
        else:
            how = "the bracket's stop" if stops else "an external stop"
    fills.record_guarded(connection, account_id, state.contract.id, how)


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
