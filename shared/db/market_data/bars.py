"""Closed one-minute bars in ticks: those of the newest days as rows, older ones packed by trading day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection

from shared.db.engine import driver
from shared.db.market_data import bar_days
from shared.domain.market_data.bar_columns import (
    BarColumns,
    Integers,
    columns_of,
    join,
    no_bars,
    split_by_trading_day,
    time_of,
)
from shared.domain.market_data.bar_packing import PackedBars, unpack
from shared.domain.market_data.calendar import trading_day_at, trading_day_begins
from shared.domain.market_data.coverage import Span

# Until that age bars are rows: each fetch looks at them again, and the venue may correct them.
_ROWS_FOR = timedelta(days=4)
_ROWS_AT_ONCE = 5_000
_VALUES = "open_ticks, high_ticks, low_ticks, close_ticks, volume"
_GIVEN = f"""
    SELECT %(contract)s AS contract_id, to_timestamp(second) AS start, {_VALUES}
    FROM unnest(%(seconds)b::bigint[], %(open)b::integer[], %(high)b::integer[], %(low)b::integer[],
                %(close)b::integer[], %(volume)b::integer[]) AS one (second, {_VALUES})
"""  # noqa: S608  # constants of ours
# One statement for many rows, not one per row. `known` has the bars that the venue has corrected, as they were.
_STORE_ROWS = f"""
    WITH given AS ({_GIVEN}), known AS (
        SELECT bar_minute.* FROM bar_minute JOIN given USING (contract_id, start)
        WHERE bar_minute IS DISTINCT FROM CAST(given AS bar_minute)
    ), corrected AS (
        INSERT INTO bar_correction (contract_id, start, {_VALUES}) SELECT * FROM known ON CONFLICT DO NOTHING
    ), stored AS (
        INSERT INTO bar_minute (contract_id, start, {_VALUES}) SELECT * FROM given
        ON CONFLICT (contract_id, start) DO UPDATE
        SET open_ticks = excluded.open_ticks, high_ticks = excluded.high_ticks, low_ticks = excluded.low_ticks,
            close_ticks = excluded.close_ticks, volume = excluded.volume
        WHERE bar_minute IS DISTINCT FROM excluded
        RETURNING start
    )
    SELECT extract(epoch FROM start)::bigint, start IN (SELECT start FROM known) FROM stored
"""  # noqa: S608  # constants of ours
_KEEP_CORRECTED = f"""
    INSERT INTO bar_correction (contract_id, start, {_VALUES}) {_GIVEN} ON CONFLICT DO NOTHING
"""
# All rows as one value, so that none is made an object of Python.
_AS_BYTES = """
    string_agg(int4send((extract(epoch FROM start) / 60)::integer) || int4send(open_ticks) || int4send(high_ticks)
               || int4send(low_ticks) || int4send(close_ticks) || int4send(volume), ''::bytea)
"""
# One statement, so that it sees each day either packed or as rows.
_READ = f"""
    SELECT extract(epoch FROM first_start)::bigint, first_open_ticks, value_bytes, packed FROM bar_day
    WHERE contract_id = %(contract)s AND trading_day BETWEEN %(first_day)s AND %(last_day)s
    UNION ALL
    SELECT NULL, NULL, NULL, {_AS_BYTES} FROM bar_minute
    WHERE contract_id = %(contract)s AND start >= %(start)s AND start < %(end)s
"""  # noqa: S608  # constants of ours

_FIRST = """
    SELECT least((SELECT min(start) FROM bar_minute WHERE contract_id = %(contract)s),
                 (SELECT first_start FROM bar_day WHERE contract_id = %(contract)s ORDER BY trading_day LIMIT 1))
