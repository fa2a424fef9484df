"""What is wrong of all that is watched for a trader: told when it lasts, and again when it is right."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables.notifications import watched_fault

_LASTS_FOR = timedelta(seconds=10)  # a subscription that is renewed is gone for less


@dataclass(frozen=True, slots=True)
class ChangedFault:
    """A fault to tell of: `is_wrong`, or right again; `since_at` is when it began."""

    name: str
    since_at: datetime
    is_wrong: bool


def record(connection: Connection, watched: Collection[str], wrong: Collection[str]) -> list[ChangedFault]:
    """Record which of what is `watched` is wrong; return what is to be told, each once.

    That is what has been wrong for ten seconds, and what was told of and is right again. A fault that began later than
    now was there before the clock was set back.
    """
    table = watched_fault.c
    returned = (table.name, table.since_at, table.notified_at)
    right = set(watched) - set(wrong)
    ended = connection.execute(delete(watched_fault).where(table.name.in_(right)).returning(*returned)).all()
    if wrong:
        rows = [{"name": name} for name in sorted(wrong)]
        connection.execute(insert(watched_fault).values(rows).on_conflict_do_nothing())
    lasts = (table.since_at <= func.now() - _LASTS_FOR) | (table.since_at > func.now())
    is_due = table.notified_at.is_(None) & lasts & table.name.in_(set(wrong))
    begun = connection.execute(update(watched_fault).where(is_due).values(notified_at=func.now()).returning(*returned))
    found = [ChangedFault(row.name, row.since_at, is_wrong=False) for row in ended if row.notified_at is not None]
    return found + [ChangedFault(row.name, row.since_at, is_wrong=True) for row in begun]
