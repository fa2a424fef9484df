"""`tickwork schedule`: the timetable of the jobs that run again and again; a person may change, pause and run them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import click
import msgspec
from sqlalchemy import Connection

from cli.client.change_check import confirm, current_actor
from cli.client.risk_view import require_market
from cli.client.stack import begin, connect, load_stack_settings
from cli.console.groups import CommandGroup
from cli.console.list_options import echo_note, list_options
from cli.console.output import print_json
from cli.console.params import DurationType, json_option, reason_option, yes_option
from cli.console.table import Table
from shared.clock import MarketClock
from shared.db.accounts.audit import record_act
from shared.db.upkeep import schedules
from shared.db.upkeep.schedules import ScheduleRow
from shared.domain.duration_text import format_duration
from shared.domain.upkeep.slots import Missed, slot_at
from shared.errors import QueueFullError, RefusedError
from shared.ledger.ledger import Transaction
from shared.ledger.schedule_jobs import build_request, enqueue_slot, takes_slot
from shared.overview.paused_jobs import describe_loss

SCHEDULE = Table(
    "Schedule (last slot by the entry's clock, the rest in machine time)",
    ("name", "job_name", "clock", "every", "missed", "state", "last_slot", "ran_at", "outcome", "next_due_at"),
    spare=("job_name", "missed", "last_slot", "ran_at", "clock"),
    is_list=True,
)
_SHORTEST, _LONGEST = timedelta(seconds=1), timedelta(days=7)
_MINUTE = timedelta(minutes=1)


@click.group(name="schedule", cls=CommandGroup)
def command() -> None:
    """List, change, pause and run the scheduled jobs. Without a command: list them."""


@command.command("list")
@json_option
@list_options
def list_schedule(*, as_json: bool) -> None:
    """List the entries of the schedule, with the last job of each, its state, and when the next is due.

    Slots are in the time of the entry's clock, `ran at` and `next due at` in that of Postgres. An entry that runs only
    in sessions lets the slots outside pass.
    """
    with connect() as connection:
        clock = require_market(connection).clock
        entries, now = schedules.list_entries(connection), schedules.read_time(connection)
        states = schedules.read_last_states(connection)
    rows = [_to_figures(entry, clock, now, states.get(entry.name)) for entry in entries]
    if as_json:
        print_json({"schedule": rows})
        return
    shown = [
        row | {"every": format_duration(entry.every), "state": _describe_state(row)}
        for row, entry in zip(rows, entries, strict=True)
    ]
    SCHEDULE.print(shown, empty="No entries yet: beat adds them when it starts.")
    for entry in entries:
        if changed := entry.list_changed():
            echo_note(f"{entry.name}: {', '.join(changed)} set by a person.")


def _to_figures(entry: ScheduleRow, clock: MarketClock, now: datetime, outcome: str | None) -> dict[str, Any]:
    return {
        "name": entry.name,
        "job_name": entry.job_name,
        "arguments": entry.arguments,
        "clock": entry.clock,
        "every_s": entry.every.total_seconds(),
        "missed": entry.missed,
        "only_when_open": entry.only_when_open,
        "is_enabled": entry.is_enabled,
        "last_slot": entry.last_slot,
        "ran_at": entry.ran_at,
        "job_id": entry.last_job_id,
        "outcome": outcome,
        "next_due_at": _find_next(entry, clock, now) if entry.is_enabled else None,
        "defaults": entry.defaults and _name_seconds(entry.defaults),
        "changed": ["every_s" if name == "every" else name for name in entry.list_changed()],
        "stepped_back_at": entry.stepped_back_at,
    }


def _find_next(entry: ScheduleRow, clock: MarketClock, now: datetime) -> datetime:
    """Return when the next slot is due, in machine time."""
    if entry.clock == "machine":
        return slot_at(now, entry.every) + entry.every
    return clock.to_machine(slot_at(clock.to_market(now), entry.every) + entry.every)


def _describe_state(row: Mapping[str, Any]) -> str:
    if not row["is_enabled"]:
        return "PAUSED"
    return "in sessions" if row["only_when_open"] else "always"


@command.command("set")
@click.argument("name")
@click.option("--every", type=DurationType(), metavar="DURATION", help="The period, such as 30s, 5m or 1h.")
@click.option(
    "--missed",
    type=click.Choice([one.value for one in Missed]),
    help="How to treat slots that passed while no beat ran.",
)
@click.option("--only-when-open/--always", "only_when_open", default=None, help="Only in sessions, or at any time.")
@click.option("--default", "to_default", is_flag=True, help="Every setting as the code has it.")
@reason_option
@yes_option
@json_option
def change(
    name: str,
    every: timedelta | None,
    missed: str | None,
    reason: str | None,
    *,
    only_when_open: bool | None,
    to_default: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Change an entry. What you set stays when a later version has another default; --default takes it back.

    Asks for confirmation before one that safety needs runs much less often.
    """
    given = {"every": every, "missed": missed, "only_when_open": only_when_open}
    given = {setting: value for setting, value in given.items() if value is not None}
    if bool(given) == to_default:
        raise click.UsageError("give --every, --missed, --only-when-open or --always, or else --default")
    if every is not None and not yes:
        _confirm(name, every, as_json=as_json)
    with begin() as connection:
        entry = _lock(connection, name)
        values = given if not to_default else _read_defaults(entry)
        _validate(entry, values)
        before = {setting: _to_plain(getattr(entry, setting)) for setting in values}
        after = {setting: _to_plain(value) for setting, value in values.items()}
        if before != after:
            schedules.change(connection, name, values)
            _record(connection, "schedule_set", before, {"name": name} | after, reason)
    if as_json:
        print_json({"name": name} | _name_seconds(values))
    else:
        told = ", ".join(f"{setting} {_to_word(value)}" for setting, value in values.items())
        click.echo(f"{name}: {told}." if before != after else f"{name} is unchanged: {told}.")


