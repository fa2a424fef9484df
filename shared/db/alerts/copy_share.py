"""What an order does on the hook's own account: a copy opens no more than its share of what is opened there.

The copy itself may be flat where the other only closes: it has entered later, was denied, or was stopped out.
"""

from dataclasses import dataclass
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
from shared.domain.alerts.copy_ratio import OwnPart
from shared.domain.orders.order import Side
from shared.ids import lowest_id_at

UNKNOWN = OwnPart(0, 0, closes_all=False)  # nothing is opened while it is not known what is opened there
_BY_RISK = OwnPart(0, None, closes_all=False)
_LOOK_BACK = timedelta(minutes=10)  # an entry expires sooner


@dataclass(frozen=True, slots=True)
class _Accepted:
    quantity: int
    held: int  # before the entry, below zero for short


def is_limited(stored: StoredAlert, alert: Alert, account_id: int) -> bool:
    """Whether what an alert opens on an account depends on the hook's own account."""
    return alert.action.is_entry and alert.target_position is None and account_id != stored.account_id


def forecast_part(
    connection: Connection, stored: StoredAlert, alert: Alert, account_id: int, *, contract_id: str
) -> OwnPart | None:
    """Return what `find_part` does, UNKNOWN while it is not known, and None for an account that it does not limit."""
    if not is_limited(stored, alert, account_id):
        return None
    return find_part(connection, stored, alert, contract_id) or UNKNOWN


def find_part(connection: Connection, stored: StoredAlert, alert: Alert, contract_id: str) -> OwnPart | None:
    """Return what an order closes and opens on the hook's own account.

    None while that is not decided there, and what it holds is not certain. A size by risk that closes something is not
    known before it is decided.
    """
    sign = Side(alert.action).sign
    recorded = reversals.find(connection, stored.id, stored.account_id)
    if recorded is not None:
        return OwnPart(recorded.closing, recorded.opening, recorded.closes_all)
    accepted = _find_accepted(connection, stored)
    if accepted is not None:
        return OwnPart.of(accepted.quantity if alert.quantity is None else alert.quantity, -accepted.held * sign)
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
    against = -state.quantity(contract_id) * sign
    if alert.quantity is not None:
        return OwnPart.of(alert.quantity, against)
    return _BY_RISK if against <= 0 else None


def _find_accepted(connection: Connection, stored: StoredAlert) -> _Accepted | None:
    """Return the entry that was accepted on the hook's own account, None without one."""
    accepted = select(signal.c.quantity, signal.c.figures["held"].as_integer()).where(
        signal.c.alert_id == stored.id,
        signal.c.account_id == stored.account_id,
        signal.c.verdict == "accepted",
        signal.c.figures["held"].is_not(None),
    )
    found = connection.execute(accepted).one_or_none()
    return None if found is None else _Accepted(*found)


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
