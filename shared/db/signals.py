"""Wishes to trade, from alerts and strategies, with what risk said of them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from shared.db.account_tables import signal
from shared.ids import new_id


def refusal_of_alert(connection: Connection, alert_id: UUID, account_id: int) -> str | None:
    """Return why the alert was refused when it was handled for the account before, or None."""
    found: str | None = connection.execute(
        select(signal.c.reason).where(
            signal.c.alert_id == alert_id, signal.c.account_id == account_id, signal.c.verdict == "refused"
        )
    ).scalar_one_or_none()
    return found


def store(
    connection: Connection,
    *,
    origin: str,
    account_id: int,
    contract_id: str | None,
    action: str,
    quantity: int | None,
    verdict: str,
    reason: str | None,
    correlation_id: UUID,
    decided_market_at: datetime,
    alert_id: UUID | None = None,
    strategy: str | None = None,
) -> UUID:
    """Keep one signal; return its id."""
    signal_id = new_id()
    connection.execute(
        insert(signal).values(
            id=signal_id,
            origin=origin,
            alert_id=alert_id,
            strategy=strategy,
            account_id=account_id,
            contract_id=contract_id,
            action=action,
            quantity=quantity,
            verdict=verdict,
            reason=reason,
            correlation_id=correlation_id,
            decided_market_at=decided_market_at,
        )
    )
    return signal_id
