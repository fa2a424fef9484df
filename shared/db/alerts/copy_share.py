"""What an order opens on the hook's own account: a copy whose sizes are rounded opens no more than its share of that.

The copy itself may be flat, or nearly so, where the other only closes: what it closes is rounded up.
"""

from datetime import timedelta

from sqlalchemy import Connection, and_, select

from shared.db.alerts import entry_obstacles
from shared.db.alerts.alerts import StoredAlert
from shared.db.orders import reversals
from shared.db.rows import has_rows
from shared.db.tables.alerts import alert as alert_table
from shared.db.tables.alerts import signal
from shared.db.tables.ledger import IS_UNFINISHED, job
from shared.domain.alerts.alert import Alert
from shared.domain.alerts.copy_ratio import has_rounded_sizes
from shared.domain.orders.order import Side
from shared.ids import lowest_id_at

_LOOK_BACK = timedelta(minutes=10)  # an entry expires sooner


def is_limited(stored: StoredAlert, alert: Alert, account_id: int) -> bool:
    """Whether what an alert opens on an account depends on the hook's own account."""
    has_size = alert.action.is_entry and alert.target_position is None and alert.quantity is not None
    return has_size and account_id != stored.account_id and has_rounded_sizes(stored.ratio)


def forecast_opening(
    connection: Connection, stored: StoredAlert, alert: Alert, account_id: int, *, contract_id: str
) -> int | None:
    """Return what `find_opening` does, 0 while it is not known, and None for an account that it does not limit."""
    if not is_limited(stored, alert, account_id):
        return None
    return find_opening(connection, stored, alert, contract_id) or 0


def find_opening(connection: Connection, stored: StoredAlert, alert: Alert, contract_id: str) -> int | None:
    """Return how many contracts of an order the hook's own account opens, which do not close its position.

    None while that is not decided there, and what it holds is not certain.
    """
    quantity, sign = alert.quantity or 0, Side(alert.action).sign
    recorded = reversals.find(connection, stored.id, stored.account_id)
    if recorded is not None:
        return recorded.opening
    held = _find_held_before(connection, stored)
    if held is None:
        obstacles, state = entry_obstacles.read(
            connection,
            stored,
            alert,
            account_id=stored.account_id,
            contract_id=contract_id,
            correlation_id=stored.id,
        )
        if obstacles.waits or state.is_uncertain(contract_id) or _has_earlier(connection, stored):
            return None
        held = state.quantity(contract_id)
    return max(0, quantity - max(0, -held * sign))


def _find_held_before(connection: Connection, stored: StoredAlert) -> int | None:
    """Return the position by which the entry was accepted on the hook's own account, None if it was not."""
    accepted = select(signal.c.figures["held"].as_integer()).where(
        signal.c.alert_id == stored.id, signal.c.account_id == stored.account_id, signal.c.verdict == "accepted"
    )
    found: int | None = connection.execute(accepted).scalar()
    return found


def _has_earlier(connection: Connection, stored: StoredAlert) -> bool:
    """Whether an alert of the hook that was received before is still to be handled on its own account."""
    earlier = and_(
        alert_table.c.hook_id == stored.hook_id,
        alert_table.c.root == stored.root,
        alert_table.c.verdict == "accepted",
        alert_table.c.id < stored.id,
        alert_table.c.id >= lowest_id_at(stored.received_at - _LOOK_BACK),
    )
    return has_rows(
        connection, select(job.c.id).join(alert_table, alert_table.c.job_id == job.c.id).where(earlier, IS_UNFINISHED)
    )
