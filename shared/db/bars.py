"""Closed one-minute bars, a row each; the view `bars` shows them in prices."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables import bar_minute
from shared.domain.bar import Bar
from shared.domain.coverage import Span

_COLUMNS = (
    bar_minute.c.start,
    bar_minute.c.open_ticks,
    bar_minute.c.high_ticks,
    bar_minute.c.low_ticks,
    bar_minute.c.close_ticks,
    bar_minute.c.volume,
)
_ROWS_AT_ONCE = 5_000


def store(connection: Connection, contract_id: str, bars: Sequence[Bar]) -> int:
    """Store the bars we lack; a bar already held is left as it is. Return how many were new."""
    new = 0
    for first in range(0, len(bars), _ROWS_AT_ONCE):
        values = [
            {
                "contract_id": contract_id,
                "start": bar.start,
                "open_ticks": bar.open,
                "high_ticks": bar.high,
                "low_ticks": bar.low,
                "close_ticks": bar.close,
                "volume": bar.volume,
            }
            for bar in bars[first : first + _ROWS_AT_ONCE]
        ]
        statement = insert(bar_minute).on_conflict_do_nothing().returning(bar_minute.c.start)
        new += len(connection.execute(statement, values).all())
    return new


def within(connection: Connection, contract_id: str, span: Span) -> list[Bar]:
    """Return the bars that start within `span`, oldest first."""
    statement = select(*_COLUMNS).where(
        bar_minute.c.contract_id == contract_id, bar_minute.c.start >= span.start, bar_minute.c.start < span.end
    )
    return [Bar(*row) for row in connection.execute(statement.order_by(bar_minute.c.start))]


def newest(connection: Connection, contract_id: str, before: datetime) -> Bar | None:
    """Return the newest bar that starts before `before`, or None."""
    statement = select(*_COLUMNS).where(bar_minute.c.contract_id == contract_id, bar_minute.c.start < before)
    row = connection.execute(statement.order_by(bar_minute.c.start.desc()).limit(1)).one_or_none()
    return None if row is None else Bar(*row)
