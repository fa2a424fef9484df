"""The schedule and its slots, as rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables.ledger import schedule, schedule_slot


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """A row of the table `schedule`: one entry."""

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


def seed(connection: Connection, entries: Sequence[dict[str, Any]]) -> None:
    """Add the entries that the table does not have; edits by a person stay."""
    connection.execute(insert(schedule).on_conflict_do_nothing(), entries)


def list_entries(connection: Connection) -> list[ScheduleRow]:
    """Return all entries."""
    return [ScheduleRow(**row) for row in connection.execute(select(schedule)).mappings()]


def lock(connection: Connection, name: str) -> ScheduleRow | None:
    """Return an entry, locked against other beats until this transaction ends; None if there is none."""
    row = connection.execute(select(schedule).where(schedule.c.name == name).with_for_update()).mappings().first()
    return None if row is None else ScheduleRow(**row)


def set_last_slot(connection: Connection, name: str, slot: datetime) -> None:
    """Record that every slot up to `slot` has been processed."""
    connection.execute(update(schedule).where(schedule.c.name == name).values(last_slot=slot))


def record_run(connection: Connection, name: str, slot: datetime, job_id: UUID, ran_at: datetime) -> None:
    """Record the job that runs for the slot, and the time of the run."""
    values = {"name": name, "slot": slot, "outcome": "enqueued", "job_id": job_id}
    connection.execute(insert(schedule_slot).values(values).on_conflict_do_nothing())
    connection.execute(update(schedule).where(schedule.c.name == name).values(ran_at=ran_at))


def record_skipped(connection: Connection, name: str, slots: Iterable[datetime]) -> None:
    """Record slots that no beat ran, so that the gap is visible."""
    values = [{"name": name, "slot": slot, "outcome": "skipped"} for slot in slots]
    if values:
        connection.execute(insert(schedule_slot).on_conflict_do_nothing(), values)
