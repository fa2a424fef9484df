"""Enqueues the backfill of what is missing between a contract's first bar and what every fetch looks at."""

from shared.bars.backfill import request_backfill
from shared.bars.bar_revision import HISTORY
from shared.db.market_data import bar_coverage, bars, contracts
from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.contract import ROOTS
from shared.domain.market_data.coverage import Span, find_gaps
from shared.ledger.jobs.market_data import BackfillBars, HealBars
from workers.context import Context
from workers.task import task


@task(HealBars)
def heal_bars(_: HealBars, ctx: Context) -> dict[str, int]:
    """Enqueue one backfill per contract that has a gap; its key makes a second run at once do nothing.

    Looked at are the tracked contracts, and the bars until then of those that were tracked within the last HISTORY.
    """
    count, now = 0, ctx.market_now
    with ctx.transaction() as tx:
        tracked = [(contract, now - HISTORY) for contract in contracts.list_tracked(tx.connection)]
        ended = contracts.list_untracked_since(tx.connection, now - HISTORY)
        for contract, until in tracked + ended:
            complete, first = (
                bar_coverage.read(tx.connection, contract.id).complete,
                bars.find_first(tx.connection, contract.id),
            )
            calendar = assumed_calendar_of(ROOTS[contract.root].group)
            opened = [] if first is None else calendar.open_spans(Span(first, until))
            gap = next((gap for span in opened for gap in find_gaps(span, complete)), None)
            if gap is not None:
                request = BackfillBars(contract_id=contract.id, since=gap.start, until=until)
                key = f"heal:{contract.id}:{now:%Y-%m-%d}:{now.hour // 6}"
                count += not request_backfill(tx, request, key=key).is_duplicate
        result = {"contracts": count}
        tx.finish(result)
    return result