"""
_LAST = "SELECT max(start) FROM bar_minute WHERE contract_id = %(contract)s AND start < %(before)s"


@dataclass(frozen=True, slots=True)
class StoredBars:
    """The starts of the bars that were stored, in seconds: the missing ones, and those that the venue has corrected."""

    new: Integers
    corrected: Integers


def store(connection: Connection, contract_id: str, bars: BarColumns, market_now: datetime) -> StoredBars:
    """Store the missing bars and the corrected ones, whose first state is kept in `bar_correction`.

    The caller has locked the contract. Days that are no longer fetched again are packed at once, but for the newest.
    """
    before = _find_first_day_of_rows(connection, contract_id, bars, market_now)
    packed = bar_days.list_packed(connection, contract_id, bars)
    days = split_by_trading_day(bars)
    old = {day: of_day for day, of_day in days if day < before or day in packed}
    rows = join(of_day for day, of_day in days if day not in old)
    changes = [*_merge_days(connection, contract_id, old)] if old else []
    changes += _store_rows(connection, contract_id, rows)
    none = no_bars().seconds
    return StoredBars(
        np.concatenate([none, *(one.new for one in changes)]),
        np.concatenate([none, *(one.corrected for one in changes)]),
    )


def pack_old_days(connection: Connection, contract_id: str, market_now: datetime) -> list[date]:
    """Pack the days that are rows and are no longer fetched again, but for the newest; return them.

    The caller has locked the contract.
    """
    before = _find_first_day_of_rows(connection, contract_id, no_bars(), market_now)
    statement = """
        SELECT DISTINCT trading_day_at(start) FROM bar_minute
        WHERE contract_id = %s AND start < trading_day_begins(%s) ORDER BY 1
    """
    days = [day for (day,) in driver(connection).execute(statement, (contract_id, before)) if day < before]
    if days:
        _merge_days(connection, contract_id, dict.fromkeys(days, no_bars()))
    return days


def read(connection: Connection, contract_id: str, span: Span) -> BarColumns:
    """Return the bars that start in `span`."""
    values = {
        "contract": contract_id,
        "first_day": trading_day_at(span.start),
        "last_day": trading_day_at(span.end),
        "start": span.start,
        "end": span.end,
    }
    found = driver(connection).execute(_READ, values, binary=True).fetchall()
    return join(map(_decode, found)).within(span)


def find_first(connection: Connection, contract_id: str) -> datetime | None:
    """Return the start of the oldest bar, None without any."""
    found: datetime | None = driver(connection).execute(_FIRST, {"contract": contract_id}).fetchall()[0][0]
    return found


def find_last(connection: Connection, contract_id: str, before: datetime) -> datetime | None:
    """Return the start of the newest bar before an instant, of those that are rows; None without any."""
    values = {"contract": contract_id, "before": before}
    found: datetime | None = driver(connection).execute(_LAST, values).fetchall()[0][0]
    return found


def _decode(row: Sequence[Any]) -> BarColumns:
    first_second, first_open, value_bytes, data = row
    if first_second is not None:
        return unpack(PackedBars(first_second, first_open, value_bytes, data))
    rows = np.frombuffer(data or b"", dtype=">i4").reshape(-1, 6).T.astype(np.int64)
    rows[0] *= 60
    return columns_of(rows[:, np.argsort(rows[0])])


def _find_first_day_of_rows(connection: Connection, contract_id: str, bars: BarColumns, market_now: datetime) -> date:
    """Return the first day whose bars are rows: one that is still fetched again, or the newest if that is older."""
    statement = "SELECT max(start) FROM bar_minute WHERE contract_id = %s"
    ((newest,),) = driver(connection).execute(statement, (contract_id,)).fetchall()
    known = [] if newest is None else [newest]
    known += [time_of(int(at)) for at in bars.seconds[-1:]]
    return min(max(map(trading_day_at, known), default=date.min), trading_day_at(market_now - _ROWS_FOR))


def _store_rows(connection: Connection, contract_id: str, bars: BarColumns) -> list[StoredBars]:
    changes = []
    for first in range(0, len(bars), _ROWS_AT_ONCE):
        values = _parameters(contract_id, bars[first : first + _ROWS_AT_ONCE])
        found = driver(connection).execute(_STORE_ROWS, values).fetchall()
        changes.append(_as_changes(found))
    return changes


def _merge_days(connection: Connection, contract_id: str, given: Mapping[date, BarColumns]) -> list[StoredBars]:
    """Pack the bars of days, with those stored before; a given one replaces that of the same start."""
    first, last = min(given), max(given)
    span = Span(trading_day_begins(first) - bar_days.WEEKEND, trading_day_begins(last + timedelta(days=1)))
    known = dict(split_by_trading_day(read(connection, contract_id, span)))
    changes, days = [], {}
    for day, bars in given.items():
        before = known.get(day, no_bars())
        is_known = np.isin(bars.seconds, before.seconds)
        old = before[np.searchsorted(before.seconds, bars.seconds[is_known])]
        differs = np.any(np.vstack(old.arrays) != np.vstack(bars[is_known].arrays), axis=0)
        if differs.any():
            driver(connection).execute(_KEEP_CORRECTED, _parameters(contract_id, old[differs]))
        changes.append(StoredBars(bars.seconds[~is_known], old.seconds[differs]))
        days[day] = join([before, bars])
    bar_days.keep(connection, contract_id, days)
    return changes


def _parameters(contract_id: str, bars: BarColumns) -> dict[str, Any]:
    names = ("seconds", "open", "high", "low", "close", "volume")
    lists = (column.tolist() for column in bars.arrays)
    return {"contract": contract_id, **dict(zip(names, lists, strict=True))}


def _as_changes(found: Sequence[tuple[int, bool]]) -> StoredBars:
    seconds = np.array([at for at, _ in found], dtype=np.int64)
    is_corrected = np.array([flag for _, flag in found], dtype=np.bool_)
    return StoredBars(seconds[~is_corrected], seconds[is_corrected])
