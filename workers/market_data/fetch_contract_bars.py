"""Fetches the bars of one contract that are missing or young, and requests the evaluations of its newly closed bars."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.bars.bar_revision import HISTORY
from shared.bars.recheck import find_rechecked
from shared.db.market_data import bar_coverage, bars, contracts
from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.bar_coverage import LATE_BY
from shared.domain.market_data.calendar import Calendar, assumed_calendar_of
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.market_data.coverage import Span, find_gaps, subtract
from shared.errors import RefusedError
from shared.ledger.jobs.market_data import FetchContractBars
from workers.context import Context
from workers.market_data.store_answer import BarsStored, store_answer
from workers.strategies.request_evaluations import request_evaluations
from workers.task import task

_RECHECK_EVERY_MINUTES = 5
_YOUNG = timedelta(minutes=30)  # up to that age bars are asked again, as the venue corrects some


@task(FetchContractBars)
def fetch_contract_bars(job: FetchContractBars, ctx: Context) -> BarsStored:
    """Store every missing bar of the last HISTORY; a second run asks only for what the first answer lacked.

    Raise RefusedError for a contract that we do not know.
    """
    with ctx.autocommit() as connection:
        contract = contracts.get(connection, job.contract_id)
    if contract is None:
        raise RefusedError(f"unknown contract {job.contract_id}: market_data.refresh_contracts has not seen it")
    return store_missing(ctx, contract, job.closed_until)


def store_missing(ctx: Context, contract: Contract, closed_until: datetime) -> BarsStored:
    """Fetch and store the missing bars of `contract` up to `closed_until`, in one request or none.

    It begins with the bar before the first missing one, so that an answer that was cut short is known, and has what
    follows the newest bar each time: answers that were cut alike, or a clock that was ahead, may have had none of it.
    Every five minutes those of the last half hour are asked again, and every hour those of the session and the one
    before: what the venue has corrected, or an answer had lacked, is stored then.
    """
    calendar = assumed_calendar_of(ROOTS[contract.root].group)
    with ctx.autocommit() as connection:
        known = bar_coverage.read(connection, contract.id).complete
        newest = bars.find_last(connection, contract.id, closed_until)
        if newest is not None:
            known = subtract(known, [Span(newest + MINUTE, closed_until)])
        starts_at = _find_start(known, calendar, closed_until)
        if starts_at is None:
            return BarsStored(0, 0)
        before = bars.find_last(connection, contract.id, starts_at)
    asked = Span(starts_at if before is None else max(before, starts_at - HISTORY), closed_until)
    answer = ctx.gateway.bars(contract, asked)
    known_until = _known_until(answer.bars, closed_until, ctx.market_now)
    with ctx.bars.change(contract.id) as change, ctx.transaction() as tx:
        stored = store_answer(tx.connection, ctx, contract, asked, answer, change=change)
        if any(newest is None or bar.start > newest for bar in answer.bars):
            request_evaluations(tx, ctx.settings, contract, known_until)
    with ctx.autocommit() as connection:
        ctx.bars.refresh(connection, contract, closed_until)
    return stored


def _find_start(complete: Sequence[Span], calendar: Calendar, closed_until: datetime) -> datetime | None:
    """Return the start of the oldest bar to ask for, None without any."""
    wanted = calendar.open_spans(Span(closed_until - HISTORY, closed_until))
    starts = [gap.start for session in wanted for gap in find_gaps(session, complete)]
    session = calendar.session_at(closed_until - MINUTE)
    if session is not None and closed_until.minute == 0:
        starts.append(find_rechecked(calendar, session.opens))
    elif session is not None and closed_until.minute % _RECHECK_EVERY_MINUTES == 0:
        starts.append(max(session.opens, closed_until - _YOUNG))
    return min(starts, default=None)


def _known_until(received: list[Bar], closed_until: datetime, market_now: datetime) -> datetime:
    newest_end = received[-1].start + MINUTE if received else datetime.min.replace(tzinfo=closed_until.tzinfo)
    return min(max(newest_end, market_now - LATE_BY), closed_until)
