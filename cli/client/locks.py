"""Locks that other sessions hold: ends the sessions that block a command, and says what to do about them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from cli.client.stack import connect, load_stack_settings
from shared.db.accounts.accounts import AccountRow
from shared.db.engine import DATABASE_ERRORS, LOCK_TIMEOUT_S, is_lock_timeout
from shared.db.upkeep.blocking_sessions import (
    BlockingSession,
    DatabaseSession,
    find_blocking,
    find_missing_grant,
    list_idle,
)
from shared.db.upkeep.session_ender import SessionEnder, describe_remedy
from shared.errors import RefusedError

IDLE_FOR = timedelta(seconds=2)
_ROLLED_BACK = "what waited for it was rolled back, and what the command did before stands"


class _AccountsLockedError(RefusedError):
    """A command has done its work, but for accounts that another session locks."""


@contextmanager
def end_blocking_sessions(consequence: str = _ROLLED_BACK) -> Iterator[None]:
    """End, while the block runs, the sessions that keep ours waiting for a lock: the relay does, but it may be dead.

    Raise RefusedError with the `consequence` and the sessions that held the lock when a statement gave up its wait.
    """
    with SessionEnder(load_stack_settings().require_database(), "cli") as ender:
        try:
            yield
        except _AccountsLockedError as error:
            raise RefusedError(describe_locks(str(error), ender.holders)) from error
        except DATABASE_ERRORS as error:
            if not is_lock_timeout(error):
                raise
            raise RefusedError(describe_locks(consequence, ender.holders)) from error


def require_unlocked(locked: Sequence[AccountRow], chosen: Sequence[AccountRow], wanted: str) -> None:
    """Raise an error for accounts that were locked, and so are not what was `wanted`, within end_blocking_sessions."""
    if len(locked) == len(chosen):
        raise _AccountsLockedError(f"no account was {wanted}")
    if locked:
        raise _AccountsLockedError(f"every account was {wanted} but {list_names(locked)}")


def list_names(accounts: Sequence[AccountRow]) -> str:
    """Return names and ids of accounts, as one line."""
    return ", ".join(f"{one.name} ({one.id})" for one in accounts)


def describe_locks(consequence: str = _ROLLED_BACK, holders: Sequence[BlockingSession] = ()) -> str:
    """Return what a lock that another session holds has led to, which sessions hold it if known, and what to do."""
    with connect() as connection:
        # Another program of ours may wait for the same lock now.
        holders = holders or find_blocking(connection)
        idle = list_idle(connection, IDLE_FOR)
        grant = find_missing_grant(connection)
    lines = [f"another session held a lock for more than {LOCK_TIMEOUT_S:g} s: {consequence}"]
    if holders:
        lines += [f"{_describe_holder(one, grant)}. Then try again" for one in holders]
    else:
        lines.append("It is not known which one. Try again")
        lines += [_describe_bystanders(idle)] if idle else []
        lines += [f"Sessions of other roles show once a superuser has run `{grant}`"] if grant else []
    return ". ".join(lines)


def _describe_holder(one: BlockingSession, grant: str | None) -> str:
    remedy = "Commit or roll back there" if one.may_be_ended else describe_remedy(one, grant)
    return f"The lock is held by {one.session}. {remedy}"


def _describe_bystanders(idle: Sequence[DatabaseSession]) -> str:
    return f"Open transactions, each perhaps innocent: {'; '.join(map(str, idle))}"
