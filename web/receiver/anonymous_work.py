"""Database work for requests without a known token: little at once, a short line, and few misses by one address."""

import asyncio
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, TypeVar

from web.receiver.deadline import with_timeout
from web.receiver.problem import RETRY_AFTER_S, RefusedRequestError

MOST_WAITING = 16  # behind the one that is served: of the three connections one is left for a token that is known

T = TypeVar("T")


class AnonymousWork:
    """The line in which requests without a known token wait for the database.

    A request that comes while MOST_WAITING wait is refused and its connection closed: a sender that repeats it on one
    connection would take the time of alerts.
    """

    def __init__(self) -> None:
        self._place = asyncio.Lock()
        self._count = 0

    async def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what `work` returns, as `with_timeout` does; raise RefusedRequestError if too many wait."""
        if self._count > MOST_WAITING:
            raise RefusedRequestError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "too many requests wait for the database",
                hint=f"send the same request again in {RETRY_AFTER_S} s",
                headers={"Retry-After": str(RETRY_AFTER_S), "Connection": "close"},
            )
        self._count += 1
        try:
            return await with_timeout(self._run_in_turn(work))
        finally:
            self._count -= 1

    async def _run_in_turn(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        async with self._place:
            return await work()
