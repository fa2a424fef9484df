"""A deadline for database work, so that a slow database does not keep a sender waiting."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from shared.db.engine import DATABASE_ERRORS
from shared.errors import RetryableError
from web.receiver.limits import TokenBucket

# TradingView disconnects after 3 s and then never sends the alert again: what is late goes to the spool before that.
TIMEOUT_S = 1.5

T = TypeVar("T")
log = logging.getLogger("receiver")
_abandoned_tasks: set[asyncio.Task[Any]] = set()
_warnings = TokenBucket(1, 1)  # of each kind: anyone may ask for work that fails, and fill the log with it


class DatabaseDownError(RetryableError):
    """The database did not answer, in time or at all; it is not known whether it stored anything."""


async def with_timeout(work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns; raise DatabaseDownError when the database fails or is late.

    Late work is cancelled but not awaited: a driver cancels a query by a request to the server, which may hang as well.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task}, timeout=TIMEOUT_S)
    finally:
        if not task.done():
            _abandon_task(task)
    if not task.done():
        _warn("the database did not answer within %g s", TIMEOUT_S)
        raise DatabaseDownError("the database did not answer in time")
    try:
        return task.result()
    except (*DATABASE_ERRORS, OSError, TimeoutError) as error:
        # The first line only: the rest quotes the statement and its parameters.
        _warn("the database failed: %s", (str(error) or type(error).__name__).splitlines()[0])
        raise DatabaseDownError("the database does not answer") from None


def _warn(message: str, value: object) -> None:
    if _warnings.take(message):
        log.warning(message, value)


def _abandon_task(task: asyncio.Task[Any]) -> None:
    task.cancel()
    _abandoned_tasks.add(task)
    task.add_done_callback(_discard_task)


def _discard_task(task: asyncio.Task[Any]) -> None:
    _abandoned_tasks.discard(task)
    if not task.cancelled():
        task.exception()  # retrieved, so that asyncio does not log it as never retrieved
