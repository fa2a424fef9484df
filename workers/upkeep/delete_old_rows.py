"""Deletes rows that are older than their retention time."""

from shared.db.upkeep.retention import delete_old
from shared.ledger.jobs import job_names_with
from shared.ledger.jobs.upkeep import DeleteOldRows
from workers.context import Context
from workers.task import task


@task(DeleteOldRows)
def delete_old_rows(_: DeleteOldRows, ctx: Context) -> dict[str, int]:
    """Delete old rows and return their number by table; a second run deletes nothing more."""
    return dict(delete_old(ctx.ledger.engine, job_names_with("is_probe")))
