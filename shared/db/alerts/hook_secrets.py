"""The secrets that sign the requests of hooks; they are stored as they are, because a signature needs the key."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables.alerts import hook_secret
from shared.domain.alerts.signing_secret import SignatureScheme


@dataclass(frozen=True, slots=True)
class HookSecret:
    """One secret of a hook; its key is in no repr."""

    id: UUID
    hook_id: UUID
    scheme: SignatureScheme
    secret: bytes = field(repr=False)
    created_at: datetime
    expires_at: datetime | None

    def is_valid_at(self, now: datetime) -> bool:
        """Whether it has not expired."""
        return self.expires_at is None or now < self.expires_at


_COLUMNS = [hook_secret.c[name] for name in HookSecret.__dataclass_fields__]
_IS_UNEXPIRED = or_(hook_secret.c.expires_at.is_(None), hook_secret.c.expires_at > func.now())


def select_unexpired() -> Select[Any]:
    """Return the select of the secrets that have not expired, of every hook."""
    return select(*_COLUMNS).where(_IS_UNEXPIRED)


def secret_of(row: Row[Any]) -> HookSecret:
    """Return the secret of a row of `select_unexpired`."""
    values = row._asdict()
    return HookSecret(**values | {"scheme": SignatureScheme(values["scheme"])})


def list_of_hook(connection: Connection, hook_id: UUID) -> Sequence[HookSecret]:
    """Return the secrets of a hook that have not expired, oldest first."""
    statement = select_unexpired().where(hook_secret.c.hook_id == hook_id).order_by(hook_secret.c.id)
    return [secret_of(row) for row in connection.execute(statement)]


def add(connection: Connection, secret_id: UUID, hook_id: UUID, scheme: SignatureScheme, key: bytes) -> None:
    """Add a secret to a hook, and delete those of it that have expired."""
    delete_expired(connection, hook_id)
    connection.execute(insert(hook_secret).values(id=secret_id, hook_id=hook_id, scheme=scheme.value, secret=key))


def remove(connection: Connection, secret_id: UUID, after: timedelta | None) -> None:
    """Delete a secret, at once or let it expire `after` that time."""
    if after is None:
        connection.execute(delete(hook_secret).where(hook_secret.c.id == secret_id))
    else:
        statement = update(hook_secret).where(hook_secret.c.id == secret_id)
        connection.execute(statement.values(expires_at=func.now() + after))


def delete_expired(connection: Connection, hook_id: UUID) -> None:
    """Delete the expired secrets of a hook."""
    connection.execute(delete(hook_secret).where(hook_secret.c.hook_id == hook_id, ~_IS_UNEXPIRED))


def delete_of_hook(connection: Connection, hook_id: UUID) -> None:
    """Delete every secret of a hook."""
    connection.execute(delete(hook_secret).where(hook_secret.c.hook_id == hook_id))
