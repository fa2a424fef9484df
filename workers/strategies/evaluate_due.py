"""The backstop: requests the evaluations that no stored bar has requested."""

from shared.db.market_data import bar_coverage, contracts
from shared.ledger.jobs.strategies import EvaluateDue
from workers.context import Context
from workers.strategies.request_evaluations import request_evaluations
from workers.task import task


@task(EvaluateDue)
def evaluate_due(_: EvaluateDue, ctx: Context) -> dict[str, int]:
    """Request evaluations of the newest closed bars of every tracked contract; a request is never made twice."""
    requested = 0
    with ctx.transaction() as tx:
        for contract in contracts.list_tracked(tx.connection):
            complete = bar_coverage.read(tx.connection, contract.id).complete
            if complete:
                requested += request_evaluations(tx, ctx.settings, contract, complete[-1].end)
    return {"requested": requested}
