"""`tickwork jobs`: what was asked of the workers, what became of it, and what a person does about it."""

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import click

from cli.client.stack import connect
from cli.console.errors import headline
from cli.console.output import print_json, print_outcome, print_table
from shared.db import views
from shared.db.engine import driver
from shared.errors import RefusedError, SettingsError
from shared.fleets import Queue
from shared.ledger import operations
from shared.ledger.jobs import job_names_with
from shared.ledger.transitions import LedgerConnection

STATES = ("queued", "running", "succeeded", "failed", "dead", "cancelled", "expired")
_COLUMNS = ("id", "name", "queue", "state", "attempt", "enqueued_at", "finished_at", "error")
_DEAD_COLUMNS = ("id", "name", "queue", "attempts", "finished_at", "error")
_STORY_COLUMNS = ("id", "name", "queue", "state", "attempt", "enqueued_at", "started_at", "finished_at", "worker")
_DETAILS = ("arguments", "result", "sequence_key", "expires_at", "lease_until", "worker", "fence", "deadline")
_SHORTEST_PREFIX = 8
_as_json = click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts.")


class _JobId(click.ParamType[str]):
    """A job's id, or its beginning: as hexadecimal digits."""

    name = "job id"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse what can be neither."""
        digits = value.replace("-", "").lower()
        if not re.fullmatch(rf"[0-9a-f]{{{_SHORTEST_PREFIX},32}}", digits):
            self.fail(
                f"{value!r} is no job's id: give it, or its first {_SHORTEST_PREFIX} characters or more", param, ctx
            )
        return digits


@click.group(name="jobs", invoke_without_command=True)
@click.option("--state", type=click.Choice(STATES), help="Only jobs in this state.")
@click.option("--queue", type=click.Choice([queue.value for queue in Queue]), help="Only jobs of this queue.")
@click.option("--name", help="Only jobs of this name, such as orders.place_order.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@_as_json
@click.pass_context
def command(
    ctx: click.Context, state: str | None, queue: str | None, name: str | None, limit: int, *, as_json: bool
) -> None:
    """List jobs, newest first; `jobs show ID` tells one job's whole story."""
    if ctx.invoked_subcommand is not None:
        return
    with connect() as connection:
        rows = views.jobs(
            connection, hidden=job_names_with("is_probe"), state=state, queue=queue, name=name, limit=limit
        )
    if as_json:
        print_json({"jobs": rows})
    else:
        print_table("Jobs", [_headlined(row) for row in rows], _COLUMNS, empty="No such jobs.")


