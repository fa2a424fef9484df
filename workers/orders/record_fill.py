"""Writes down an execution that the hub told of."""

from shared.gateway import wire
from shared.ledger.jobs.orders import RecordFill
from workers.context import Context
from workers.orders import sync
from workers.task import task


@task(RecordFill)
def record_fill(job: RecordFill, ctx: Context) -> dict[str, int]:
    """Keep the fill, tied to our order if we know it; told twice, the second changes nothing."""
    fill = wire.fill(job.document)
    with ctx.transaction() as tx:
        sync.write_fills(tx, fill.account_id, [fill])
        tx.finish({"fill": fill.id})
    return {"fill": fill.id}
