"""Updates the list of tradable contracts, and marks the tracked ones."""

from collections import Counter
from datetime import timedelta

from shared.bars.backfill import request_backfill
from shared.bars.bar_revision import HISTORY
from shared.db.market_data import contracts
from shared.domain.market_data.active_month import keep_active
from shared.domain.market_data.bar import minute_of
from shared.domain.market_data.calendar import trading_day_at
from shared.errors import RefusedError
from shared.ledger.jobs.market_data import BackfillBars, FetchContractBars, RefreshContracts
from workers.context import Context
from workers.task import task

_ASK_AGAIN_AFTER, _ASK_AGAIN_FOR = timedelta(minutes=1), timedelta(hours=1)
_AGAIN = "contracts again"  # one such job waits at a time


@task(RefreshContracts)
def refresh_contracts(_: RefreshContracts, ctx: Context) -> dict[str, list[str]]:
    """Store the venue's contracts and enqueue a fetch of the tracked ones' bars; a second run stores nothing new.

    The active month of a root is that of the first run of a trading day, until the day ends. One that was active stays
    so until two answers in a row lack it; while one has been absent for less than an hour, the venue is asked again
    each minute. Of one that is tracked no more the last bars are fetched. A root of TICKWORK_CONTRACTS of which the
    venue has not exactly one active contract is not tracked, and the others are: RefusedError names it in the end.
    """
    found, today = ctx.gateway.contracts_available(), trading_day_at(ctx.market_now)
    closed_until = minute_of(ctx.market_now)
    with ctx.transaction() as tx:
        active_today, active_before = (contracts.list_last_active(tx.connection, day) for day in (today, None))
        offered = [contract.id for contract in found]
        absent = contracts.note_absent(tx.connection, offered, today)
        available = keep_active([*found, *absent], active_today, active_before)
        per_root = Counter(contract.root for contract in available if contract.is_active)
        roots = ctx.settings.contracts or tuple(per_root)
        tracked = [
            contract
            for contract in available
            if contract.is_active and contract.root in roots and per_root[contract.root] == 1
        ]
        contracts.store(tx.connection, [contract for contract in available if contract.id in offered])
        ended = contracts.track_only(tx.connection, [contract.id for contract in tracked], ctx.market_now)
        contracts.record_active_day(tx.connection, today)
        if contracts.has_absent(tx.connection, _ASK_AGAIN_FOR):
            tx.enqueue_unless_queued(RefreshContracts(), _AGAIN, run_after=_ASK_AGAIN_AFTER)
        for contract in tracked:
            tx.enqueue(FetchContractBars(contract_id=contract.id, closed_until=closed_until))
        for contract_id in ended:  # the last minutes of its last session are asked for in the next one only
            request_backfill(
                tx, BackfillBars(contract_id=contract_id, since=closed_until - HISTORY, until=closed_until)
            )
    if missing := [f"{per_root[root]} active contracts of {root}" for root in roots if per_root[root] != 1]:
        raise RefusedError(
            f"the venue offers {', '.join(missing)}; one is expected of each root, such as {_offered(per_root)}"
        )
    return {"tracked": [contract.id for contract in tracked]}


def _offered(per_root: Counter[str]) -> str:
    return ", ".join(sorted(root for root, count in per_root.items() if count == 1))
