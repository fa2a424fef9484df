"""The reductions that the watch of the rules has requested, as their exits show them."""

from datetime import timedelta

from sqlalchemy import Connection, func, select

from shared.db.tables.orders import orders
from shared.domain.orders.order import OrderState, Origin, Role


def was_newest_rejected(connection: Connection, account_id: int, ago: timedelta) -> bool:
    """Whether the venue has rejected the exit of the newest reduction of the last 24 hours, at least `ago`."""
    statement = (
        select(orders.c.state == OrderState.REJECTED.value, orders.c.updated_at < func.now() - ago)
        .where(
            orders.c.account_id == account_id,
            orders.c.created_at > func.now() - timedelta(days=1),
            orders.c.role == Role.EXIT.value,
            orders.c.origin == Origin.PROTECTOR.value,
        )
        .order_by(orders.c.created_at.desc(), orders.c.id.desc())
        .limit(1)
    )
    found = connection.execute(statement).one_or_none()
    return found is not None and all(found)
