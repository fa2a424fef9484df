"""A connection kept between statements: to take one of the pool and give it back costs as much as a statement."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import psycopg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.db.engine import is_dead

_Kept: TypeAlias = tuple[AsyncConnection, psycopg.AsyncConnection[Any]]


class KeptConnection:
    """A connection in autocommit mode of an engine's pool, for statements that come one after another.

    One that is in use, has failed or was closed by the server is not kept: the next use takes another of the pool.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._idle: list[_Kept] = []  # at most one

    @asynccontextmanager
    async def use(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """Yield the driver's connection."""
        kept = self._idle.pop() if self._idle else None
        if kept is not None and (kept[1].closed or is_dead(kept[1].fileno())):
            await _drop(kept)
            kept = None
        if kept is None:
            connection = await self._engine.connect()
            kept = connection, await driver_of(connection)
        try:
            yield kept[1]
        except BaseException:
            await _drop(kept)
            raise
        if self._idle:
            await kept[0].close()
        else:
            self._idle.append(kept)

    async def close(self) -> None:
        """Give the connection back to the pool."""
        while self._idle:
            await self._idle.pop()[0].close()


async def driver_of(connection: AsyncConnection) -> psycopg.AsyncConnection[Any]:
    """Return the psycopg connection below, in the same transaction."""
    found: psycopg.AsyncConnection[Any] = (await connection.get_raw_connection()).driver_connection  # type: ignore[assignment]  # typed as Any | None
    return found


async def _drop(kept: _Kept) -> None:
    await kept[0].invalidate()
    await kept[0].close()
