"""Flattens by Telegram whose outcome is not told yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select

from shared.db.tables.telegram import telegram_flatten
from shared.ids import new_id


@dataclass(frozen=True, slots=True)
class FollowedFlatten:
    """The flatten requests of one command; what is left `until_at` is told then."""

    id: UUID
    telegram_id: int
    flatten_request_ids: Sequence[UUID]
    until_at: datetime


_COLUMNS = [telegram_flatten.c[name] for name in FollowedFlatten.__dataclass_fields__]


def add(connection: Connection, telegram_id: int, flatten_request_ids: Sequence[UUID], until: datetime) -> None:
    """Let the outcome of flatten requests be told to a Telegram account."""
    values = {"id": new_id(), "telegram_id": telegram_id, "until_at": until}
    connection.execute(insert(telegram_flatten).values(flatten_request_ids=list(flatten_request_ids), **values))


def lock_all(connection: Connection) -> list[FollowedFlatten]:
    """Return those that no other program tells of now, oldest first, locked."""
    statement = select(*_COLUMNS).order_by(telegram_flatten.c.id).with_for_update(skip_locked=True)
    return [FollowedFlatten(*row) for row in connection.execute(statement)]


def remove(connection: Connection, followed_id: UUID) -> None:
    """Remove one whose outcome is told."""
    connection.execute(delete(telegram_flatten).where(telegram_flatten.c.id == followed_id))
