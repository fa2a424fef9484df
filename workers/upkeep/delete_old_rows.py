"""Deletes what has outlived its keeping time."""

from shared.db.upkeep.retention import delete_old
from shared.ledger.jobs import job_names_with
from shared.ledger.jobs.upkeep import DeleteOldRows
from workers.context import Context
from workers.task import task


@task(DeleteOldRows)
def delete_old_rows(_: DeleteOldRows, ctx: Context) -> dict[str, int]:
    """Delete, and say how many rows of which table; twice deletes nothing more."""
    return dict(delete_old(ctx.ledger.engine, job_names_with("is_probe")))
