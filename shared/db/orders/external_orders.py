"""Our rows of the orders that were placed elsewhere, and which of them protect a position."""

from collections.abc import Iterable
from uuid import UUID

from shared.db.orders.orders import OrderRow
from shared.domain.orders.order import STOP_TYPES, OrderState, OrderType, Role
from shared.domain.orders.protection import ExternalOrder, find_protecting


def list_resting(rows: Iterable[OrderRow]) -> dict[UUID, ExternalOrder]:
    """Return those of the rows that were placed elsewhere and work."""
    return {
        row.id: ExternalOrder(
            row.type in STOP_TYPES, row.side, row.quantity - row.filled_quantity, row.stop_price or row.limit_price
        )
        for row in rows
        if row.role is Role.OTHER and row.state is OrderState.WORKING and row.type is not OrderType.MARKET
    }


def list_protecting(rows: Iterable[OrderRow], position: int) -> set[UUID]:
    """Return the ids of the rows, all of one contract, that were placed elsewhere and protect a signed position."""
    return find_protecting(position, list_resting(rows))
