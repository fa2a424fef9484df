"""Wishes to trade, from alerts and strategies, with what risk said of them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Insert, insert

from shared.db.account_tables import signal


def add(
    signal_id: UUID,
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
) -> Insert:
    """Insert one signal."""
    return insert(signal).values(
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
