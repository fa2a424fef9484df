"""Fetches older bars of one contract, newest first, a page a job; so each page is kept whatever stops the rest."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from shared.bars.backfill import request_backfill
from shared.db.market_data import bar_coverage, bars, contracts
from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.bar_columns import time_of
from shared.domain.market_data.bar_coverage import BarCoverage
from shared.domain.market_data.calendar import Calendar, assumed_calendar_of
from shared.domain.market_data.contract import ROOTS
from shared.domain.market_data.coverage import Span, find_gaps, unite
from shared.errors import RefusedError
from shared.ledger.jobs.market_data import BackfillBars
from workers.context import Context
from workers.market_data.store_answer import store_answer
from workers.task import task

_PAGE = timedelta(days=10)  # with _REACH less than 20,000 minutes of an open market, the most of one answer
_REACH = timedelta(days=3)
_SECOND_PASS_AFTER = timedelta(seconds=30)


@task(BackfillBars)
def backfill_bars(job: BackfillBars, ctx: Context) -> dict[str, Any]:
    """Store the newest page that is missing, and enqueue the job of the next; a second run asks only for what is left.

    The first pass ends with the first page without a bar, as the venue's history ends there; the second asks for what
    is still missing after half a minute, also of that page. Raise RefusedError for a contract that we do not know.
    """
    with ctx.autocommit() as connection:
        contract = contracts.get(connection, job.contract_id)
        if contract is None:
            raise RefusedError(f"unknown contract {job.contract_id}: market_data.refresh_contracts has not seen it")
        known = bar_coverage.read(connection, contract.id)
        calendar = assumed_calendar_of(ROOTS[contract.root].group)
        page = _find_newest_page(job, known, calendar, Span(job.since, job.before or job.until))
        if page is None:
            return _end_pass(ctx, job, calendar, {"stored": 0})
        after = bars.read(connection, contract.id, Span(page.end, page.end + _REACH))
    # With the bar that follows the page: what the answer lacks lies between two of its bars.
    asked = Span(page.start, time_of(int(after.seconds[0])) + MINUTE) if len(after) else page
    answer = ctx.gateway.bars(contract, asked)
    # The history ends, or the venue is at fault: it shows nothing.
    if not any(bar.start < page.end for bar in answer.bars) and not answer.rejected:
        return _end_pass(ctx, job, calendar, {"stored": 0, "has_history_ended": True})
    with ctx.bars.change(contract.id) as change, ctx.transaction() as tx:
        stored = store_answer(tx.connection, ctx, contract, asked, answer, change=change, is_second=job.is_second)
    found: dict[str, Any] = {"stored": stored.stored, "since": asked.start.isoformat()}
    with ctx.transaction() as tx:
        request_backfill(tx, replace(job, before=asked.start))
        tx.finish(found)
    return found


def _end_pass(ctx: Context, job: BackfillBars, calendar: Calendar, result: dict[str, Any]) -> dict[str, Any]:
    """End the job; the first pass enqueues the second if bars are missing."""
    with ctx.transaction() as tx:
        known = bar_coverage.read(tx.connection, job.contract_id)
        second = replace(job, before=None, is_second=True)
        wanted = Span(job.since, job.until)
        if not job.is_second and _find_newest_page(second, known, calendar, wanted) is not None:
            request_backfill(tx, second, run_after=_SECOND_PASS_AFTER)
        tx.finish(result)
    return result


def _find_newest_page(job: BackfillBars, known: BarCoverage, calendar: Calendar, wanted: Span) -> Span | None:
    """Return the page that ends with the newest part that is missing; None if none is.

    It is whole, as an answer of minutes without a trade alone would be empty. The first pass leaves to the second what
    an answer has had no bar of.
    """
    held = known.complete if job.is_second else unite(known.complete, known.unconfirmed)
    gaps = [gap for gap in find_gaps(wanted, held) if any(calendar.open_spans(gap))]
    if not gaps:
        return None
    return Span(gaps[-1].end - _PAGE, gaps[-1].end)
