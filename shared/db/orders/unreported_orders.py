"""Orders of ours whose fill the venue has not reported: a report may be lost."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import Connection, and_, func, or_, select

from shared.db.tables.orders import fill, orders
from shared.domain.orders.order import OrderState, OrderType, Role


def list_ids(connection: Connection, longer_than: timedelta, at_most: timedelta) -> list[UUID]:
    """Return market orders that still work, and orders with fewer fills than their state says.

    They were submitted `longer_than` ago, and `at_most` so long ago: a reconcile finds older ones.
    """
    filled = select(func.coalesce(func.sum(fill.c.quantity), 0)).where(
        fill.c.order_id == orders.c.id, fill.c.is_voided.is_(False)
    )
    is_incomplete = or_(
        and_(orders.c.state == OrderState.WORKING.value, orders.c.type == OrderType.MARKET.value),
        and_(orders.c.state == OrderState.FILLED.value, orders.c.filled_quantity > filled.scalar_subquery()),
    )
    statement = select(orders.c.id).where(
        orders.c.created_at > func.now() - 2 * at_most - timedelta(minutes=2),  # by its index; it may have waited
        orders.c.submitted_at.between(func.now() - at_most, func.now() - longer_than),
        orders.c.venue_order_id.is_not(None),
        orders.c.role.in_([Role.ENTRY.value, Role.EXIT.value]),
        is_incomplete,
    )
    return list(connection.execute(statement).scalars())
