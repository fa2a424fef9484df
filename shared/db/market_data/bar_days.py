"""Bars packed by trading day: a row per contract and day that is over."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection

from shared.db.engine import driver
from shared.domain.market_data.bar_columns import BarColumns, time_of
from shared.domain.market_data.bar_packing import pack
from shared.domain.market_data.calendar import trading_day_at, trading_day_begins

WEEKEND = timedelta(days=3)  # it belongs to the Monday that follows, and may have an hour more than two days
_KEEP = """
    INSERT INTO bar_day (contract_id, trading_day, bar_count, first_start, first_open_ticks, value_bytes, packed)
    SELECT %(contract)s, trading_day, bar_count, to_timestamp(first_second), first_open, value_bytes, packed
    FROM unnest(%(day)b::date[], %(count)b::integer[], %(first_second)b::bigint[], %(first_open)b::integer[],
                %(value_bytes)b::smallint[], %(packed)b::bytea[])
         AS one (trading_day, bar_count, first_second, first_open, value_bytes, packed)
    ON CONFLICT (contract_id, trading_day) DO UPDATE
    SET bar_count = excluded.bar_count, first_start = excluded.first_start, packed_at = now(),
        first_open_ticks = excluded.first_open_ticks, value_bytes = excluded.value_bytes, packed = excluded.packed
"""


def list_packed(connection: Connection, contract_id: str, bars: BarColumns) -> set[date]:
    """Return the days among those of `bars` that are packed."""
    if not len(bars):
        return set()
    first, last = (trading_day_at(time_of(int(at))) for at in (bars.seconds[0], bars.seconds[-1]))
    statement = "SELECT trading_day FROM bar_day WHERE contract_id = %s AND trading_day BETWEEN %s AND %s"
    return {day for (day,) in driver(connection).execute(statement, (contract_id, first, last))}


def keep(connection: Connection, contract_id: str, days: Mapping[date, BarColumns]) -> None:
    """Keep these bars as all that there are of these days, in place of what was packed and of rows."""
    packed = [pack(bars) for bars in days.values()]
    values: dict[str, Any] = {
        "contract": contract_id,
        "day": list(days),
        "count": [one.count for one in packed],
        "first_second": [one.first_second for one in packed],
        "first_open": [one.first_open for one in packed],
        "value_bytes": [one.value_bytes for one in packed],
        "packed": [one.data for one in packed],
    }
    driver(connection).execute(_KEEP, values)
    statement = """
        DELETE FROM bar_minute WHERE contract_id = %s AND start >= %s AND start < %s AND trading_day_at(start) = ANY(%s)
    """
    begins, ends = trading_day_begins(min(days)) - WEEKEND, trading_day_begins(max(days) + timedelta(days=1))
    driver(connection).execute(statement, (contract_id, begins, ends, list(days)))
