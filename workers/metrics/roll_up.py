"""Sums up calls to the venue, jobs, orders and evaluations by minute, hour and day, and gauges by hour and day."""

from shared.db.metrics import rollups
from shared.ledger.jobs import job_names_with
from shared.ledger.jobs.metrics import RollUp
from workers.context import Context
from workers.task import task


@task(RollUp)
def roll_up(job: RollUp, ctx: Context) -> dict[str, int]:
    """Sum up each minute up to the slot that has no sum yet, and the newest again; a second run changes nothing."""
    with ctx.transaction() as tx:
        return {"rows": rollups.roll_up(tx.connection, job.slot, job_names_with("is_probe"))}
