"""Accounts one after the other, so that a lock of another session on one keeps no other waiting."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from shared.db.accounts.accounts import AccountRow
from shared.db.engine import DATABASE_ERRORS, LOCK_TIMEOUT_S, is_lock_timeout

# An account that is locked comes last, so that no other waits for it.
_WAITS = (timedelta(seconds=0.5), timedelta(seconds=LOCK_TIMEOUT_S))


def visit_accounts(chosen: Sequence[AccountRow], visit: Callable[[AccountRow, timedelta], None]) -> list[AccountRow]:
    """Call `visit` for each account, with how long it may wait for a lock; return those that stayed locked.

    An account that is locked is visited again, after the others, with a longer wait.
    """
    for wait in _WAITS:
        locked = []
        for one in chosen:
            try:
                visit(one, wait)
            except DATABASE_ERRORS as error:
                if not is_lock_timeout(error):
                    raise
                locked.append(one)
        chosen = locked
    return list(chosen)
