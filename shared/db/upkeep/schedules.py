"""The schedule and its slots, as rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables.ledger import job, schedule, schedule_slot

SETTINGS = ("job_name", "clock", "every", "missed", "only_when_open")  # what the timetable in the code states


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """A row of the table `schedule`: one entry; `defaults` are None in one that a person added."""

    name: str
    job_name: str
    arguments: dict[str, Any]
    clock: str
    every: timedelta
    missed: str
    only_when_open: bool
    is_enabled: bool
    last_slot: datetime | None
    ran_at: datetime | None
    last_job_id: UUID | None
    defaults: dict[str, Any] | None
    stepped_back_at: datetime | None
    stepped_back_by: timedelta | None

    def list_changed(self) -> list[str]:
        """Return the settings that differ from the code's defaults: those that a person set."""
        if self.defaults is None:
            return []
        return [name for name in SETTINGS if _to_json(getattr(self, name)) != self.defaults.get(name)]


def seed(connection: Connection, entries: Sequence[Mapping[str, Any]]) -> None:
    """Bring the entries of the code's timetable into the table; what a person set, added or paused stays.

    An entry that the code no longer has is deleted, unless a person changed or paused it.
    """
    rows = {row.name: row for row in list_entries(connection)}
    for entry in entries:
        defaults = {name: _to_json(entry[name]) for name in SETTINGS}
        row = rows.get(entry["name"])
        if row is None:
            connection.execute(insert(schedule).values(**entry, defaults=defaults).on_conflict_do_nothing())
        elif row.defaults not in (None, defaults):
            _apply_defaults(connection, entry, defaults)
    names = {entry["name"] for entry in entries}
    for row in rows.values():
        if row.defaults is not None and row.name not in names:
            _retire(connection, row.name)


def _apply_defaults(connection: Connection, entry: Mapping[str, Any], defaults: dict[str, Any]) -> None:
    row = lock(connection, entry["name"])
    if row is not None:
        changed = row.list_changed()
        values = {name: entry[name] for name in SETTINGS if name not in changed}
        if values.get("clock", row.clock) != row.clock:  # its slots are of the other clock
            values["last_slot"] = None
        _update(connection, row.name, values | {"defaults": defaults})


def _retire(connection: Connection, name: str) -> None:
    row = lock(connection, name)
    if row is not None and row.is_enabled and not row.list_changed():
        connection.execute(delete(schedule).where(schedule.c.name == name))
    else:
        _update(connection, name, {"defaults": None})


def _to_json(value: object) -> object:
    return value.total_seconds() if isinstance(value, timedelta) else value


def list_entries(connection: Connection) -> list[ScheduleRow]:
    """Return all entries, in the order of their names."""
    return [ScheduleRow(**row) for row in connection.execute(select(schedule).order_by(schedule.c.name)).mappings()]


def read_time(connection: Connection) -> datetime:
    """Return Postgres' time now, which is one for all programs of a stack."""
    now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return now


def find(connection: Connection, name: str) -> ScheduleRow | None:
    """Return an entry; None if there is none."""
    row = connection.execute(select(schedule).where(schedule.c.name == name)).mappings().first()
    return None if row is None else ScheduleRow(**row)


def lock(connection: Connection, name: str) -> ScheduleRow | None:
    """Return an entry, locked against other beats until this transaction ends; None if there is none."""
    row = connection.execute(select(schedule).where(schedule.c.name == name).with_for_update()).mappings().first()
    return None if row is None else ScheduleRow(**row)


def read_last_states(connection: Connection) -> dict[str, str]:
    """Return the state of each entry's last job; jobs whose rows were deleted since are left out."""
    statement = select(schedule.c.name, job.c.state).join_from(schedule, job, job.c.id == schedule.c.last_job_id)
    return {row.name: row.state for row in connection.execute(statement)}


def change(connection: Connection, name: str, values: Mapping[str, Any]) -> None:
    """Change settings of an entry, or whether it is enabled."""
    _update(connection, name, values)


def set_last_slot(connection: Connection, name: str, slot: datetime) -> None:
    """Record that every slot up to `slot` has been processed."""
    _update(connection, name, {"last_slot": slot})


def record_step_back(connection: Connection, name: str, at: datetime, by: timedelta) -> None:
    """Record that the clock was set back since the last slot."""
    _update(connection, name, {"stepped_back_at": at, "stepped_back_by": by})


def record_run(connection: Connection, name: str, slot: datetime, job_id: UUID, ran_at: datetime) -> None:
    """Record the job that runs for the slot, and the time of the run; after a step back a slot may run again."""
    values = {"name": name, "slot": slot, "outcome": "enqueued", "job_id": job_id}
    again = {"outcome": "enqueued", "job_id": job_id, "recorded_at": func.now()}
    statement = insert(schedule_slot).values(values)
    connection.execute(statement.on_conflict_do_update(constraint="pk_schedule_slot", set_=again))
    _update(connection, name, {"ran_at": ran_at, "last_job_id": job_id})


def record_skipped(connection: Connection, name: str, slots: Iterable[datetime]) -> None:
    """Record slots that no beat ran, so that the gap is visible."""
    values = [{"name": name, "slot": slot, "outcome": "skipped"} for slot in slots]
    if values:
        connection.execute(insert(schedule_slot).on_conflict_do_nothing(), values)


def _update(connection: Connection, name: str, values: Mapping[str, Any]) -> None:
    connection.execute(update(schedule).where(schedule.c.name == name).values(**values))
