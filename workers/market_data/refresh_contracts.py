"""Keeps the list of tradable contracts, and marks those we track."""

from collections import Counter

from shared.db.market_data import contracts
from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.rollup import start_of
from shared.errors import RefusedError
from shared.ledger.jobs.market_data import FetchContractBars, RefreshContracts
from workers.context import Context
from workers.task import task


@task(RefreshContracts)
def refresh_contracts(_: RefreshContracts, ctx: Context) -> dict[str, list[str]]:
    """Store what the venue offers and ask for the bars of what we track; twice asks for nothing new."""
    available = ctx.gateway.contracts_available()
    per_root = Counter(contract.root for contract in available if contract.is_active)
    roots = ctx.settings.contracts or tuple(per_root)
    tracked = [contract for contract in available if contract.is_active and contract.root in roots]
    for root in roots:
        if per_root[root] != 1:
            raise RefusedError(
                f"TICKWORK_CONTRACTS names {root}, of which the venue offers {per_root[root]} active contracts; "
                f"it offers {', '.join(sorted(per_root))}"
            )
    closed_until = start_of(ctx.market_now, MINUTE)
    with ctx.transaction() as tx:
        contracts.store(tx.connection, available)
        contracts.deactivate_all_but(tx.connection, [contract.id for contract in available])
        contracts.track_only(tx.connection, [contract.id for contract in tracked])
        for contract in tracked:
            tx.enqueue(FetchContractBars(contract_id=contract.id, closed_until=closed_until))
    return {"tracked": [contract.id for contract in tracked]}
