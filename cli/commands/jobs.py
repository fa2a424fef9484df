"""`tickwork jobs`: the jobs of the workers, their outcomes, and requeue, discard and cancel."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import click

from cli.client.stack import connect
from cli.console.errors import wants_traceback
from cli.console.groups import CommandGroup
from cli.console.list_options import echo_note, list_options
from cli.console.output import RefusedChange, describe_none, print_json, print_outcome
from cli.console.params import JobIdType, json_option
from cli.console.table import Table
from shared.db import views
from shared.db.engine import driver
from shared.domain.counting import count_of
from shared.domain.error_text import extract_headline
from shared.domain.market_data.contract_text import shorten_contracts
from shared.errors import RefusedError, SettingsError
from shared.fleets import Queue
from shared.ledger import operations
from shared.ledger.claims import LedgerConnection
from shared.ledger.jobs import job_names_with, job_types

STATES = ("queued", "running", "succeeded", "failed", "dead", "cancelled", "expired")
JOBS = Table(
    "Jobs",
    ("id", "name", "queue", "state", "attempt", "enqueued_at", "finished_at", "error"),
    spare=("finished_at", "attempt", "queue", "enqueued_at"),
    is_list=True,
)
DEAD = Table(
    "Dead jobs",
    ("id", "name", "queue", "attempts", "finished_at", "error"),
    spare=("queue", "attempts", "finished_at"),
    is_list=True,
)
RELATED = Table(
    "Job and related jobs, oldest first",
    ("id", "name", "queue", "state", "attempt", "enqueued_at", "started_at", "finished_at", "worker"),
    spare=("worker", "finished_at", "attempt", "queue", "enqueued_at"),
)

_DETAILS = (
    "arguments",
    "result",
    "sequence_key",
    "expires_at",
    "lease_until",
    "worker",
    "cancel_requested_at",
    "deadline",
    "requested_by",
    "failing_since",
    "schedule",
)


@click.group(name="jobs", cls=CommandGroup, invoke_without_command=True)
@click.option("--state", type=click.Choice(STATES), help="Only jobs in this state.")
@click.option(
    "--queue",
    type=click.Choice([queue.value for queue in Queue]),
    help="Only jobs in this queue, of the newest 100,000.",
)
@click.option("--name", help="Only jobs with this name, such as orders.place_order.")
@click.option("--all", "is_all", is_flag=True, help="Also routine: what the schedule repeats, and polls.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="Most jobs to list.")
@json_option
@list_options
@click.pass_context
def command(
    ctx: click.Context,
    state: str | None,
    queue: str | None,
    name: str | None,
    limit: int,
    *,
    is_all: bool,
    as_json: bool,
) -> None:
    """List jobs, newest first. `jobs show ID` shows one job with all related jobs.

    Routine that did not fail is left out unless --all, --state, --queue or --name asks for it.
    """
    if ctx.invoked_subcommand is not None:
        return
    is_chosen = is_all or any(one is not None for one in (state, queue, name))
    probes = job_names_with("is_probe")
    with connect() as connection:
        if is_chosen:
            rows = views.list_jobs(connection, hidden=probes, state=state, queue=queue, name=name, limit=limit)
        else:
            routine = {*probes, *job_names_with("is_repeated")}
            names = [one.job_name() for one in job_types() if one.job_name() not in routine]
            rows = views.list_notable_jobs(connection, names, limit)
    if as_json:
        print_json({"jobs": rows})
        return
    empty = describe_none("jobs", state=state, queue=queue, name=name)
    if name in probes:
        empty = f"{name} is a probe, which is not listed: `tickwork schedule` shows how its last run ended."
    JOBS.print([_with_headline(row) for row in rows], empty=empty)
    if not is_chosen:
        echo_note("Routine is not shown: `tickwork jobs --all` lists it too.")


@command.command("dead")
@click.option("--name", help="Only jobs with this name.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Most jobs to list.")
@json_option
@list_options
def list_dead(name: str | None, limit: int, *, as_json: bool) -> None:
    """List the dead jobs. They used up their attempts and stay dead until you act, or for 90 days."""
    with connect() as connection:
        rows = views.list_jobs(
            connection, hidden=job_names_with("is_probe"), state="dead", queue=None, name=name, limit=limit
        )
    if as_json:
        print_json({"jobs": rows})
        return
    shown = [_with_headline(row) | {"attempts": f"{row['attempt']} of {row['max_attempts']}"} for row in rows]
    empty = "No job is dead." if name is None else describe_none("dead jobs", name=name)
    DEAD.print(shown, empty=empty)
    if rows:
        echo_note(
            "`tickwork jobs show ID` shows why; then run `tickwork jobs requeue ID` or `tickwork jobs discard ID`."
        )


@command.command("show")
@click.argument("job_id", metavar="ID", type=JobIdType())
@json_option
def show(job_id: str, *, as_json: bool) -> None:
    """Show a job and its related jobs. The last 8 characters of ID are enough.

    Of an error it shows the cause; --traceback shows all that was recorded.
    """
    from shared.db import api_tokens  # noqa: PLC0415  # a list of jobs needs it not, and starts sooner

    with connect() as connection:
        (found,) = _resolve_ids(driver(connection), [job_id])
        rows = views.list_related_jobs(connection, found)
        requesters = api_tokens.find_requesters(connection, [row["id"] for row in rows])
    rows = [row | {"requested_by": requesters.get(row["id"])} for row in rows]
    if as_json:
        print_json({"jobs": rows})
        return
    RELATED.print(rows, empty="")
    for row in rows:
        _print_details(row)


@command.command("requeue")
@click.argument("job_ids", metavar="[ID]...", nargs=-1, type=JobIdType())
@click.option("--all-dead", is_flag=True, help="Requeue every dead job.")
@click.option("--name", help="With --all-dead: only jobs with this name.")
@click.option("--past-expiry", is_flag=True, help="Also requeue expired jobs, except entries.")
@click.option("--yes", is_flag=True, help="With --all-dead: skip the confirmation.")
@json_option
def requeue(
    job_ids: tuple[str, ...], name: str | None, *, all_dead: bool, past_expiry: bool, yes: bool, as_json: bool
) -> None:
    """Requeue ended jobs with a full number of attempts."""
    if bool(job_ids) == all_dead or (name is not None and not all_dead):
        raise SettingsError("choose the jobs: `jobs requeue ID...`, or `jobs requeue --all-dead [--name NAME]`")
    with _open_ledger() as connection:
        found = operations.list_dead_ids(connection, name) if all_dead else _resolve_ids(connection, job_ids)
        if all_dead and found and not yes:
            _confirm_requeue(len(found), may_ask=not as_json)
        _apply_to_each(
            "requeued", found, partial(operations.requeue, connection, may_be_past_expiry=past_expiry), as_json=as_json
        )


@command.command("discard")
@click.argument("job_ids", metavar="ID...", nargs=-1, type=JobIdType(), required=True)
@json_option
def discard(job_ids: tuple[str, ...], *, as_json: bool) -> None:
    """Discard dead or failed jobs: they end as cancelled."""
    with _open_ledger() as connection:
        _apply_to_each(
            "discarded", _resolve_ids(connection, job_ids), partial(operations.discard, connection), as_json=as_json
        )


@command.command("cancel")
@click.argument("job_ids", metavar="ID...", nargs=-1, type=JobIdType(), required=True)
@json_option
def cancel(job_ids: tuple[str, ...], *, as_json: bool) -> None:
    """Cancel queued jobs, and running ones at their next step.

    A running job that does not end within 5 s is ended with its process. What it did until then stays done.
    """
    with _open_ledger() as connection:
        _apply_to_each(
            "cancelled", _resolve_ids(connection, job_ids), partial(operations.cancel, connection), as_json=as_json
        )


@contextmanager
def _open_ledger() -> Iterator[LedgerConnection]:
    with connect() as connection:
        yield driver(connection.execution_options(isolation_level="AUTOCOMMIT"))


def _confirm_requeue(count: int, *, may_ask: bool) -> None:
    if not (may_ask and sys.stdin.isatty()):
        raise SettingsError(f"--all-dead would requeue {count_of(count, 'job')}: add --yes, or name them by ID")
    if not click.confirm(f"Requeue {count_of(count, 'job')}?", err=True):
        raise SettingsError("nothing was requeued")


def _resolve_ids(connection: LedgerConnection, parts: Sequence[str]) -> list[UUID]:
    """Return the id that each part of one means, without duplicates."""
    return list(dict.fromkeys(_resolve_id(connection, digits) for digits in parts))


def _resolve_id(connection: LedgerConnection, digits: str) -> UUID:
    found = operations.find_ids_by_part(connection, digits)
    if not found:
        raise SettingsError(f"no job id begins or ends with {digits}: `tickwork jobs` lists the ids")
    if len(found) > 1:
        raise SettingsError(f"job id {digits} is ambiguous ({found[0]}, {found[1]}): give more characters")
    return found[0]


def _apply_to_each(done: str, job_ids: Iterable[UUID], apply: Callable[[UUID], None], *, as_json: bool) -> None:
    changed: list[UUID] = []
    refused: list[RefusedChange] = []
    for job_id in job_ids:
        try:
            apply(job_id)
        except RefusedError as error:
            refused.append(RefusedChange(job_id, str(error)))
        else:
            changed.append(job_id)
    print_outcome(done, changed, refused, as_json=as_json)


def _print_details(row: dict[str, Any]) -> None:
    click.echo(f"\n{row['name']} {row['id']}, {row['state']}, attempt {row['attempt']} of {row['max_attempts']}")
    deadline_s = row["deadline_s"]
    cells = row | {"deadline": None if deadline_s is None else timedelta(seconds=deadline_s)}
    for name in _DETAILS:
        if cells[name] not in (None, {}):
            click.echo(f"  {name.replace('_', ' '):12} {_format_detail(cells[name])}")
    if row["error"]:
        error = row["error"].rstrip() if wants_traceback() else extract_headline(row["error"])
        click.echo("  " + shorten_contracts(error).replace("\n", "\n  "))


def _format_detail(value: object) -> str:
    match value:
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S} UTC"
        case dict() | list():
            return json.dumps(value)
        case _:
            return str(value)


def _with_headline(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with the headline of its error, for a table."""
    return row | {"error": row["error"] and extract_headline(row["error"])}
