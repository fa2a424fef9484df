"""Scheduled jobs that safety needs, and those of them that a person has paused or slowed down."""

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import Connection

from shared.config import Settings
from shared.db.upkeep import schedules
from shared.db.upkeep.schedules import ScheduleRow
from shared.domain.duration_text import format_duration

_MOST_SLOWED = 10  # times its default period
NEEDED: Mapping[str, str] = {
    "reconcile_accounts": "orders and positions are not compared with the venue, and after a start nothing is entered "
    "until they are",
    "snapshot_accounts": "balances are not read from the venue, so the loss limits go by old ones",
    "fetch_bars": "new bars are not fetched, so strategies decide nothing",
    "evaluate_strategies": "strategies that a bar did not wake decide nothing",
    "refresh_contracts": "contracts do not roll to the next month",
    "check_disk": "a disk that fills up is not seen",
    "book_round_trips": "trades are booked only when a command lists them",
    "send_heartbeat": "the dead-man switch sends nothing, and its service raises an alarm",
    "send_notifications": "no notification is sent",
    "probe_receiver": "a public URL that no longer leads here is not seen",
}


def find_paused_jobs(connection: Connection, settings: Settings) -> str | None:
    """Return the jobs that safety needs and that do not run as they should, with what to do; None without one."""
    rows = schedules.list_entries(connection)
    found = [told for row in rows if (told := _describe(row, settings)) is not None]
    return "; ".join(found) or None


def describe_loss(row: ScheduleRow, settings: Settings, every: timedelta | None = None) -> str | None:
    """Return what is lost while an entry is paused, or runs only `every` so long; None if that is harmless."""
    unused = {
        "send_heartbeat": not settings.is_set("heartbeat_url"),
        "send_notifications": not settings.is_set("notify_channels"),
        "probe_receiver": not settings.public_url,
    }
    loss = NEEDED.get(row.name)
    if loss is None or unused.get(row.name) or (every is not None and not _is_slowed(row, every)):
        return None
    return loss if every is None else f"until its next run, up to {format_duration(every)} later, {loss}"


def _describe(row: ScheduleRow, settings: Settings) -> str | None:
    if not row.is_enabled and (loss := describe_loss(row, settings)) is not None:
        return f"{row.name} is paused: {loss}. `tickwork schedule resume {row.name}` lets it run"
    if row.is_enabled and (loss := describe_loss(row, settings, row.every)) is not None:
        return f"{row.name} is slowed down: {loss}. `tickwork schedule set {row.name} --default` takes that back"
    return None


def _is_slowed(row: ScheduleRow, every: timedelta) -> bool:
    return row.defaults is not None and every.total_seconds() > _MOST_SLOWED * float(row.defaults["every"])
