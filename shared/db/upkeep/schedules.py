"""The schedule and its slots."""

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
    """One entry as the table holds it."""

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
    """Add the entries the table lacks; what a person edited stays."""
    connection.execute(insert(schedule).on_conflict_do_nothing(), entries)


def entries(connection: Connection) -> list[ScheduleRow]:
    """Return the whole schedule."""
    return [ScheduleRow(**row) for row in connection.execute(select(schedule)).mappings()]


def lock(connection: Connection, name: str) -> ScheduleRow | None:
    """Return an entry as it is now, which no other beat deals with until this transaction ends; None if it is gone."""
    row = connection.execute(select(schedule).where(schedule.c.name == name).with_for_update()).mappings().first()
    return None if row is None else ScheduleRow(**row)


def deal_with(connection: Connection, name: str, slot: datetime) -> None:
    """Note that every slot up to `slot` has been dealt with."""
    connection.execute(update(schedule).where(schedule.c.name == name).values(last_slot=slot))


def note_run(connection: Connection, name: str, slot: datetime, job_id: UUID, ran_at: datetime) -> None:
    """Note which job runs for the slot, and when that was."""
    values = {"name": name, "slot": slot, "outcome": "enqueued", "job_id": job_id}
    connection.execute(insert(schedule_slot).values(values).on_conflict_do_nothing())
    connection.execute(update(schedule).where(schedule.c.name == name).values(ran_at=ran_at))


def note_skipped(connection: Connection, name: str, slots: Iterable[datetime]) -> None:
    """Note slots that nobody ran, so that the hole is visible."""
    values = [{"name": name, "slot": slot, "outcome": "skipped"} for slot in slots]
    if values:
        connection.execute(insert(schedule_slot).on_conflict_do_nothing(), values)