@command.command("dead")
@click.option("--name", help="Only jobs of this name.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@_as_json
def dead(name: str | None, limit: int, *, as_json: bool) -> None:
    """List the jobs whose attempts are spent, and which wait for a person."""
    with connect() as connection:
        rows = views.jobs(
            connection, hidden=job_names_with("is_probe"), state="dead", queue=None, name=name, limit=limit
        )
    if as_json:
        print_json({"jobs": rows})
        return
    shown = [_headlined(row) | {"attempts": f"{row['attempt']} of {row['max_attempts']}"} for row in rows]
    print_table("Dead jobs", shown, _DEAD_COLUMNS, empty="No such job is dead." if name else "No job is dead.")
    if rows:
        click.echo("`tickwork jobs show ID` tells why; then `tickwork jobs requeue ID` or `tickwork jobs discard ID`.")


@command.command("show")
@click.argument("job_id", metavar="ID", type=_JobId())
@_as_json
def show(job_id: str, *, as_json: bool) -> None:
    """Tell the story of a job: it, what it asked for, and what asked for it. ID may be cut after 8 characters."""
    with connect() as connection:
        (found,) = _whole(driver(connection), [job_id])
        rows = views.one_job(connection, found)
    if as_json:
        print_json({"jobs": rows})
        return
    print_table("Its story, oldest first", rows, _STORY_COLUMNS, empty="")
    for row in rows:
        _print_details(row)


@command.command("requeue")
@click.argument("job_ids", metavar="ID...", nargs=-1, type=_JobId())
@click.option("--all-dead", is_flag=True, help="Every dead job instead of those named by ID.")
@click.option("--name", help="With --all-dead: only jobs of this name.")
@click.option("--past-expiry", is_flag=True, help="Also one whose time is over; never an entry.")
@click.option("--yes", is_flag=True, help="With --all-dead: do not ask.")
@_as_json
def requeue(
    job_ids: tuple[str, ...], name: str | None, *, all_dead: bool, past_expiry: bool, yes: bool, as_json: bool
) -> None:
    """Queue ended jobs again, with all their attempts."""
    if bool(job_ids) == all_dead or (name is not None and not all_dead):
        raise SettingsError("say which: `jobs requeue ID...`, or `jobs requeue --all-dead [--name NAME]`")
    with _line() as line:
        found = operations.dead_ids(line, name) if all_dead else _whole(line, job_ids)
        if all_dead and found and not yes:
            _ask(len(found), may_ask=not as_json)
        _each("requeued", found, partial(operations.requeue, line, is_late_fine=past_expiry), as_json=as_json)


@command.command("discard")
@click.argument("job_ids", metavar="ID...", nargs=-1, type=_JobId(), required=True)
@_as_json
def discard(job_ids: tuple[str, ...], *, as_json: bool) -> None:
    """End dead or failed jobs that nobody needs to look at any more."""
    with _line() as line:
        _each("discarded", _whole(line, job_ids), partial(operations.discard, line), as_json=as_json)


@command.command("cancel")
@click.argument("job_ids", metavar="ID...", nargs=-1, type=_JobId(), required=True)
@_as_json
def cancel(job_ids: tuple[str, ...], *, as_json: bool) -> None:
    """Cancel jobs that have not begun."""
    with _line() as line:
        _each("cancelled", _whole(line, job_ids), partial(operations.cancel, line), as_json=as_json)


@contextmanager
def _line() -> Iterator[LedgerConnection]:
    with connect() as connection:
        yield driver(connection.execution_options(isolation_level="AUTOCOMMIT"))


def _ask(count: int, *, may_ask: bool) -> None:
    if not (may_ask and sys.stdin.isatty()):
        raise SettingsError(f"--all-dead would queue {count} again: add --yes, or name them by ID")
    if not click.confirm(f"Queue {count} again?", err=True):
        raise SettingsError("nothing was queued again")


def _whole(line: LedgerConnection, beginnings: Sequence[str]) -> list[UUID]:
    """Return the ids that begin so, each once."""
    return list(dict.fromkeys(_only(line, digits) for digits in beginnings))


def _only(line: LedgerConnection, digits: str) -> UUID:
    found = operations.ids_starting(line, digits)
    if not found:
        raise SettingsError(f"no job has the id {_written(digits)}: `tickwork jobs` lists those there are")
    if len(found) > 1:
        raise SettingsError(
            f"{_written(digits)} is the beginning of more than one id ({found[0]}, {found[1]}): give more of it"
        )
    return found[0]


def _written(digits: str) -> str:
    """Return an id's beginning as ids are written."""
    return "-".join(part for part in (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]) if part)


def _each(done: str, job_ids: Iterable[UUID], act: Callable[[UUID], None], *, as_json: bool) -> None:
    changed: list[UUID] = []
    refused: list[str] = []
    for job_id in job_ids:
        try:
            act(job_id)
        except RefusedError as error:
            refused.append(str(error))
        else:
            changed.append(job_id)
    print_outcome(done, changed, refused, as_json=as_json)


def _print_details(row: dict[str, Any]) -> None:
    click.echo(f"\n{row['name']} {row['id']}, {row['state']}, attempt {row['attempt']} of {row['max_attempts']}")
    for name in _DETAILS:
        if row[name] not in (None, {}):
            click.echo(f"  {name.replace('_', ' '):12} {_detail(row[name])}")
    if row["error"]:
        click.echo("  " + row["error"].rstrip().replace("\n", "\n  "))


def _detail(value: object) -> str:
    match value:
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S} UTC"
        case dict() | list():
            return json.dumps(value)
        case _:
            return str(value)


def _headlined(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row as a table shows it: one line of its error."""
    return row | {"error": row["error"] and headline(row["error"])}
