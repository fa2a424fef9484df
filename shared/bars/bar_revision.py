"""What was computed from stored bars is marked when they are corrected, or when older ones are added."""

from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import Connection

from shared.db.market_data import bar_coverage
from shared.db.market_data.bars import StoredBars
from shared.db.strategies import strategy_runs
from shared.db.trades import round_trips
from shared.domain.market_data.bar_columns import seconds_of, time_of
from shared.domain.market_data.coverage import Span
from shared.hot.recent_bars import BarChange

HISTORY = timedelta(days=4)  # a strategy that starts on a Sunday evening still sees Friday


def mark_revised(
    connection: Connection, contract_id: str, stored: StoredBars, known_until: datetime | None, change: BarChange
) -> None:
    """Mark what used the bars that were corrected, or lacked those that were stored after newer ones; begin `change`.

    `known_until` is the end of the coverage before they were stored. Without such bars it does nothing.
    """
    revised = _find_revised(stored, known_until)
    if revised is not None:
        change.begin()
        bar_coverage.count_revision(connection, contract_id)
        strategy_runs.mark_corrected(connection, contract_id, revised, HISTORY)
        round_trips.forget_excursions(connection, contract_id, revised)


def _find_revised(stored: StoredBars, known_until: datetime | None) -> Span | None:
    """Return the span in which bars were corrected, or stored after newer ones; None without any."""
    is_late = stored.new < (seconds_of(known_until) if known_until else 0)
    revised = np.concatenate([stored.corrected, stored.new[is_late]])
    return Span(time_of(int(revised.min())), time_of(int(revised.max()))) if len(revised) else None
