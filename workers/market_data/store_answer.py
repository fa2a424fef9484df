"""Stores an answer of bars: the bars, what was set aside, and what the answer shows of the coverage."""

from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from shared.bars.bar_revision import mark_revised
from shared.bars.set_aside import list_set_aside
from shared.db.market_data import bar_coverage, bars, rejected_bars
from shared.db.market_data.bars import StoredBars
from shared.domain.market_data.bar import MINUTE, minute_of
from shared.domain.market_data.bar_columns import Integers, from_bars, seconds_of
from shared.domain.market_data.bar_coverage import BarCoverage
from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.market_data.coverage import Span, intersect, subtract, unite
from shared.gateway.rest.reads import BarsAnswer
from shared.hot.recent_bars import BarChange
from workers.context import Context


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
    change: BarChange,
    is_second: bool | None = None,
) -> BarsStored:
    """Store an answer to `asked`, and mark what was computed from bars that it corrects or adds; that begins `change`.

    `is_second` says that another answer lacked the same bars before, or that none did; else the time between decides.
    """
    calendar = assumed_calendar_of(ROOTS[contract.root].group)
    before = bar_coverage.lock(connection, contract.id)
    stored = bars.store(connection, contract.id, from_bars(answer.bars), ctx.market_now)
    revised = _set_aside(connection, contract.id, asked, answer, before)
    starts = [bar.start for bar in answer.bars]
    after = before.add_answer(asked, starts, calendar.open_spans(asked), ctx.market_now, is_second=is_second)
    bar_coverage.write(connection, contract.id, after)
    changed = StoredBars(np.concatenate([stored.new, revised]), stored.corrected)
    known_until = before.complete[-1].end if before.complete else None
    mark_revised(connection, contract.id, changed, known_until, change)
    return BarsStored(len(answer.bars), len(stored.new), len(stored.corrected), len(answer.rejected))


def _set_aside(
    connection: Connection, contract_id: str, asked: Span, answer: BarsAnswer, before: BarCoverage
) -> Integers:
    """Record what cannot be bars, withdraw what is sent no more; return the starts of the minutes that this changes.

    Those are complete minutes that passed for ones without a trade until now, or pass for such from now on.
    """
    known = list_set_aside(connection, contract_id, asked)
    rejected_bars.record(connection, contract_id, answer.rejected)
    if known and answer.bars:
        inside = Span(answer.bars[0].start, answer.bars[-1].start)
        sent = {minute_of(one.start) for one in answer.rejected if one.start is not None}
        rejected_bars.note_lacking(connection, contract_id, inside, sorted(sent))
    if not known and not answer.rejected:
        return np.array([], dtype=np.int64)
    found = list_set_aside(connection, contract_id, asked)
    changed = intersect(unite([*subtract(found, known), *subtract(known, found)]), before.complete)
    starts = [seconds_of(span.start + number * MINUTE) for span in changed for number in range(span.duration // MINUTE)]
    return np.array(starts, dtype=np.int64)
