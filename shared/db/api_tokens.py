"""Tokens of programs that request jobs over HTTP; a token is stored only as its SHA-256."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, Text, and_, bindparam, case, cast, func, not_, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.dml import ReturningInsert, ReturningUpdate, Update

from shared.db.ended_name import ended_name
from shared.db.tables.alerts import api_token
from shared.db.tables.ledger import job_key

_USE_NOTED_EVERY = timedelta(minutes=1)  # so that a busy token does not write its row with each request
_KEY_PREFIX = "token:"


@dataclass(frozen=True, slots=True)
class ApiToken:
    """One token. It is valid unless it was revoked or has expired."""

    id: UUID
    name: str
    token_hash: bytes
    job_names: list[str]  # exact names, or all of a subject, such as market_data.*
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None  # up to a minute before the last use


_COLUMNS = [api_token.c[name] for name in ApiToken.__dataclass_fields__]
_IS_USE_DUE = or_(api_token.c.used_at.is_(None), api_token.c.used_at < func.now() - _USE_NOTED_EVERY)
# Built once: it is on the path of every request.
_IS_VALID = and_(
    api_token.c.revoked_at.is_(None),
    or_(api_token.c.expires_at.is_(None), api_token.c.expires_at > func.now()),
)
_VALID = select(*_COLUMNS, _IS_USE_DUE.label("is_use_due")).where(
    api_token.c.token_hash == bindparam("hash"), _IS_VALID
)


def token_of(row: Row[Any]) -> ApiToken:
    """Return the token of a row of `select_valid` or `select_all`."""
    return ApiToken(**{name: getattr(row, name) for name in ApiToken.__dataclass_fields__})


def select_valid(hash_of_token: bytes) -> tuple[Select[Any], dict[str, object]]:
    """Return the select, with its values, of the token that has this hash, unless it was revoked or has expired.

    Its further column `is_use_due` says whether a use is to be recorded: see `build_use_update`.
    """
    return _VALID, {"hash": hash_of_token}


def select_valid_hashes() -> Select[tuple[bytes]]:
    """Return the select of the hashes of all tokens that are valid now."""
    return select(api_token.c.token_hash).where(_IS_VALID)


def select_all() -> Select[Any]:
    """Return the select of every token by name, also those that are not valid."""
    return select(*_COLUMNS).order_by(api_token.c.name)


def build_insert(
    token_id: UUID, name: str, hash_of_token: bytes, job_names: Sequence[str], valid_for: timedelta | None
) -> ReturningInsert[datetime | None]:
    """Return the insert of a token, which returns when it expires; it returns no row if the name is taken.

    `build_name_release` frees that of a token that has ended.
    """
    statement = insert(api_token).values(
        id=token_id,
        name=name,
        token_hash=hash_of_token,
        job_names=list(job_names),
        expires_at=None if valid_for is None else func.now() + valid_for,
    )
    return statement.on_conflict_do_nothing(index_elements=["name"]).returning(api_token.c.expires_at)


def build_name_release(name: str) -> Update:
    """Return the update that frees a name for another token, if the token that has it is no longer valid."""
    how = case((api_token.c.revoked_at.is_not(None), "revoked"), else_="expired")
    ended_at = func.coalesce(api_token.c.revoked_at, api_token.c.expires_at)
    is_ended = and_(api_token.c.name == name, not_(_IS_VALID))
    return update(api_token).where(is_ended).values(name=ended_name(name, how, ended_at))


def build_revocation(name: str) -> ReturningUpdate[UUID]:
    """Return the update that revokes the token called `name`; it returns no row if there is none to revoke."""
    of_name = update(api_token).where(api_token.c.name == name, api_token.c.revoked_at.is_(None))
    return of_name.values(revoked_at=func.now()).returning(api_token.c.id)


def build_use_update(token_id: UUID) -> Update:
    """Return the update that records a use, unless one was recorded within the last minute."""
    return update(api_token).where(api_token.c.id == token_id, _IS_USE_DUE).values(used_at=func.now())


def job_key_of(token_id: UUID, key: str) -> str:
    """Return the idempotency key of a job that a token requests: it also identifies the requester."""
    return f"{_KEY_PREFIX}{token_id}:{key}"


def find_requesters(connection: Connection, job_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return the names of the tokens that requested these jobs, as long as their idempotency keys are kept."""
    token_id = func.split_part(job_key.c.idempotency_key, ":", 2)
    statement = (
        select(job_key.c.job_id, api_token.c.name)
        .join(api_token, cast(api_token.c.id, Text) == token_id)
        .where(job_key.c.job_id.in_(job_ids), job_key.c.idempotency_key.startswith(_KEY_PREFIX))
    )
    return {row.job_id: row.name for row in connection.execute(statement)}
