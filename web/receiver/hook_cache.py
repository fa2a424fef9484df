"""The hooks and traded contracts in memory: a wrong token costs no database work, an alert no read."""

import asyncio
import hmac
import logging
from collections.abc import Sequence
from contextlib import suppress

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.clock import machine_now
from shared.db.alerts import hooks
from shared.db.alerts.hooks import Hook
from shared.db.engine import DATABASE_ERRORS, listen
from shared.db.market_data import contracts
from shared.errors import SettingsError
from web.receiver.deadline import DatabaseDownError, with_timeout
from web.receiver.limits import TokenBucket

log = logging.getLogger("receiver")

_RELOAD_EVERY_S = 30.0  # in case a notification was lost
_RETRY_S = 1.0
_CHANNEL = "receiver_cache"


class HookCache:
    """Every hook that is not revoked, and `traded`, the ids of the active contracts that are tracked.

    It follows the notifications of both tables, and reads them again now and then.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self.traded: Sequence[str] = ()
        self._hooks: dict[bytes, Hook] = {}
        self._is_loaded = False
        # An unknown token may be that of a hook just added; a scanner must not make us read all the time.
        self._unknown_reloads = TokenBucket(rate=1, burst=10)
        self._reading = asyncio.Lock()
        self._wanted = self._served = 0  # calls for a reading of the hooks, and those that one has served
        self._follower: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Follow the changes of hooks from now on."""
        self._follower = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """End following."""
        if self._follower is not None:
            self._follower.cancel()
            with suppress(asyncio.CancelledError):
                await self._follower

    async def find(self, token_hash: bytes) -> Hook | None:
        """Return the hook whose current or previous token has this hash, or None.

        Raise DatabaseDownError if the hooks could not be read since the start.
        """
        if not self._is_loaded:
            await self._reload()
        hook = self._hooks.get(token_hash)
        for _ in range(2):  # the first refresh may have begun before the hook was added
            if hook is None:
                await self._refresh()
                hook = self._hooks.get(token_hash)
        return hook if hook is not None and _is_valid(hook, token_hash) else None

    async def _refresh(self) -> None:
        """Read the hooks for an unknown token, or wait for a read that is wanted already; within a limit."""
        with suppress(DatabaseDownError):
            if self._served < self._wanted:
                await self._reload(self._wanted)
            elif self._unknown_reloads.take(None):
                await self._reload()

    async def _reload(self, wanted: int | None = None) -> None:
        """Return once the hooks were read after this call, or for the `wanted`-th call; calls share a read."""
        if wanted is None:
            wanted = self._wanted = self._wanted + 1
        async with self._reading:
            if self._served < wanted:
                serves = self._wanted
                await with_timeout(self._read())
                self._served = serves

    async def _read(self) -> None:
        async with self._engine.connect() as connection:
            rows = (await connection.execute(hooks.all_by_name())).all()
            self.traded = (await connection.execute(contracts.TRADED)).scalars().all()
        found: dict[bytes, Hook] = {}
        for row in rows:
            try:
                hook = hooks.hook_of(row)
            except SettingsError as error:
                log.warning("hook %s takes no alert: %s", row.name, error)
                continue
            if hook.revoked_at is None:
                found |= {hash_: hook for hash_ in (hook.token_hash, hook.previous_token_hash) if hash_ is not None}
        self._hooks, self._is_loaded = found, True

    async def _follow(self) -> None:
        while True:
            try:
                await self._listen()
            except (*DATABASE_ERRORS, DatabaseDownError, OSError) as error:
                log.warning("changes of hooks are not followed: %s", str(error).splitlines()[0])
                await asyncio.sleep(_RETRY_S)

    async def _listen(self) -> None:
        async with self._engine.connect() as connection:
            listener = await listen(connection, _CHANNEL)
            while True:
                await self._reload()
                async for _ in listener.notifies(timeout=_RELOAD_EVERY_S, stop_after=1):
                    pass


def _is_valid(hook: Hook, token_hash: bytes) -> bool:
    if hmac.compare_digest(hook.token_hash, token_hash):
        return True
    return hook.previous_token_until is not None and machine_now() < hook.previous_token_until
