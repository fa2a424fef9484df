"""Fetches and stores the missing bars of one contract, and requests the evaluations of its newly closed bars."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.db.market_data import bars, contracts
from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.market_data.coverage import Span, find_gaps
from shared.errors import RefusedError
from shared.ledger.jobs.market_data import FetchContractBars
from workers.context import Context
from workers.strategies.request_evaluations import request_evaluations
from workers.task import task

HISTORY = timedelta(days=4)  # a strategy that starts on a Sunday evening still sees Friday
# The venue may publish a bar a moment late: only after this does a minute without a bar count as empty.
LATE_BY = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class BarsStored:
    """The number of bars received from the venue, and the number of those that were new."""

    received: int
    stored: int


@task(FetchContractBars)
def fetch_contract_bars(job: FetchContractBars, ctx: Context) -> BarsStored:
    """Store every missing bar of the last HISTORY; a second run requests nothing from the venue.

    Raise RefusedError for a contract that we do not know.
    """
    with ctx.autocommit() as connection:
        contract = contracts.get(connection, job.contract_id)
    if contract is None:
        raise RefusedError(f"unknown contract {job.contract_id}: market_data.refresh_contracts has not seen it")
    return store_missing(ctx, contract, job.closed_until)


def store_missing(ctx: Context, contract: Contract, closed_until: datetime) -> BarsStored:
    """Fetch and store the missing bars of `contract` up to `closed_until`, in one request or none."""
    calendar = assumed_calendar_of(ROOTS[contract.root].group)
    with ctx.autocommit() as connection:
        covered = contracts.coverage(connection, contract.id)
    missing = [
        gap
        for session in calendar.open_spans(Span(closed_until - HISTORY, closed_until))
        for gap in find_gaps(session, covered)
    ]
    if not missing:
        return BarsStored(0, 0)
    span = Span(missing[0].start, closed_until)
    received = ctx.gateway.bars(contract, span)
    known_until = _known_until(received, closed_until, ctx.market_now)
    with ctx.transaction() as tx:
        stored = bars.store(tx.connection, contract.id, received)
        if known_until > span.start:
            contracts.add_coverage(tx.connection, contract.id, Span(span.start, known_until))
        if received:
            request_evaluations(tx, ctx.settings, contract, known_until)
    return BarsStored(len(received), stored)


def _known_until(received: list[Bar], closed_until: datetime, market_now: datetime) -> datetime:
    newest_end = received[-1].start + MINUTE if received else datetime.min.replace(tzinfo=closed_until.tzinfo)
    return min(max(newest_end, market_now - LATE_BY), closed_until)
