"""GET /live: the process answers; GET /ready: Postgres takes commits, and no alert is left in the spool."""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shared.ledger.async_ledger import AsyncLedger
from web.receiver.deadline import DatabaseDownError, with_timeout
from web.receiver.intake import Intake


async def live(_: Request) -> Response:
    """Answer 200."""
    return JSONResponse({"status": "live"})


class ReadyRoute:
    """The route that asks Postgres; however many senders ask at once, it is asked by one query at a time."""

    def __init__(self, ledger: AsyncLedger, intake: Intake) -> None:
        self._ledger = ledger
        self._intake = intake
        self._query: asyncio.Task[bool] | None = None

    async def get(self, _: Request) -> Response:
        """Answer 200, or raise DatabaseDownError, which is answered with a 503."""
        if self._query is None or self._query.done():
            self._query = asyncio.create_task(self._is_writable())
        query = self._query
        await asyncio.wait({query})
        if not query.result():
            raise DatabaseDownError("the database takes no commits")
        if self._intake.is_spooling:
            raise DatabaseDownError("alerts go to the spool: the receiver's log says why")
        return JSONResponse({"status": "ready"})

    async def _is_writable(self) -> bool:
        try:
            return await with_timeout(self._ledger.is_writable())
        except DatabaseDownError:
            return False
