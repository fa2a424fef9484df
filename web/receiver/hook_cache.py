"""The hooks and traded contracts in memory: an alert costs no read, and wrong tokens share at most one a second."""

import asyncio
import hmac
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.clock import machine_now
from shared.db.accounts.order_limits import ORDER_LIMITS, RECEIVER_CHANNEL, limits_of
from shared.db.alerts import hook_secrets, hooks
from shared.db.alerts.hook_secrets import HookSecret
from shared.db.alerts.hooks import Hook
from shared.db.engine import DATABASE_ERRORS, listen
from shared.db.market_data import contracts
from shared.domain.alerts.order_limits import OrderLimits
from shared.domain.alerts.signing_secret import SignatureScheme
from shared.errors import SettingsError
from web.receiver.deadline import TIMEOUT_S, DatabaseDownError, with_timeout
from web.receiver.limits import TokenBucket

T = TypeVar("T")
log = logging.getLogger("receiver")

_RELOAD_EVERY_S = 30.0  # in case a notification was lost
_RETRY_S = 1.0
_FIRST_READ_S = 0.5  # the receiver starts without the hooks if they take longer


class HookCache:
    """Every hook that is not removed, with its secrets; `traded`, the ids of the active contracts that are tracked.

    `order_limits` has the most contracts of an order on each account. The cache follows the notifications of these
    tables, and reads them again now and then.
    """

    def __init__(self, engine: AsyncEngine, *, max_quantity: int) -> None:
        self._engine = engine
        self._max_quantity = max_quantity
        self.traded: Sequence[str] = ()
        self.order_limits = OrderLimits(max_quantity)
        self._hooks: Mapping[bytes, Hook] = {}
        self._signed: Mapping[UUID, tuple[Hook, Sequence[HookSecret]]] = {}
        self._is_loaded = False
        # An unknown token or signature may belong to a hook or secret just added; a scanner must not make us read all
        # the time.
        self._unknown_reloads = TokenBucket(rate=1, burst=10)
        self._reader: asyncio.Task[None] | None = None
        self._wanted = self._served = self._failed = 0  # calls for a read of the hooks, and those that one has answered
        self._follower: asyncio.Task[None] | None = None
        self._logged_failure = ""  # of following, since it last succeeded: an outage is logged once, not every second

    @property
    def is_loaded(self) -> bool:
        """Whether the hooks were read since the start: without them no alert is accepted."""
        return self._is_loaded

    async def start(self) -> None:
        """Read the hooks if Postgres answers in time, and follow their changes from now on."""
        with suppress(DatabaseDownError, TimeoutError):
            async with asyncio.timeout(_FIRST_READ_S):
                await self._reload()
        self._follower = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """End following, and a read that is under way."""
        for task in (self._follower, self._reader):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def find(self, token_hash: bytes, *, may_read: bool = True) -> Hook | None:
        """Return the hook whose current or previous token has this hash, or None.

        With `may_read` the hooks are read again for an unknown one, within a limit. Raise DatabaseDownError if the
        hooks could not be read since the start.
        """
        hook = await self._look_up(lambda: self._hooks.get(token_hash), may_read=may_read)
        return hook if hook is not None and _is_valid(hook, token_hash) else None

    async def verify_signature(
        self,
        hook_id: UUID,
        verify: Callable[[Mapping[SignatureScheme, Sequence[bytes]]], T | None],
        *,
        may_read: bool = True,
    ) -> tuple[Hook, T] | None:
        """Return the hook with this id, and what `verify` returns for the keys of its valid secrets, or None.

        Raise DatabaseDownError if the hooks could not be read since the start.
        """
        return await self._look_up(lambda: self._verify_with(hook_id, verify), may_read=may_read)

    def _verify_with(
        self, hook_id: UUID, verify: Callable[[Mapping[SignatureScheme, Sequence[bytes]]], T | None]
    ) -> tuple[Hook, T] | None:
        if hook_id not in self._signed:
            return None
        hook, secrets = self._signed[hook_id]
        now, keys = machine_now(), defaultdict[SignatureScheme, list[bytes]](list)
        for one in secrets:
            if one.is_valid_at(now):
                keys[one.scheme].append(one.secret)
        proof = verify(keys)
        return None if proof is None else (hook, proof)

    async def _look_up(self, find: Callable[[], T | None], *, may_read: bool) -> T | None:
        """Return `find()`; while it is None and `may_read`, read hooks and secrets again, at most twice."""
        if self._is_loaded and (found := find()) is not None:  # no deadline: it would only cost time
            return found
        try:
            async with asyncio.timeout(TIMEOUT_S):
                if not self._is_loaded:
                    await self._reload()
                for _ in range(2 if may_read else 0):  # the first refresh may have begun before the hook was added
                    if find() is None:
                        await self._refresh()
        except TimeoutError:
            if not self._is_loaded:
                raise DatabaseDownError("the hooks are not known yet") from None
        return find()

    async def _refresh(self) -> None:
        """Read the hooks for an unknown token or signature, or wait for a read already wanted; within a limit."""
        with suppress(DatabaseDownError):
            if max(self._served, self._failed) < self._wanted:
                await self._reload(self._wanted)
            elif self._unknown_reloads.take(None):
                await self._reload()

    async def _reload(self, wanted: int | None = None) -> None:
        """Return once the hooks were read after this call, or for the `wanted`-th call; raise DatabaseDownError.

        Calls share a read. It goes on when its callers have given up, so that those that come meanwhile wait for it and
        begin no other.
        """
        if wanted is None:
            wanted = self._wanted = self._wanted + 1
        while max(self._served, self._failed) < wanted:
            if self._reader is None or self._reader.done():
                self._reader = asyncio.create_task(self._read_for_callers())
            await asyncio.shield(self._reader)
        if self._served < wanted:  # a read that failed answers everyone who waited for it
            raise DatabaseDownError("the hooks could not be read")

    async def _read_for_callers(self) -> None:
        """Read the hooks for every call until now; it ends in time."""
        wanted = self._wanted
        try:
            await with_timeout(self._read())
        except DatabaseDownError:
            self._failed = wanted
        else:
            self._served = wanted

    async def _read(self) -> None:
        async with self._engine.connect() as connection:
            rows = (await connection.execute(hooks.select_all())).all()
            secrets = [hook_secrets.secret_of(row) for row in await connection.execute(hook_secrets.select_unexpired())]
            self.traded = (await connection.execute(contracts.TRADED)).scalars().all()
            self.order_limits = limits_of(await connection.execute(ORDER_LIMITS), self._max_quantity)
        found: dict[bytes, Hook] = {}
        signed: dict[UUID, tuple[Hook, Sequence[HookSecret]]] = {}
        for row in rows:
            try:
                hook = hooks.hook_of(row)
            except SettingsError as error:
                log.warning("hook %s takes no alert: %s", row.name, error)
                continue
            if hook.removed_at is None:
                found |= {hash_: hook for hash_ in (hook.token_hash, hook.previous_token_hash) if hash_ is not None}
                signed[hook.id] = (hook, [one for one in secrets if one.hook_id == hook.id])
        self._hooks, self._signed, self._is_loaded = found, signed, True

    async def _follow(self) -> None:
        while True:
            try:
                await self._listen()
            except (*DATABASE_ERRORS, DatabaseDownError, OSError) as error:
                reason = (str(error) or type(error).__name__).splitlines()[0]
                if reason != self._logged_failure:
                    self._logged_failure = reason
                    log.warning("changes of hooks are not followed: %s", reason)
                await asyncio.sleep(_RETRY_S)

    async def _listen(self) -> None:
        async with self._engine.connect() as connection:
            listener = await listen(connection, RECEIVER_CHANNEL)
            while True:
                await self._reload()
                self._logged_failure = ""
                async for _ in listener.notifies(timeout=_RELOAD_EVERY_S, stop_after=1):
                    pass


def _is_valid(hook: Hook, token_hash: bytes) -> bool:
    if hmac.compare_digest(hook.token_hash, token_hash):
        return True
    return hook.previous_token_until is not None and machine_now() < hook.previous_token_until
