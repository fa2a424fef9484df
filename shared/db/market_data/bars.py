"""Closed one-minute bars in ticks, a row each; the view `bars` shows them in prices."""

from collections.abc import Sequence

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
# One statement for many rows, not one per row.
_STORE = """
    INSERT INTO bar_minute (contract_id, start, open_ticks, high_ticks, low_ticks, close_ticks, volume)
    SELECT %(contract_id)s, *
    FROM unnest(%(start)s::timestamptz[], %(open)s::bigint[], %(high)s::bigint[], %(low)s::bigint[],
                %(close)s::bigint[], %(volume)s::bigint[])
    ON CONFLICT DO NOTHING
"""


def store(connection: Connection, contract_id: str, bars: Sequence[Bar]) -> int:
    """Store the missing bars; a stored bar is left as it is. Return how many were new."""
    new = 0
    for first in range(0, len(bars), _ROWS_AT_ONCE):
        some = bars[first : first + _ROWS_AT_ONCE]
        columns = {name: [getattr(bar, name) for bar in some] for name in Bar.__struct_fields__}
        new += driver(connection).execute(_STORE, columns | {"contract_id": contract_id}).rowcount
    return new


def list_within(connection: Connection, contract_id: str, span: Span) -> list[Bar]:
    """Return the bars that start in `span`, oldest first."""
    statement = select(*_COLUMNS).where(
        bar_minute.c.contract_id == contract_id, bar_minute.c.start >= span.start, bar_minute.c.start < span.end
    )
    return [Bar(*row) for row in connection.execute(statement.order_by(bar_minute.c.start))]
