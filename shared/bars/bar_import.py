"""Stores bars that came from a file of another vendor, beside those of the venue."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy import Connection

from shared.bars.bar_revision import mark_revised
from shared.bars.recheck import find_rechecked
from shared.db.market_data import bar_coverage, bars, contracts
from shared.domain.market_data.bar_checks import find_runs, span_of
from shared.domain.market_data.bar_columns import BarColumns, seconds_of
from shared.domain.market_data.calendar import Calendar
from shared.domain.market_data.contract import Contract
from shared.domain.market_data.foreign_bars import BarFault, ReadBars
from shared.hot.recent_bars import BarChange


@dataclass(frozen=True, slots=True, eq=False)
class ImportedBars:
    """How many bars of a file were new, replaced a stored one and were there already; and those that were refused."""

    new: int
    replaced: int
    unchanged: int
    refused: ReadBars


def find_replaced_until(
    connection: Connection, contract: Contract, calendar: Calendar, market_now: datetime
) -> datetime:
    """Return the instant up to which a file may replace stored bars.

    Those of a tracked contract that the venue is asked for again would be as the venue has them within the hour.
    """
    if contract.id not in {one.id for one in contracts.list_tracked(connection)}:
        return market_now
    return find_rechecked(calendar, market_now)


def compare_import(
    connection: Connection, contract_id: str, given: ReadBars, *, replaced_until: datetime | None
) -> ImportedBars:
    """Return what `store_import` would do."""
    return _compare(connection, contract_id, given, replaced_until)[0]


def store_import(
    connection: Connection,
    contract: Contract,
    given: ReadBars,
    market_now: datetime,
    *,
    change: BarChange,
    replaced_until: datetime | None,
) -> ImportedBars:
    """Store the bars of a file in the caller's transaction.

    One that differs from a stored one replaces it if it starts before `replaced_until`, and else is refused. Their
    minutes are complete then. What was computed from bars that this corrects or adds is marked; that begins `change`.
    """
    starts, ends = find_runs(given.bars.seconds)
    known_until = bar_coverage.lock_end(connection, contract.id)
    found, taken = _compare(connection, contract.id, given, replaced_until)
    if len(taken):
        stored = bars.store(connection, contract.id, taken, market_now)
        bar_coverage.add(connection, contract.id, starts.tolist(), ends.tolist())
        mark_revised(connection, contract.id, stored, known_until, change)
    return found


def _compare(
    connection: Connection, contract_id: str, given: ReadBars, replaced_until: datetime | None
) -> tuple[ImportedBars, BarColumns]:
    """Return what becomes of the bars, and those that are to be stored."""
    if not len(given.bars):
        return ImportedBars(0, 0, 0, given), given.bars
    known = bars.read(connection, contract_id, span_of(given.bars.seconds))
    is_known = np.isin(given.bars.seconds, known.seconds)
    old = known[np.searchsorted(known.seconds, given.bars.seconds[is_known])]
    differs = np.zeros(len(given.bars), dtype=np.bool_)
    differs[is_known] = np.any(np.vstack(old.arrays) != np.vstack(given.bars[is_known].arrays), axis=0)
    is_replaced = differs & (given.bars.seconds < (seconds_of(replaced_until) if replaced_until else 0))
    is_refused = differs & ~is_replaced
    found = ImportedBars(
        new=int((~is_known).sum()),
        replaced=int(is_replaced.sum()),
        unchanged=int((is_known & ~differs).sum()),
        refused=given[is_refused].add_fault(BarFault.DIFFERS, is_refused[is_refused]),
    )
    return found, given.bars[~is_refused]
