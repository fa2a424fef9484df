"""Answers on their way to Telegram: written with what they tell of, and gone once they are sent."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, delete, func, insert, select

from shared.db.rows import has_rows
from shared.db.tables.telegram import telegram_answer

_KEPT_FOR = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class WaitingAnswer:
    """An answer that Telegram has not taken yet."""

    id: int
    telegram_id: int
    text: str


def add(connection: Connection, telegram_id: int, text: str, kept_for: timedelta = _KEPT_FOR) -> None:
    """Store an answer; it is sent once the transaction has committed, or given up after so long, as no longer true."""
    values = {"telegram_id": telegram_id, "text": text, "expires_at": func.now() + kept_for}
    connection.execute(insert(telegram_answer).values(**values))


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


def remove_expired(connection: Connection) -> int:
    """Remove the answers that were not sent in time, and return how many."""
    return connection.execute(delete(telegram_answer).where(telegram_answer.c.expires_at <= func.now())).rowcount
