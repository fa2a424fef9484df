"""Proves, end to end, that a queue is served."""

from shared.db.metrics import metrics
from shared.ledger.jobs.upkeep import Canary
from workers.context import Context
from workers.task import task


@task(Canary)
def canary(_: Canary, ctx: Context) -> None:
    """Note that this queue's canary came through, and how long it waited; twice notes it twice."""
    with ctx.transaction() as tx:
        metrics.note_canary(tx.connection, ctx.job.queue, ctx.job.enqueued_at)
        tx.finish(None)
