"""Signals to trade, from alerts, strategies and people, with the verdict of the pre-trade check."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, Insert, bindparam, func, insert, select

from shared.db.alerts.alerts import StoredAlert
from shared.db.tables.alerts import alert, signal
from shared.domain.risk.entry_figures import Figures
from shared.ids import lowest_id_at

_MAX_WAIT = timedelta(minutes=10)  # of an alert for its signal: an entry expires sooner


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSignal:
    """A signal and the values of its row."""

    id: UUID
    origin: str
    account_id: int
    contract_id: str | None
    action: str
    quantity: int | None
    verdict: str
    reason: str | None
    correlation_id: UUID
    decided_market_at: datetime
    alert_id: UUID | None = None
    strategy: str | None = None
    figures: Figures | None = None

    def values(self) -> dict[str, object]:
        """Return the values that ADD binds."""
        return {f"signal_{name}": getattr(self, name) for name in _NAMES}


_NAMES = tuple(NewSignal.__dataclass_fields__)
ADD: Insert = insert(signal).values({name: bindparam(f"signal_{name}", type_=signal.c[name].type) for name in _NAMES})


def add(connection: Connection, new: NewSignal) -> None:
    """Insert one signal."""
    connection.execute(ADD, new.values())


def is_recorded(connection: Connection, alert_id: UUID, account_id: int) -> bool:
    """Whether an alert has a signal for an account: then its job there has decided what it does."""
    statement = select(signal.c.id).where(signal.c.alert_id == alert_id, signal.c.account_id == account_id)
    return connection.execute(statement).first() is not None


def has_entered_within(
    connection: Connection, stored: StoredAlert, account_id: int, contract_id: str, seconds: int
) -> bool:
    """Whether an alert of the same hook has entered the contract within some seconds."""
    statement = (
        select(signal.c.id)
        .join(alert, alert.c.id == signal.c.alert_id)
        .where(
            signal.c.account_id == account_id,
            signal.c.contract_id == contract_id,
            signal.c.verdict == "accepted",
            signal.c.action.in_(("BUY", "SELL")),
            signal.c.decided_at > func.now() - timedelta(seconds=seconds),
            alert.c.hook_id == stored.hook_id,
            alert.c.id >= lowest_id_at(stored.received_at - timedelta(seconds=seconds) - _MAX_WAIT),
        )
    )
    return connection.execute(statement.limit(1)).first() is not None
