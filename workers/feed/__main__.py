"""Runs the feed: `python -m workers.feed`; a second one stands by."""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from shared.clock import MarketClock, monotonic
from shared.config import Settings, load_settings
from shared.db import accounts, contracts, market
from shared.db.async_engine import make_async_engine
from shared.db.engine import make_engine
from shared.domain.calendar import calendar_of
from shared.domain.contract import ROOTS
from shared.errors import CredentialsRefusedError, SettingsError
from shared.fleets import Queue
from shared.gateway.client import GatewayClient
from shared.gateway.ports import Call
from shared.heartbeat import touch
from shared.hot.feed_lease import RENEW_EVERY, FeedLease
from shared.hot.feed_writer import FeedWriter
from shared.ledger.intake import Intake
from shared.ledger.wake import AsyncWake
from shared.log import set_up_logging
from workers.build import open_gateway
from workers.feed.market_side import MarketSide
from workers.feed.user_side import UserSide

log = logging.getLogger("workers.feed")

T = TypeVar("T")

_AGAIN_AFTER_S = 1.0


class _Login:
    """The fleet's token, for hubs."""

    def __init__(self, gateway: GatewayClient) -> None:
        self._gateway = gateway.for_queue(Queue.CRITICAL)

    async def token(self) -> str:
        """Return the token that all processes share."""
        return await asyncio.to_thread(self._gateway.token)

    async def renewed(self, refused: str) -> str:
        """Return another token than one that the venue refuses."""
        return await asyncio.to_thread(self._gateway.renewed, refused)


class _Calls:
    """Tells the log of the few calls a feed makes: logins."""

    def record(self, call: Call) -> None:
        """Say what was asked."""
        log.info("%s took %.0f ms: %s", call.endpoint, call.duration / timedelta(milliseconds=1), call.error or "fine")


class Feed:
    """Both sides, while this program holds the lease."""

    def __init__(self, settings: Settings, gateway: GatewayClient, clock: MarketClock) -> None:
        self._settings = settings
        self._clock = clock
        self._engine = make_engine(settings.need_database(), program="feed", pool_size=2)
        # More jobs in one go than this are rare, and wait.
        line = make_async_engine(settings.need_database(), program="feed", pool_size=2, statement_timeout_s=5)
        self._intake = Intake(line, AsyncWake(settings.need_redis()))
        self._writer = FeedWriter(settings.need_redis())
        self._lease = FeedLease(settings.need_redis(), settings.venue)
        login, url = _Login(gateway), settings.venue.hubs_url
        self._market = MarketSide(url, login, self._writer, clock, self._open_contracts)
        self._user = UserSide(url, login, self._writer, self._intake, self._accounts)

    async def run(self) -> None:
        """Feed or stand by until cancelled."""
        sides: asyncio.Task[None] | None = None
        try:
            while True:
                is_active = await self._lease.look()
                if is_active and sides is None:
                    log.info("this feed is the active one")
                    sides = asyncio.create_task(self._both())
                elif not is_active and sides is not None:
                    log.warning("another feed has taken over, this one stands by")
                    sides.cancel()
                    await asyncio.gather(sides, return_exceptions=True)
                    sides = None
                if sides is not None and sides.done():
                    raise _first(sides.exception())
                if is_active:
                    await self._writer.write_health(self._health())
                touch()
                await asyncio.sleep(RENEW_EVERY / timedelta(seconds=1))
        finally:
            if sides is not None:
                sides.cancel()
                await asyncio.gather(sides, return_exceptions=True)
            await self._lease.give_up()
            await self._intake.close()
            await self._writer.close()
            self._engine.dispose()

    async def _both(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._market.run())
            tasks.create_task(self._user.run())

    def _health(self) -> dict[str, object]:
        now = monotonic()
        return {
            "market_connections": self._market.hub.connections,
            "user_connections": self._user.hub.connections,
            "market_is_connected": self._market.hub.is_connected,
            "user_is_connected": self._user.hub.is_connected,
            "silent_s": {name: round(now - at, 1) for name, at in self._market.heard_at.items()},
        }

    async def _open_contracts(self) -> dict[str, bool]:
        def read() -> dict[str, bool]:
            with self._engine.connect() as connection:
                tracked = contracts.tracked(connection)
            now = self._clock.now()
            return {one.id: calendar_of(ROOTS[one.root].group).is_open(now) for one in tracked}

        return await _asked(read)

    async def _accounts(self) -> list[int]:
        def read() -> list[int]:
            with self._engine.connect() as connection:
                return [account.id for account in accounts.every(connection) if account.can_trade]

        return await _asked(read)


async def _asked(read: Callable[[], T]) -> T:
    """Return what Postgres says, waiting while it is away."""
    while True:
        try:
            return await asyncio.to_thread(read)
        except SQLAlchemyError as error:
            log.warning("Postgres does not answer, trying again: %s", type(error).__name__)
            await asyncio.sleep(_AGAIN_AFTER_S)


def main() -> int:
    """Feed until SIGTERM or SIGINT; return the exit code."""
    settings = load_settings()
    set_up_logging(settings.log_level)
    with make_engine(settings.need_database(), program="feed", pool_size=1).connect() as connection:
        row = market.read(connection)
    if row is None:
        raise SettingsError("this database has met no market yet: start the stack with `tickwork up`")
    with open_gateway(settings, _Calls()) as gateway:
        return asyncio.run(_until_told_to_stop(Feed(settings, gateway, row.clock)))


async def _until_told_to_stop(feed: Feed) -> int:
    running = asyncio.ensure_future(feed.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        return 0
    except CredentialsRefusedError as error:
        log.critical("the feed stops: %s", error)
    return 1


def _first(error: BaseException | None) -> BaseException:
    """Return what made tasks fail, out of the groups it is wrapped in."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error or RuntimeError("the feed's tasks ended by themselves")


if __name__ == "__main__":
    sys.exit(main())
