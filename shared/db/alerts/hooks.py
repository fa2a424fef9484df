"""Webhooks: tokens that may post alerts, and their accounts; a token is stored only as its SHA-256."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, Text, Update, and_, func, literal, null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.dml import ReturningInsert, ReturningUpdate

from shared.db.ended_name import ended_name
from shared.db.tables.alerts import alert, hook, hook_follower
from shared.domain.alerts.hook_settings import HookSettings, decode_settings, encode_settings


@dataclass(frozen=True, slots=True)
class Hook:
    """One webhook; once `removed_at` is set it has ended for good."""

    id: UUID
    name: str
    token_hash: bytes
    previous_token_hash: bytes | None  # that of the token before a rotation, valid until `previous_token_until`
    previous_token_until: datetime | None
    account_id: int
    settings: HookSettings
    created_at: datetime
    paused_at: datetime | None  # while it is set, it enters nothing; exits still close
    removed_at: datetime | None
    follower_ids: Sequence[int] = ()  # accounts that trade its alerts too


def hash_token(token: str) -> bytes:
    """Return the SHA-256 of a token, of a hook or of a program: it is random, and needs no salt and no slow hash."""
    return hashlib.sha256(token.encode()).digest()


def hook_of(row: Row[Any]) -> Hook:
    """Return the hook of a row of `select_all`."""
    values = row._asdict()
    return Hook(**values | {"settings": decode_settings(values["settings"])})


_FOLLOWERS = (
    select(hook_follower.c.account_id)
    .where(hook_follower.c.hook_id == hook.c.id, hook_follower.c.unfollowed_at.is_(None))
    .order_by(hook_follower.c.account_id)
    .scalar_subquery()
)
_COLUMNS = [
    *(hook.c[name] for name in Hook.__dataclass_fields__ if name != "follower_ids"),
    func.array(_FOLLOWERS).label("follower_ids"),
]


def select_all() -> Select[Any]:
    """Return the select of every hook by name, also the removed ones."""
    return select(*_COLUMNS).order_by(hook.c.name)


def build_insert(
    hook_id: UUID, name: str, hash_of_token: bytes, account_id: int, settings: HookSettings | None = None
) -> ReturningInsert[UUID]:
    """Return the insert of a hook; it returns no row if the name is taken: see `build_name_release`."""
    statement = insert(hook).values(
        id=hook_id,
        name=name,
        token_hash=hash_of_token,
        account_id=account_id,
        settings=encode_settings(settings or HookSettings()),
    )
    return statement.on_conflict_do_nothing(index_elements=["name"]).returning(hook.c.id)


def build_name_release(name: str) -> Update:
    """Return the update that frees a name for another hook, if the hook that has it was removed."""
    is_ended = and_(hook.c.name == name, hook.c.removed_at.is_not(None))
    return update(hook).where(is_ended).values(name=ended_name(name, literal("removed", Text), hook.c.removed_at))


def build_settings_change(hook_id: UUID, settings: HookSettings) -> Update:
    """Return the update that gives a hook other settings."""
    return update(hook).where(hook.c.id == hook_id).values(settings=encode_settings(settings))


def build_pause(hook_id: UUID, *, is_paused: bool) -> ReturningUpdate[datetime | None]:
    """Return the update that pauses or resumes a hook; it returns since when it is paused."""
    paused_at = func.coalesce(hook.c.paused_at, func.now()) if is_paused else null()
    return update(hook).where(hook.c.id == hook_id).values(paused_at=paused_at).returning(hook.c.paused_at)


def build_rotation(hook_id: UUID, hash_of_token: bytes, keep: timedelta) -> ReturningUpdate[datetime]:
    """Return the update that gives a hook another token; it returns until when the former one is valid."""
    values = {
        "previous_token_hash": hook.c.token_hash,
        "previous_token_until": func.now() + keep,
        "token_hash": hash_of_token,
    }
    return update(hook).where(hook.c.id == hook_id).values(values).returning(hook.c.previous_token_until)


def find_last_receipts(connection: Connection) -> dict[UUID, datetime]:
    """Return when each hook received its last alert, refused ones included; one that was never reached is missing."""
    newest = (
        select(alert.c.received_at)
        .where(alert.c.hook_id == hook.c.id)
        .order_by(alert.c.received_at.desc())
        .limit(1)
        .lateral()
    )
    rows = connection.execute(select(hook.c.id, newest.c.received_at))
    return {row.id: row.received_at for row in rows}


def build_removal(name: str) -> ReturningUpdate[UUID]:
    """Return the update that removes the hook called `name`; it returns no row if there is none to remove."""
    of_name = update(hook).where(hook.c.name == name, hook.c.removed_at.is_(None))
    return of_name.values(removed_at=func.now()).returning(hook.c.id)


def set_followers(connection: Connection, hook_id: UUID, ratios: Mapping[int, Decimal]) -> None:
    """Add follower accounts, which trade the alerts of the hook too, each with its copy ratio; or change the ratio."""
    for account_id, ratio in ratios.items():
        statement = insert(hook_follower).values(hook_id=hook_id, account_id=account_id, ratio=ratio)
        changed = {"ratio": statement.excluded.ratio, "unfollowed_at": null()}
        connection.execute(statement.on_conflict_do_update(index_elements=["hook_id", "account_id"], set_=changed))


def build_unfollow(hook_id: UUID, account_id: int) -> ReturningUpdate[int]:
    """Return the update that ends the following of an account; it returns no row if the account does not follow."""
    statement = update(hook_follower).where(
        hook_follower.c.hook_id == hook_id,
        hook_follower.c.account_id == account_id,
        hook_follower.c.unfollowed_at.is_(None),
    )
    return statement.values(unfollowed_at=func.now()).returning(hook_follower.c.account_id)


def list_followers(connection: Connection) -> dict[UUID, dict[int, Decimal]]:
    """Return the follower accounts of every hook that has some, each with its copy ratio."""
    found: dict[UUID, dict[int, Decimal]] = {}
    statement = select(hook_follower).where(hook_follower.c.unfollowed_at.is_(None))
    for row in connection.execute(statement.order_by(hook_follower.c.hook_id, hook_follower.c.account_id)):
        found.setdefault(row.hook_id, {})[row.account_id] = row.ratio
    return found
