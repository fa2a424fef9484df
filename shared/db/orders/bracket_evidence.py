"""The newest answer of the venue that shows whether an account is set to Auto OCO Brackets."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, or_, select

from shared.db.tables.orders import orders
from shared.domain.orders.bracket_setting import names_bracket_setting
from shared.domain.orders.order import OrderState, Role

_ACCEPTED = [state.value for state in (OrderState.WORKING, OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED)]
_MOST_READ = 200


@dataclass(frozen=True, slots=True)
class BracketEvidence:
    """An entry with a bracket that the venue accepted, or rejected because of the account's bracket setting."""

    order_id: UUID
    submitted_at: datetime
    is_accepted: bool


def find_newest(connection: Connection, account_id: int) -> BracketEvidence | None:
    """Return the newest evidence, or None; a rejection for any other reason shows nothing."""
    statement = (
        select(orders.c.id, orders.c.submitted_at, orders.c.state, orders.c.reason)
        .where(
            orders.c.account_id == account_id,
            orders.c.role == Role.ENTRY.value,
            or_(orders.c.stop_loss_ticks.is_not(None), orders.c.take_profit_ticks.is_not(None)),
            orders.c.submitted_at.is_not(None),
            or_(
                orders.c.state == OrderState.REJECTED.value,
                orders.c.state.in_(_ACCEPTED) & orders.c.venue_order_id.is_not(None),
            ),
        )
        .order_by(orders.c.submitted_at.desc())
        .limit(_MOST_READ)
    )
    for row in connection.execute(statement):
        is_accepted = row.state != OrderState.REJECTED.value
        if is_accepted or names_bracket_setting(row.reason):
            return BracketEvidence(row.id, row.submitted_at, is_accepted)
    return None