def _read_defaults(entry: ScheduleRow) -> dict[str, Any]:
    if entry.defaults is None:
        raise RefusedError(f"{entry.name} was added by a person: the code has no default for it")
    names = ("every", "missed", "only_when_open")
    return {name: entry.defaults[name] for name in names} | {"every": timedelta(seconds=entry.defaults["every"])}


def _validate(entry: ScheduleRow, values: Mapping[str, Any]) -> None:
    every = values.get("every")
    if every is not None and not _SHORTEST <= every <= _LONGEST:
        raise RefusedError(f"invalid period {format_duration(every)}: expected 1s to {_LONGEST.days}d")
    if every is not None and every % _MINUTE and _takes_slot(entry):
        raise RefusedError(f"invalid period {format_duration(every)}: {entry.job_name} takes whole minutes")
    if values.get("only_when_open") and entry.clock != "market":
        raise RefusedError(f"{entry.name} runs by the machine's clock, which knows no sessions: use --always")


def _takes_slot(entry: ScheduleRow) -> bool:
    try:
        return takes_slot(entry.job_name)
    except LookupError as error:
        raise RefusedError(str(error)) from None


@command.command("pause")
@click.argument("name")
@reason_option
@yes_option
@json_option
def pause(name: str, reason: str | None, *, yes: bool, as_json: bool) -> None:
    """Pause an entry: its slots pass until `tickwork schedule resume`. What is queued or runs is left.

    Asks for confirmation for one that safety needs.
    """
    if not yes:
        _confirm(name, None, as_json=as_json)
    _switch(name, reason, is_enabled=False, as_json=as_json)


@command.command("resume")
@click.argument("name")
@reason_option
@json_option
def resume(name: str, reason: str | None, *, as_json: bool) -> None:
    """Let a paused entry run again."""
    _switch(name, reason, is_enabled=True, as_json=as_json)


def _confirm(name: str, every: timedelta | None, *, as_json: bool) -> None:
    """Ask before an entry that safety needs is paused, or runs only `every` so long."""
    with connect() as connection:
        entry = schedules.find(connection, name)
    if entry is not None and every is not None:
        _validate(entry, {"every": every})
    loss = None if entry is None or not entry.is_enabled else describe_loss(entry, load_stack_settings(), every)
    if loss is not None:
        act = "pause" if every is None else "change"
        confirm(f"{name}: {loss}. {act.capitalize()} it?", f"{act} it", as_json=as_json)


def _switch(name: str, reason: str | None, *, is_enabled: bool, as_json: bool) -> None:
    with begin() as connection:
        was_enabled = _lock(connection, name).is_enabled
        if was_enabled != is_enabled:
            schedules.change(connection, name, {"is_enabled": is_enabled})
            act = "schedule_resume" if is_enabled else "schedule_pause"
            after = {"name": name, "is_enabled": is_enabled}
            _record(connection, act, {"is_enabled": was_enabled}, after, reason)
    if as_json:
        print_json({"name": name, "is_enabled": is_enabled})
    else:
        verb = "was already" if was_enabled == is_enabled else "is"
        click.echo(f"{name} {verb} {'scheduled' if is_enabled else 'paused'}.")


@command.command("run")
@click.argument("name")
@json_option
def run(name: str, *, as_json: bool) -> None:
    """Enqueue the job of an entry now, also of a paused one; it supersedes one that is still queued."""
    with begin() as connection:
        clock, entry, now = require_market(connection).clock, _lock(connection, name), schedules.read_time(connection)
        is_market = entry.clock == "market"
        slot = slot_at(clock.to_market(now) if is_market else now, entry.every)
        period = entry.every / clock.speed if is_market else entry.every
        try:
            request = build_request(entry, slot)
            job_id = enqueue_slot(Transaction(connection), entry, slot, request, period=period, now=now).job_id
        except (LookupError, msgspec.ValidationError, QueueFullError) as error:
            raise RefusedError(f"{name}: {error}") from None
        _record(connection, "schedule_run", {}, {"name": name, "job_id": job_id}, None)
    if as_json:
        print_json({"name": name, "job_id": job_id, "job_name": entry.job_name, "slot": slot})
    else:
        click.echo(f"{entry.job_name} is enqueued: `tickwork jobs show {job_id}` shows its outcome.")


def _lock(connection: Connection, name: str) -> ScheduleRow:
    entry = schedules.lock(connection, name)
    if entry is None:
        raise RefusedError(f"no entry {name!r}: `tickwork schedule list` lists the names")
    return entry


def _record(
    connection: Connection, act: str, before: Mapping[str, object], after: Mapping[str, object], reason: str | None
) -> None:
    record_act(connection, current_actor(), act, None, before=before, after=after, reason=reason)


def _name_seconds(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings for JSON: the period, a duration or seconds, as `every_s`."""
    names = {"every": "every_s"}
    plain = {name: one.total_seconds() if isinstance(one, timedelta) else one for name, one in settings.items()}
    return {names.get(name, name): value for name, value in plain.items()}


def _to_plain(value: object) -> object:
    return format_duration(value) if isinstance(value, timedelta) else value


def _to_word(value: object) -> str:
    return str(_to_plain(value)).lower()
