"""What strategies decided, a row per evaluation."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables import strategy_run


def is_done(connection: Connection, strategy: str, contract_id: str, closed_until: datetime) -> bool:
    """Whether the strategy has already decided on these bars."""
    statement = select(strategy_run.c.strategy).where(
        strategy_run.c.strategy == strategy,
        strategy_run.c.contract_id == contract_id,
        strategy_run.c.closed_until_market_at == closed_until,
    )
    return connection.execute(statement).one_or_none() is not None


def store(
    connection: Connection,
    strategy: str,
    contract_id: str,
    closed_until: datetime,
    *,
    decision: str,
    reason: str,
    signal_id: UUID | None,
    duration_ms: Decimal,
) -> None:
    """Keep one evaluation; a second of the same bars changes nothing."""
    statement = insert(strategy_run).values(
        strategy=strategy,
        contract_id=contract_id,
        closed_until_market_at=closed_until,
        decision=decision,
        reason=reason,
        signal_id=signal_id,
        duration_ms=duration_ms,
    )
    connection.execute(statement.on_conflict_do_nothing())
