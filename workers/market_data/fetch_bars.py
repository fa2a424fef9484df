"""Enqueues the fetch of every tracked contract's bars when a minute has closed."""

from shared.db.market_data import contracts
from shared.ledger.jobs.market_data import FetchBars, FetchContractBars
from workers.context import Context
from workers.task import task


@task(FetchBars)
def fetch_bars(job: FetchBars, ctx: Context) -> dict[str, int]:
    """Enqueue one fetch per tracked contract and minute; its idempotency key makes a second run do nothing."""
    with ctx.transaction() as tx:
        tracked = contracts.list_tracked(tx.connection)
        for contract in ctx.random.sample(tracked, len(tracked)):  # so that of too many none is always the last
            tx.enqueue(
                FetchContractBars(contract_id=contract.id, closed_until=job.slot),
                key=f"bars:{contract.id}:{job.slot.isoformat()}",
            )
    return {"contracts": len(tracked)}
