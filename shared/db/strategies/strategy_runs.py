"""Decisions of strategies, a row per evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables.strategies import strategy_run
from shared.domain.market_data.coverage import Span


def is_done(
    connection: Connection, strategy: str, contract_id: str, closed_until: datetime, account_id: int | None
) -> bool:
    """Whether the strategy has already decided on these bars for this account (None: for no account)."""
    statement = select(strategy_run.c.strategy).where(
        strategy_run.c.strategy == strategy,
        strategy_run.c.contract_id == contract_id,
        strategy_run.c.closed_until_market_at == closed_until,
        strategy_run.c.account_id.is_not_distinct_from(account_id),
    )
    return connection.execute(statement).one_or_none() is not None


@dataclass(frozen=True, slots=True)
class BarsUse:
    """Where an evaluation read its bars, how long that took, and how many of their minutes are not certain."""

    source: str
    read_ms: Decimal
    gap_minutes: int


def store(
    connection: Connection,
    strategy: str,
    contract_id: str,
    closed_until: datetime,
    account_id: int | None,
    *,
    decision: str,
    reason: str,
    signal_id: UUID | None,
    duration_ms: Decimal,
    bars_use: BarsUse,
) -> None:
    """Store one evaluation; a second one of the same bars for the same account changes nothing."""
    statement = insert(strategy_run).values(
        strategy=strategy,
        contract_id=contract_id,
        closed_until_market_at=closed_until,
        account_id=account_id,
        decision=decision,
        reason=reason,
        signal_id=signal_id,
        duration_ms=duration_ms,
        bars_source=bars_use.source,
        bars_read_ms=bars_use.read_ms,
        bars_gap_minutes=bars_use.gap_minutes,
    )
    connection.execute(statement.on_conflict_do_nothing())


def mark_corrected(connection: Connection, contract_id: str, revised: Span, history: timedelta) -> None:
    """Mark the evaluations that may have used the bars of `revised` as they were; each sees `history` before its close.

    `revised` begins with the first such bar and ends with the start of the last one.
    """
    connection.execute(
        update(strategy_run)
        .where(
            strategy_run.c.contract_id == contract_id,
            strategy_run.c.closed_until_market_at > revised.start,
            strategy_run.c.closed_until_market_at <= revised.end + history,
        )
        .values(bars_corrected_at=func.now())
    )


# Once for each account and once for none, so that the index finds each newest row; by the order of the times alone all
# rows would be read of an account without any, which an equality of the account would let Postgres choose.
_NEWEST = text("""
    SELECT newest.* FROM unnest(CAST(:strategies AS text[])) AS one (strategy), account, LATERAL (
        SELECT strategy, account_id, contract_id, closed_until_market_at, decision, reason FROM strategy_run
        WHERE strategy = one.strategy AND account_id BETWEEN account.id AND account.id
        ORDER BY account_id DESC, evaluated_at DESC LIMIT 1) AS newest
    UNION ALL
    SELECT newest.* FROM unnest(CAST(:strategies AS text[])) AS one (strategy), LATERAL (
        SELECT strategy, account_id, contract_id, closed_until_market_at, decision, reason FROM strategy_run
        WHERE strategy = one.strategy AND account_id IS NULL
        ORDER BY account_id DESC, evaluated_at DESC LIMIT 1) AS newest
""")


def find_newest(connection: Connection, strategies: Sequence[str]) -> dict[tuple[str, int | None], dict[str, Any]]:
    """Return the newest evaluation of each of these strategies per account, whatever the contract."""
    found = connection.execute(_NEWEST, {"strategies": list(strategies)})
    return {(row["strategy"], row["account_id"]): dict(row) for row in found.mappings()}
