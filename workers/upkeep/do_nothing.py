"""Proves that a queue is served."""

from shared.ledger.jobs.upkeep import DoNothing
from workers.context import Context
from workers.task import task


@task(DoNothing)
def do_nothing(job: DoNothing, ctx: Context) -> dict[str, str]:
    """Return the note; may run any number of times."""
    return {"note": job.note, "worker": ctx.job.worker}
