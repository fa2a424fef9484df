"""Sums up calls and jobs, minute by minute."""

from datetime import timedelta

from shared.db.metrics import metrics
from shared.ledger.jobs.metrics import RollUp
from workers.context import Context
from workers.task import task

_FURTHEST_BACK = timedelta(hours=1)


@task(RollUp)
def roll_up(job: RollUp, ctx: Context) -> dict[str, int]:
    """Sum up every minute up to the slot that is not summed up yet, the newest known one again; the same twice."""
    with ctx.transaction() as tx:
        done = metrics.rolled_up_until(tx.connection)
        start = max(done, job.slot - _FURTHEST_BACK) if done else job.slot - _FURTHEST_BACK
        return {"rows": metrics.roll_up(tx.connection, start, job.slot)}
