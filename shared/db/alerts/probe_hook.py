"""The stack's own hook, to which it posts test alerts to prove that alerts arrive; it takes no other alert."""

from uuid import UUID

from sqlalchemy import Connection, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.accounts.accounts import record_event
from shared.db.alerts import hooks
from shared.db.tables.accounts import account, account_event
from shared.db.tables.alerts import alert, hook
from shared.domain.alerts.hook_settings import HookSettings, encode_settings

PROBE_HOOK_ID = UUID("01990000-0000-7000-8000-00000070be01")  # tells it from a hook that a person called `probe`
PROBE_HOOK_NAME = "probe"

_UNREACHABLE, _REACHABLE = "receiver_unreachable", "receiver_reachable"


def read_token_hash(connection: Connection) -> bytes | None:
    """Return the hash of the token that the hook takes, None if there is no such hook or a person removed it."""
    statement = select(hook.c.token_hash).where(hook.c.id == PROBE_HOOK_ID, hook.c.removed_at.is_(None))
    return connection.execute(statement).scalar_one_or_none()


def lock(connection: Connection, first_token_hash: bytes) -> bool:
    """Lock the hook until the transaction ends, and create it with this token if there is none.

    Return False, with nothing created, if there is no account yet or another hook has its name.
    """
    account_id = connection.execute(select(func.min(account.c.id))).scalar_one()
    if account_id is None:
        return False
    connection.execute(hooks.build_name_release(PROBE_HOOK_NAME).where(hook.c.id != PROBE_HOOK_ID))
    values = {
        "id": PROBE_HOOK_ID,
        "name": PROBE_HOOK_NAME,
        "token_hash": first_token_hash,
        "account_id": account_id,
        "settings": encode_settings(HookSettings(is_test_only=True)),
    }
    connection.execute(insert(hook).values(values).on_conflict_do_nothing())
    statement = select(hook.c.id).where(hook.c.id == PROBE_HOOK_ID).with_for_update()
    return connection.execute(statement).scalar_one_or_none() is not None


def replace_token(connection: Connection, hash_of_token: bytes) -> None:
    """Let the hook take another token, also after a person removed it; its former token is never valid again."""
    values = {"token_hash": hash_of_token, "removed_at": None}
    connection.execute(update(hook).where(hook.c.id == PROBE_HOOK_ID).values(values))


def has_alert(connection: Connection, job_id: UUID) -> bool:
    """Whether the hook's alert that this job handles is stored."""
    statement = select(exists().where(alert.c.hook_id == PROBE_HOOK_ID, alert.c.job_id == job_id))
    return bool(connection.execute(statement).scalar_one())


def record_unreachable(connection: Connection, reason: str) -> None:
    """Record the event that test alerts do not arrive any more, unless it is the last one."""
    _record_change(connection, _UNREACHABLE, reason, is_first_recorded=True)


def record_reachable(connection: Connection, message: str) -> None:
    """Record the event that test alerts arrive again, if they did not."""
    _record_change(connection, _REACHABLE, message, is_first_recorded=False)


def _record_change(connection: Connection, kind: str, message: str, *, is_first_recorded: bool) -> None:
    account_id = connection.execute(
        select(hook.c.account_id).where(hook.c.id == PROBE_HOOK_ID).with_for_update()
    ).scalar_one_or_none()
    if account_id is None:
        return
    statement = (
        select(account_event.c.kind)
        .where(account_event.c.account_id == account_id, account_event.c.kind.in_((_UNREACHABLE, _REACHABLE)))
        .order_by(account_event.c.id.desc())
        .limit(1)
    )
    last = connection.execute(statement).scalar_one_or_none()
    if kind != last and (last is not None or is_first_recorded):
        record_event(connection, account_id, kind, message)
