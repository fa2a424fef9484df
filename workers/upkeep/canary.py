"""The canary of a queue, which proves end to end that the queue is served."""

from shared.db.metrics import metrics
from shared.ledger.jobs.upkeep import Canary
from workers.context import Context
from workers.task import task


@task(Canary)
def canary(_: Canary, ctx: Context) -> None:
    """Record that this queue's canary ran, and how long it waited; a second run records it twice."""
    with ctx.transaction() as tx:
        metrics.record_canary(tx.connection, ctx.job.queue, ctx.job.enqueued_at)
        tx.finish(None)
