"""Packs the bars of trading days that are fetched no more."""

from shared.db.market_data import bar_coverage, bars, contracts
from shared.ledger.jobs.market_data import PackBars
from workers.context import Context
from workers.task import task


@task(PackBars)
def pack_bars(_: PackBars, ctx: Context) -> dict[str, int]:
    """Pack what has become old, a contract a transaction; a second run finds nothing to pack."""
    with ctx.autocommit() as connection:
        contract_ids = contracts.list_with_rows(connection)
    count = 0
    for contract_id in contract_ids:
        with ctx.transaction() as tx:
            bar_coverage.lock(tx.connection, contract_id)
            count += len(bars.pack_old_days(tx.connection, contract_id, ctx.market_now))
    return {"days": count}
