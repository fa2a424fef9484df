"""Stores the bars that one contract lacks, and asks for the evaluations that a closed bar is due."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.db.market_data import bars, contracts
from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.calendar import calendar_of
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.market_data.coverage import Span, gaps
from shared.errors import RefusedError
from shared.ledger.jobs.market_data import FetchContractBars
from shared.ledger.ledger import Transaction
from workers.context import Context
from workers.strategies.request_evaluations import ask_for_evaluations
from workers.task import task

HISTORY = timedelta(days=4)  # a strategy that starts on a Sunday evening still sees Friday
# The venue may publish a bar a moment late: a minute without a bar counts as empty only after this.
LATE_BY = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class BarsStored:
    """How many bars the venue sent, and how many of them were new to us."""

    received: int
    stored: int


@task(FetchContractBars)
def fetch_contract_bars(job: FetchContractBars, ctx: Context) -> BarsStored:
    """Store every bar the last days lack; run twice, the second run asks the venue for nothing."""
    with ctx.autocommit() as connection:
        contract = contracts.get(connection, job.contract_id)
    if contract is None:
        raise RefusedError(f"contract {job.contract_id} is unknown: refresh_contracts has not met it")
    return store_missing(ctx, contract, job.closed_until)


def store_missing(ctx: Context, contract: Contract, closed_until: datetime) -> BarsStored:
    """Fetch and store what we lack of `contract` up to `closed_until`; one request, or none."""
    calendar = calendar_of(ROOTS[contract.root].group)
    with ctx.autocommit() as connection:
        held = contracts.coverage(connection, contract.id)
    wanted = [
        gap
        for session in calendar.open_spans(Span(closed_until - HISTORY, closed_until))
        for gap in gaps(session, held)
    ]
    if not wanted:
        return BarsStored(0, 0)
    asked = Span(wanted[0].start, closed_until)
    received = ctx.gateway.bars(contract, asked)
    known_until = _known_until(received, closed_until, ctx.market_now)
    with ctx.transaction() as tx:
        stored = bars.store(tx.connection, contract.id, received)
        if known_until > asked.start:
            contracts.add_coverage(tx.connection, contract.id, Span(asked.start, known_until))
        _ask(tx, contract, received, known_until, ctx)
    return BarsStored(len(received), stored)


def _known_until(received: list[Bar], closed_until: datetime, market_now: datetime) -> datetime:
    newest_end = received[-1].start + MINUTE if received else datetime.min.replace(tzinfo=closed_until.tzinfo)
    return min(max(newest_end, market_now - LATE_BY), closed_until)


def _ask(tx: Transaction, contract: Contract, received: list[Bar], known_until: datetime, ctx: Context) -> None:
    if received:
        ask_for_evaluations(tx, ctx.settings, contract, known_until)
