"""The users of the Telegram bot: paired by a code, confirmed by an authenticator app, locked after wrong codes."""

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from sqlalchemy import ColumnElement, Connection, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables.telegram import telegram_user


@dataclass(frozen=True, slots=True)
class TelegramUser:
    """A row of the table `telegram_user`, without what pairs it."""

    name: str
    telegram_id: int | None
    totp_secret: str = field(repr=False)
    used_step: int | None
    pairing_expires_at: datetime | None
    paired_at: datetime | None
    failed_count: int
    locked_until_at: datetime | None
    pending_act: str | None
    pending_reason: str | None
    pending_until_at: datetime | None
    created_at: datetime

    def is_locked(self, now: datetime) -> bool:
        """Whether wrong codes keep the user from acting now."""
        return self.locked_until_at is not None and now < self.locked_until_at


_COLUMNS = [telegram_user.c[name] for name in TelegramUser.__dataclass_fields__]


def hash_pairing_code(code: str) -> bytes:
    """Return what is stored of a pairing code, which may be typed in any case."""
    return sha256(code.strip().upper().encode()).digest()


def add(connection: Connection, name: str, totp_secret: str, pairing_hash: bytes, expires_at: datetime) -> bool:
    """Add a user, or one that was never paired anew; False if a Telegram account is paired with the name."""
    values = {"totp_secret": totp_secret, "pairing_hash": pairing_hash, "pairing_expires_at": expires_at}
    statement = insert(telegram_user).values(name=name, **values)
    added = statement.on_conflict_do_update(
        index_elements=["name"], set_=values, where=telegram_user.c.telegram_id.is_(None)
    ).returning(telegram_user.c.name)
    return connection.execute(added).one_or_none() is not None


def remove(connection: Connection, name: str) -> TelegramUser | None:
    """Remove a user and return the row; None if there is none."""
    row = connection.execute(
        delete(telegram_user).where(telegram_user.c.name == name).returning(*_COLUMNS)
    ).one_or_none()
    return None if row is None else TelegramUser(*row)


def list_all(connection: Connection) -> list[TelegramUser]:
    """Return all users by name."""
    return [TelegramUser(*row) for row in connection.execute(select(*_COLUMNS).order_by(telegram_user.c.name))]


def find_by_telegram_id(connection: Connection, telegram_id: int) -> TelegramUser | None:
    """Return the user who is paired with a Telegram account; None if there is none."""
    row = connection.execute(select(*_COLUMNS).where(telegram_user.c.telegram_id == telegram_id)).one_or_none()
    return None if row is None else TelegramUser(*row)


def lock_by_telegram_id(connection: Connection, telegram_id: int) -> TelegramUser | None:
    """Return the user who is paired with a Telegram account, locked; None if there is none."""
    return _lock(connection, telegram_user.c.telegram_id == telegram_id)


def lock_by_pairing_hash(connection: Connection, pairing_hash: bytes, now: datetime) -> TelegramUser | None:
    """Return the user whose pairing code has this hash and has not expired, locked; None if there is none."""
    has_code = telegram_user.c.pairing_hash == pairing_hash
    return _lock(connection, has_code & (telegram_user.c.pairing_expires_at > now))


def pair(connection: Connection, name: str, telegram_id: int, now: datetime) -> None:
    """Pair a user with a Telegram account; its code is used."""
    _change(connection, name, telegram_id=telegram_id, paired_at=now, pairing_hash=None, pairing_expires_at=None)


def set_pending(connection: Connection, name: str, act: str, reason: str | None, until: datetime) -> None:
    """Let an act wait for a code, in the place of one that waits."""
    _change(connection, name, pending_act=act, pending_reason=reason, pending_until_at=until)


def clear_pending(connection: Connection, name: str) -> None:
    """Let nothing wait for a code."""
    _change(connection, name, pending_act=None, pending_reason=None, pending_until_at=None)


def record_right_code(connection: Connection, name: str, step: int) -> None:
    """Record a right code by its step: it is good once; what waited for it does no more."""
    clear_pending(connection, name)
    _change(connection, name, used_step=step, failed_count=0, locked_until_at=None)


def record_wrong_code(connection: Connection, name: str, failed_count: int, locked_until: datetime | None) -> None:
    """Record a wrong code, and until when the user is locked for it, if so."""
    _change(connection, name, failed_count=failed_count, locked_until_at=locked_until)


def _lock(connection: Connection, which: ColumnElement[bool]) -> TelegramUser | None:
    row = connection.execute(select(*_COLUMNS).where(which).with_for_update()).one_or_none()
    return None if row is None else TelegramUser(*row)


def _change(connection: Connection, name: str, **values: object) -> None:
    connection.execute(update(telegram_user).where(telegram_user.c.name == name).values(**values))
