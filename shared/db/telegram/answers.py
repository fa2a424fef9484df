"""Answers on their way to Telegram: written with what they tell of, and gone once they are sent."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from shared.db.rows import has_rows
from shared.db.tables.telegram import telegram_answer


@dataclass(frozen=True, slots=True)
class WaitingAnswer:
    """An answer that Telegram has not taken yet."""

    id: int
    telegram_id: int
    text: str


def add(connection: Connection, telegram_id: int, text: str) -> None:
    """Store an answer; it is sent once the transaction has committed."""
    connection.execute(insert(telegram_answer).values(telegram_id=telegram_id, text=text))


def is_waiting(connection: Connection, telegram_id: int) -> bool:
    """Whether an answer waits for a Telegram account."""
    return has_rows(connection, select(telegram_answer.c.id).where(telegram_answer.c.telegram_id == telegram_id))


def find_next(connection: Connection) -> WaitingAnswer | None:
    """Return the oldest answer; None if none waits."""
    columns = (telegram_answer.c.id, telegram_answer.c.telegram_id, telegram_answer.c.text)
    row = connection.execute(select(*columns).order_by(telegram_answer.c.id).limit(1)).one_or_none()
    return None if row is None else WaitingAnswer(*row)


def remove(connection: Connection, answer_id: int) -> None:
    """Remove an answer that was sent, or that Telegram refuses."""
    connection.execute(delete(telegram_answer).where(telegram_answer.c.id == answer_id))


def remove_older(connection: Connection, before: datetime) -> int:
    """Remove the answers that are older, and return how many: what they say is no longer true."""
    return connection.execute(delete(telegram_answer).where(telegram_answer.c.created_at < before)).rowcount
