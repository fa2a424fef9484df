"""Sums up calls to the venue and jobs, minute by minute."""

from datetime import timedelta

from shared.db.metrics import metrics
from shared.ledger.jobs.metrics import RollUp
from workers.context import Context
from workers.task import task

_MAX_LOOKBACK = timedelta(hours=1)


@task(RollUp)
def roll_up(job: RollUp, ctx: Context) -> dict[str, int]:
    """Sum up each minute up to the slot that has no sum yet, and the newest one again; a second run changes nothing."""
    with ctx.transaction() as tx:
        done = metrics.find_newest_rollup(tx.connection)
        start = max(done, job.slot - _MAX_LOOKBACK) if done else job.slot - _MAX_LOOKBACK
        return {"rows": metrics.roll_up(tx.connection, start, job.slot)}
