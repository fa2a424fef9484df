"""What an alert reverses: what is held on the other side, which an exit closes even if nothing is entered.

The worker asks it of an alert that was received, and `tickwork alerts mock` of a message that was not sent.
"""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Connection, insert, select

from shared.db.alerts import precedence
from shared.db.alerts.alerts import StoredAlert
from shared.db.alerts.entry_denials import came_too_late
from shared.db.orders import flatten_requests
from shared.db.orders.root_state import RootState, side_of
from shared.db.tables.alerts import alert_reversal
from shared.domain.alerts.alert import Alert
from shared.domain.alerts.copy_ratio import Reversal
from shared.domain.orders.order import OrderType, Side


def list_opposite(alert: Alert, state: RootState) -> list[str]:
    """Return the contracts that the symbol means and that are held against the target position of an entry.

    The side counts: a target position that its copy ratio rounds to 0 reverses what is held on the other side too.
    """
    if alert.target_position is None:
        return []
    held, sign = filter(alert.symbol.names, state.positions), Side(alert.action).sign
    return [contract_id for contract_id in held if state.quantity(contract_id) * sign < 0]


def list_closed_before_entry(alert: Alert, state: RootState, ratio: Decimal) -> list[str]:
    """Return the contracts that an account with this copy ratio holds against an alert and closes before it enters."""
    if alert.target_position is not None:
        return list_opposite(alert, state)
    if not alert.action.is_entry or alert.type is not OrderType.MARKET:
        return []
    sign, quantity = Side(alert.action).sign, (alert.quantity or 0) * ratio
    held = filter(alert.symbol.names, state.positions)
    return [one for one in held if 0 < -state.quantity(one) * sign <= quantity]


def record(connection: Connection, alert_id: UUID, account_id: int, contract_id: str, reversal: Reversal) -> None:
    """Record what an alert closes on an account, and how many contracts it is to open after that."""
    values = {"alert_id": alert_id, "account_id": account_id, "contract_id": contract_id}
    quantities = {"quantity_closing": reversal.closing, "quantity_left": reversal.opening}
    connection.execute(insert(alert_reversal).values(**values, **quantities))


def find_closing(connection: Connection, alert_id: UUID, account_id: int) -> tuple[int, datetime]:
    """Return how many contracts a recorded reversal closes, and when that was requested."""
    statement = select(alert_reversal.c.quantity_closing, alert_reversal.c.requested_at).where(
        alert_reversal.c.alert_id == alert_id, alert_reversal.c.account_id == account_id
    )
    row = connection.execute(statement).one()
    return row.quantity_closing, row.requested_at


def was_reversed_since(
    connection: Connection, account_id: int, contract_id: str, after: UUID | None, since: datetime
) -> bool:
    """Whether an alert received after the alert `after`, or since an instant, has reversed a position in a contract."""
    statement = select(alert_reversal.c.alert_id).where(
        alert_reversal.c.account_id == account_id,
        alert_reversal.c.contract_id == contract_id,
        alert_reversal.c.requested_at > since if after is None else alert_reversal.c.alert_id > after,
    )
    return connection.execute(statement.limit(1)).first() is not None


def list_reversed(
    connection: Connection,
    stored: StoredAlert,
    account_id: int,
    alert: Alert,
    state: RootState,
    *,
    correlation_id: UUID,
) -> list[str]:
    """Return the contracts that are closed for an alert whatever becomes of its entry; none for another alert.

    What a later request has closed or entered is left, and all of it if an alert that was sent later was received
    first, as that one may have entered it. `correlation_id` is that of the alert's own closes, which do not count.
    """
    opposite = list_opposite(alert, state)
    if not opposite or came_too_late(connection, stored):
        return []
    entered_later = precedence.list_entered_later(connection, stored, account_id)
    return [
        contract_id
        for contract_id in opposite
        if (contract_id, side_of(state.quantity(contract_id))) not in entered_later
        and not flatten_requests.has_later_close(connection, account_id, contract_id, correlation_id, stored)
    ]
