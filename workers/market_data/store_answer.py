"""Stores an answer of bars: the bars, what was set aside, and what the answer shows of the coverage."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from shared.db.market_data import bar_coverage, bars, rejected_bars
from shared.db.market_data.bars import StoredBars
from shared.db.strategies import strategy_runs
from shared.db.trades import round_trips
from shared.domain.market_data.bar_coverage import BarCoverage
from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.market_data.coverage import Span
from shared.gateway.rest.reads import BarsAnswer
from workers.context import Context

HISTORY = timedelta(days=4)  # a strategy that starts on a Sunday evening still sees Friday


@dataclass(frozen=True, slots=True)
class BarsStored:
    """The number of bars received from the venue, of those that were new, corrected, and no bars at all."""

    received: int
    stored: int
    corrected: int = 0
    rejected: int = 0


def store_answer(
    connection: Connection,
    ctx: Context,
    contract: Contract,
    asked: Span,
    answer: BarsAnswer,
    *,
    is_second: bool | None = None,
) -> BarsStored:
    """Store an answer to `asked`, and mark what was computed from bars that it corrects or adds.

    `is_second` says that another answer lacked the same bars before, or that none did; else the time between decides.
    """
    calendar = assumed_calendar_of(ROOTS[contract.root].group)
    before = bar_coverage.lock(connection, contract.id)
    stored = bars.store(connection, contract.id, answer.bars)
    rejected_bars.record(connection, contract.id, answer.rejected)
    starts = [bar.start for bar in answer.bars]
    after = before.add_answer(asked, starts, calendar.open_spans(asked), ctx.market_now, is_second=is_second)
    bar_coverage.write(connection, contract.id, after)
    _mark_revised(connection, contract.id, stored, before)
    return BarsStored(len(answer.bars), len(stored.new), len(stored.corrected), len(answer.rejected))


def _mark_revised(connection: Connection, contract_id: str, stored: StoredBars, before: BarCoverage) -> None:
    """Mark what was computed from bars that were corrected, or stored after newer ones."""
    newest_end = before.complete[-1].end if before.complete else None
    late = [start for start in stored.new if newest_end is not None and start < newest_end]
    if revised := sorted([*stored.corrected, *late]):
        span = Span(revised[0], revised[-1])
        strategy_runs.mark_corrected(connection, contract_id, span, HISTORY)
        round_trips.forget_excursions(connection, contract_id, span)
