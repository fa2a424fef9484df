"""How far the updates of a bot were handled, and whether Telegram answers."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables.telegram import telegram_bot

# After a week without updates Telegram begins anew, at a random number that may be a lower one.
_KEEPS_NUMBERS_FOR = timedelta(days=6)


@dataclass(frozen=True, slots=True)
class BotRow:
    """A row of the table `telegram_bot`."""

    bot_id: int
    next_update_id: int | None
    updated_at: datetime | None
    polled_at: datetime | None
    failing_since_at: datetime | None
    error: str | None
    ignored_count: int

    def offset(self, now: datetime) -> int | None:
        """Return from which update on Telegram is asked; None after so long that its numbers may have begun anew."""
        is_recent = self.updated_at is not None and self.updated_at > now - _KEEPS_NUMBERS_FOR
        return self.next_update_id if is_recent else None

    def has_handled(self, update_id: int, now: datetime) -> bool:
        """Whether this update was handled: it has come again."""
        offset = self.offset(now)
        return offset is not None and update_id < offset


_COLUMNS = [telegram_bot.c[name] for name in BotRow.__dataclass_fields__]


def find(connection: Connection, bot_id: int) -> BotRow | None:
    """Return the row of a bot; None before its first start."""
    row = connection.execute(select(*_COLUMNS).where(telegram_bot.c.bot_id == bot_id)).one_or_none()
    return None if row is None else BotRow(*row)


def lock(connection: Connection, bot_id: int) -> BotRow:
    """Return the row of a bot, which is made if there is none, and keep others from handling updates of it."""
    connection.execute(insert(telegram_bot).values(bot_id=bot_id).on_conflict_do_nothing())
    return BotRow(*connection.execute(select(*_COLUMNS).where(telegram_bot.c.bot_id == bot_id).with_for_update()).one())


def record_update(connection: Connection, bot_id: int, update_id: int, now: datetime, *, is_ignored: bool) -> None:
    """Record, in the transaction of all that it leads to, that an update was handled."""
    statement = update(telegram_bot).where(telegram_bot.c.bot_id == bot_id)
    ignored = telegram_bot.c.ignored_count + int(is_ignored)
    connection.execute(statement.values(next_update_id=update_id + 1, updated_at=now, ignored_count=ignored))


def record_start(connection: Connection, bot_id: int, now: datetime) -> None:
    """Record that the bot asks from now on, so that the time before does not count as silence."""
    statement = update(telegram_bot).where(telegram_bot.c.bot_id == bot_id, telegram_bot.c.polled_at.is_not(None))
    connection.execute(statement.values(polled_at=now))


def record_poll(connection: Connection, bot_id: int, now: datetime, error: str | None) -> None:
    """Record that Telegram has answered, or why it has not."""
    values: dict[str, object] = {"error": error}
    since = telegram_bot.c.failing_since_at
    failing_since = connection.execute(select(since).where(telegram_bot.c.bot_id == bot_id)).scalar_one_or_none()
    values |= {"failing_since_at": failing_since or now} if error else {"failing_since_at": None, "polled_at": now}
    statement = insert(telegram_bot).values(bot_id=bot_id, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["bot_id"], set_=values))
