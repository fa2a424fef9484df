"""The positions and working orders of an account in the contracts of one root, as our rows show them at one moment."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ARRAY, Connection, Exists, Row, Text, and_, bindparam, func, literal, select, type_coerce

from shared.db.orders import orders
from shared.db.orders.fills import AWAITED
from shared.db.orders.orders import OrderRow
from shared.db.orders.positions import SIGNED_QUANTITY
from shared.db.tables.orders import orders as orders_table
from shared.db.tables.orders import position
from shared.domain.market_data.contract import Root, root_of_contract
from shared.domain.orders.order import Direction, OrderState, OrderType, Role, Side, direction_of

_HELD = select(func.jsonb_object_agg(position.c.contract_id, SIGNED_QUANTITY)).where(
    position.c.account_id == bindparam("account"), position.c.direction != Direction.FLAT.value
)
_AWAITED_FILLS = AWAITED.subquery()
_AWAITED = select(func.array_agg(_AWAITED_FILLS.c.side + " " + _AWAITED_FILLS.c.contract_id))
_ONE = select(literal(1).label("one")).subquery()
# One statement sees one state of the database, in one round trip: the open orders, one a row, or a row without any.
_READ = (
    select(
        _HELD.scalar_subquery().label("held"),
        type_coerce(_AWAITED.scalar_subquery(), ARRAY(Text)).label("awaited"),
        *orders.COLUMNS,
    )
    .select_from(
        _ONE.outerjoin(
            orders_table,
            and_(orders_table.c.account_id == bindparam("account"), orders_table.c.state.in_(orders.OPEN)),
        )
    )
    .order_by(orders_table.c.id)
)


@dataclass(frozen=True, slots=True)
class RootState:
    """The positions, negative when short, and the open orders of one root; one database snapshot has shown both."""

    positions: dict[str, int]
    orders: Sequence[OrderRow]
    awaits_fills: frozenset[
        tuple[str, Side]
    ]  # of these contracts and sides an order has filled more than our fills say

    @property
    def contract_ids(self) -> list[str]:
        """The contracts with a position or an open order: several after a change of the active month."""
        return sorted({*self.positions, *(row.contract_id for row in self.orders)})

    def quantity(self, contract_id: str) -> int:
        """Return the position in a contract, negative when short."""
        return self.positions.get(contract_id, 0)

    def direction(self, contract_id: str) -> Direction:
        """Return the direction of the position in a contract."""
        return direction_of(self.quantity(contract_id))

    def is_uncertain(self, contract_id: str) -> bool:
        """Whether an entry or exit may have filled without our knowing, so that the position is not certain."""
        return any(contract_id == one for one, _ in self.awaits_fills) or any(
            row.contract_id == contract_id and row.role in {Role.ENTRY, Role.EXIT} and not is_resting(row)
            for row in self.orders
        )

    def without_entries(self, side: Side, states: Collection[OrderState]) -> "RootState":
        """Return the state without the entries on a side that are in these states."""
        left = [row for row in self.orders if (row.role, row.side) != (Role.ENTRY, side) or row.state not in states]
        return replace(self, orders=left)

    def is_arriving(self, contract_id: str, side: Side) -> bool:
        """Whether an entry on a side may fill next, or an order on it has filled without our knowing the fill."""
        return (contract_id, side) in self.awaits_fills or any(
            (row.contract_id, row.side, row.role) == (contract_id, side, Role.ENTRY) and not is_resting(row)
            for row in self.orders
        )

    def resting_entries(self, contract_id: str) -> list[OrderRow]:
        """Return the entries of a contract that wait at the venue for their price."""
        return [
            row for row in self.orders if row.contract_id == contract_id and row.role is Role.ENTRY and is_resting(row)
        ]

    def surplus_entries(self, contract_id: str, target_position: int) -> list[OrderRow]:
        """Return the resting entries against a target position: on the other side, or those that would exceed it."""
        resting, side = self.resting_entries(contract_id), side_of(target_position)
        same_side = [row for row in resting if row.side is side]
        is_exceeded = self.planned_quantity(contract_id, side) > abs(target_position)
        return [row for row in resting if is_exceeded or row not in same_side]

    def planned_quantity(self, contract_id: str, side: Side) -> int:
        """Return the size of the position on a side once the entries that rest on it have filled."""
        held = self.quantity(contract_id)
        return (abs(held) if held * side.sign > 0 else 0) + self.resting_quantity(contract_id, side)

    def resting_quantity(self, contract_id: str, side: Side) -> int:
        """Return how much the entries that rest on a side may still fill."""
        resting = [row for row in self.resting_entries(contract_id) if row.side is side]
        return sum(row.quantity - row.filled_quantity for row in resting)


def read(connection: Connection, account_id: int, root: Root) -> RootState:
    """Read what an account holds and has at work in a root; a fill that commits meanwhile shows whole or not at all."""
    return _to_state(connection.execute(_READ, {"account": account_id}).all(), root)


def read_with(
    connection: Connection, account_id: int, root: Root, conditions: Sequence[Exists]
) -> tuple[RootState, list[bool]]:
    """As `read`, with the answers to some conditions, as the same snapshot of the database shows them."""
    labelled = [condition.label(f"condition_{number}") for number, condition in enumerate(conditions)]
    rows = connection.execute(_READ.add_columns(*labelled), {"account": account_id}).all()
    return _to_state(rows, root), [bool(getattr(rows[0], column.name)) for column in labelled]


def _to_state(rows: Sequence[Row[Any]], root: Root) -> RootState:
    at_work = [orders.to_row(row) for row in rows if row.id is not None]
    return RootState(
        {id_: quantity for id_, quantity in (rows[0].held or {}).items() if root_of_contract(id_) is root},
        [row for row in at_work if root_of_contract(row.contract_id) is root],
        frozenset((id_, Side(side)) for side, id_ in (one.split(" ", 1) for one in rows[0].awaited or ())),
    )


def side_of(target_position: int) -> Side:
    """Return the side of the entries of a target position: BUY for a long one."""
    return Side.BUY if target_position > 0 else Side.SELL


def is_resting(row: OrderRow) -> bool:
    """Whether an order waits at the venue for its price."""
    return row.state is OrderState.WORKING and row.type is not OrderType.MARKET
