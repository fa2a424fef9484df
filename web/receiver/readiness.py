"""GET /live: the process answers; GET /ready: it can accept alerts durably, in Postgres or in its spool."""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shared.clock import monotonic
from shared.ledger.async_ledger import AsyncLedger
from web.receiver.alert_store import AlertStore
from web.receiver.deadline import DatabaseDownError, with_timeout
from web.receiver.hook_cache import HookCache

_VALID_FOR_S = 0.5


async def answer_live(_: Request) -> Response:
    """Answer 200."""
    return JSONResponse({"status": "live"})


class ReadyRoute:
    """The route that asks Postgres; however many senders ask, it is asked by one query at a time, twice a second."""

    def __init__(self, ledger: AsyncLedger, alert_store: AlertStore, cache: HookCache) -> None:
        self._ledger = ledger
        self._alert_store = alert_store
        self._cache = cache
        self._query: asyncio.Task[bool] | None = None
        self._asked_at = 0.0

    async def get(self, _: Request) -> Response:
        """Answer 200, with `spooling` while alerts go to the spool; raise DatabaseDownError, answered with a 503."""
        if self._query is None or (self._query.done() and monotonic() - self._asked_at > _VALID_FOR_S):
            self._query, self._asked_at = asyncio.create_task(self._is_writable()), monotonic()
        query = self._query
        await asyncio.wait({query})
        is_writable = query.result()
        if is_writable and not (self._alert_store.is_spooling and self._alert_store.may_spool):
            return JSONResponse({"status": "ready"})
        if not self._cache.is_loaded:
            raise DatabaseDownError("the hooks are not known yet, as the database takes no commits")
        if not self._alert_store.may_spool:
            raise DatabaseDownError("neither Postgres nor the spool can store an alert: the receiver's log says why")
        return JSONResponse({"status": "ready", "spooling": True})

    async def _is_writable(self) -> bool:
        try:
            return await with_timeout(self._ledger.is_writable())
        except DatabaseDownError:
            return False
