"""The canary of a queue, which proves end to end that the queue is served."""

from datetime import timedelta

from shared.db.engine import limit_lock_wait
from shared.db.metrics import metrics
from shared.ledger.jobs.upkeep import Canary
from workers.context import Context
from workers.task import task

_LOCK_WAIT = timedelta(milliseconds=50)  # a canary must not keep a slot from the jobs behind it


@task(Canary)
def canary(_: Canary, ctx: Context) -> None:
    """Record that this queue's canary ran, and how long it waited; a second run records it twice."""
    with ctx.transaction() as tx:
        limit_lock_wait(tx.connection, _LOCK_WAIT)
        metrics.record_canary(tx.connection, ctx.job.queue, ctx.job.enqueued_at)
        tx.finish(None)
