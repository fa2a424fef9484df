"""A job without effect, to try out a queue."""

from threading import Event

from shared.ledger.jobs.upkeep import DoNothing
from workers.context import Context
from workers.task import task


@task(DoNothing)
def do_nothing(job: DoNothing, ctx: Context) -> dict[str, str]:
    """Return the note after the requested seconds; may run any number of times."""
    Event().wait(job.seconds)
    return {"note": job.note, "worker": str(ctx.job.worker)}
