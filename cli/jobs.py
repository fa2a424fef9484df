"""`tickwork jobs`: what was asked of the workers, and what became of it."""

from uuid import UUID

import click

from cli.output import print_json, print_table
from cli.stack import connect
from shared.db import views
from shared.errors import SettingsError
from shared.fleets import Queue

STATES = ("queued", "running", "succeeded", "failed", "dead", "cancelled", "expired")
_COLUMNS = ("id", "name", "queue", "state", "attempt", "enqueued_at", "finished_at", "error")


@click.group(name="jobs", invoke_without_command=True)
@click.option("--state", type=click.Choice(STATES), help="Only jobs in this state.")
@click.option("--queue", type=click.Choice([queue.value for queue in Queue]), help="Only jobs of this queue.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts.")
@click.pass_context
def command(ctx: click.Context, state: str | None, queue: str | None, limit: int, *, as_json: bool) -> None:
    """List jobs, newest first; `jobs show ID` tells one job's whole story."""
    if ctx.invoked_subcommand is not None:
        return
    with connect() as connection:
        rows = views.jobs(connection, state=state, queue=queue, limit=limit)
    if as_json:
        print_json({"jobs": rows})
    else:
        print_table("Jobs", rows, _COLUMNS, empty="No such jobs.")


@command.command("show")
@click.argument("job_id", type=click.UUID)
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts.")
def show(job_id: UUID, *, as_json: bool) -> None:
    """Tell the story of a job: it, what it asked for, and what asked for it."""
    with connect() as connection:
        rows = views.one_job(connection, job_id)
    if not rows:
        raise SettingsError(f"no job has the id {job_id}: `tickwork jobs` lists those there are")
    if as_json:
        print_json({"jobs": rows})
        return
    print_table("Its story, oldest first", rows, (*_COLUMNS[:-1], "worker"), empty="")
    for row in rows:
        if row["error"]:
            click.echo(f"\n{row['name']} {row['id']}:\n{row['error'].rstrip()}")
