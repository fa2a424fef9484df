"""Signals to trade, from alerts, strategies and people, with the verdict of the pre-trade check."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, insert

from shared.db.tables.alerts import signal


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

    def values(self) -> dict[str, object]:
        """Return the values that ADD binds."""
        return {f"signal_{name}": getattr(self, name) for name in _NAMES}


_NAMES = tuple(NewSignal.__dataclass_fields__)
ADD = insert(signal).values({name: bindparam(f"signal_{name}", type_=signal.c[name].type) for name in _NAMES})


def add(connection: Connection, new: NewSignal) -> None:
    """Insert one signal."""
    connection.execute(ADD, new.values())
