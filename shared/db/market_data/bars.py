"""Closed one-minute bars in ticks, a row each; the view `bars` shows them in prices."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, select

from shared.db.engine import driver
from shared.db.tables.market_data import bar_minute
from shared.domain.market_data.bar import Bar
from shared.domain.market_data.coverage import Span

_COLUMNS = (
    bar_minute.c.start,
    bar_minute.c.open_ticks,
    bar_minute.c.high_ticks,
    bar_minute.c.low_ticks,
    bar_minute.c.close_ticks,
    bar_minute.c.volume,
)
_ROWS_AT_ONCE = 5_000
# One statement for many rows, not one per row. `known` has the bars that the venue has corrected, as they were.
_STORE = """
    WITH given AS (
        SELECT %(contract_id)s AS contract_id, *
        FROM unnest(%(start)s::timestamptz[], %(open)s::bigint[], %(high)s::bigint[], %(low)s::bigint[],
                    %(close)s::bigint[], %(volume)s::bigint[])
             AS one (start, open_ticks, high_ticks, low_ticks, close_ticks, volume)
    ), known AS (
        SELECT bar_minute.* FROM bar_minute JOIN given USING (contract_id, start)
        WHERE bar_minute IS DISTINCT FROM CAST(given AS bar_minute)
    ), corrected AS (
        INSERT INTO bar_correction (contract_id, start, open_ticks, high_ticks, low_ticks, close_ticks, volume)
        SELECT * FROM known ON CONFLICT DO NOTHING
    ), stored AS (
        INSERT INTO bar_minute (contract_id, start, open_ticks, high_ticks, low_ticks, close_ticks, volume)
        SELECT * FROM given
        ON CONFLICT (contract_id, start) DO UPDATE
        SET open_ticks = excluded.open_ticks, high_ticks = excluded.high_ticks, low_ticks = excluded.low_ticks,
            close_ticks = excluded.close_ticks, volume = excluded.volume
        WHERE bar_minute IS DISTINCT FROM excluded
        RETURNING start
    )
    SELECT start, start IN (SELECT start FROM known) FROM stored
"""


@dataclass(frozen=True, slots=True)
class StoredBars:
    """The starts of the bars that were stored: those that were missing, and those that the venue has corrected."""

    new: list[datetime] = field(default_factory=list)
    corrected: list[datetime] = field(default_factory=list)


def store(connection: Connection, contract_id: str, bars: Sequence[Bar]) -> StoredBars:
    """Store the missing bars and the corrected ones, whose first state is kept in `bar_correction`.

    The caller has locked the contract.
    """
    stored = StoredBars()
    for first in range(0, len(bars), _ROWS_AT_ONCE):
        some = bars[first : first + _ROWS_AT_ONCE]
        columns = {name: [getattr(bar, name) for bar in some] for name in Bar.__struct_fields__}
        for start, is_corrected in driver(connection).execute(_STORE, columns | {"contract_id": contract_id}):
            (stored.corrected if is_corrected else stored.new).append(start)
    return stored


def list_within(connection: Connection, contract_id: str, span: Span) -> list[Bar]:
    """Return the bars that start in `span`, oldest first."""
    statement = select(*_COLUMNS).where(
        bar_minute.c.contract_id == contract_id, bar_minute.c.start >= span.start, bar_minute.c.start < span.end
    )
    return [Bar(*row) for row in connection.execute(statement.order_by(bar_minute.c.start))]
