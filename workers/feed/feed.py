"""The feed: both sides of the venue's stream while this program is the active one, else risk by."""

import asyncio
import logging
from datetime import datetime, timedelta

from shared.clock import MarketClock, machine_now
from shared.config import Settings
from shared.db.engine import make_async_engine, make_engine
from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.coverage import Span
from shared.errors import CredentialsRefusedError, TickworkError
from shared.fleets import Queue
from shared.gateway.client import GatewayClient
from shared.gateway.hubs.hub import Hub
from shared.gateway.hubs.session import HubSession
from shared.gateway.wire import VenuePosition
from shared.heartbeat import touch
from shared.hot.feed_health import FeedHealth, HubHealth
from shared.hot.feed_lease import LOOK_EVERY, RENEW_EVERY, FeedLease
from shared.hot.feed_writer import FeedWriter
from shared.ledger.async_ledger import AsyncLedger
from shared.ledger.wake import open_async_wake
from workers.feed.market_side import MarketSide
from workers.feed.outbox import Outbox
from workers.feed.subscriptions import Subscriptions
from workers.feed.token_source import FleetTokenSource
from workers.feed.user_side import UserSide

log = logging.getLogger(__name__)

_STATEMENT_TIMEOUT_S = 5


class Feed:
    """One program's feed; it connects when it becomes the active one."""

    def __init__(self, settings: Settings, gateway: GatewayClient, clock: MarketClock) -> None:
        self._settings = settings
        self._gateway = gateway.for_queue(Queue.CRITICAL)
        self._clock = clock
        self._engine = make_engine(settings.need_database(), program="feed", pool_size=2)
        line = make_async_engine(
            settings.need_database(), program="feed", pool_size=2, statement_timeout_s=_STATEMENT_TIMEOUT_S
        )
        self._intake = AsyncLedger(line, open_async_wake(settings.need_broker()))
        self._outbox = Outbox(self._intake)  # outlives a time of risk by: what it holds must reach the ledger
        self._books = Subscriptions(self._engine, clock)
        self._writer = FeedWriter(settings.need_redis())
        self._lease = FeedLease(settings.need_redis(), settings.venue)

    async def run(self) -> None:
        """Feed, or stand by, until cancelled; halt entries and raise CredentialsRefusedError when the venue bars us."""
        try:
            while True:
                while not await self._lease.renew_or_take():
                    touch()
                    await asyncio.sleep(LOOK_EVERY.total_seconds())
                log.info("this feed is the active one, fence %s", self._lease.fence)
                await self._feed_while_active()
                log.warning("another feed has taken over, this one snapshots by")
        except CredentialsRefusedError as error:
            await self._books.halt(f"{type(error).__name__}: {error}")
            raise
        finally:
            await self._lease.give_up()
            await self._intake.close()
            await self._writer.close()
            self._engine.dispose()

    async def _feed_while_active(self) -> None:
        hubs = self._settings.venue.hubs_url, HubSession(FleetTokenSource(self._gateway))
        books = self._books
        market = MarketSide(hubs, self._writer, self._clock, contracts=books.contracts, has_traded=self._has_traded)
        user = UserSide(hubs, self._writer, self._outbox, accounts=books.accounts, read_positions=self._positions)
        sides = asyncio.gather(market.run(), user.run())
        try:
            while await self._lease.renew_or_take():
                await self._writer.write_health(self._health(market, user))
                touch()
                await asyncio.wait([sides], timeout=RENEW_EVERY.total_seconds())
                if sides.done():
                    raise _first(sides.exception())
        finally:
            sides.cancel()
            await asyncio.gather(sides, return_exceptions=True)

    def _health(self, market: MarketSide, user: UserSide) -> FeedHealth:
        return FeedHealth(
            said_at=machine_now(),
            fence=self._lease.fence,
            market=_hub_health(market.hub),
            user=_hub_health(user.hub),
            contracts=market.health(),
            event_waiting_count=self._outbox.waiting_count,
            event_lost_count=self._outbox.lost_count,
        )

    async def _positions(self, account_id: int) -> list[VenuePosition]:
        return await asyncio.to_thread(self._gateway.positions, account_id)

    async def _has_traded(self, contract_id: str, since_market_at: datetime) -> bool:
        """Whether REST shows a bar that began after `since_market_at`; False as well if it cannot be asked."""
        contract = self._books.contract(contract_id)
        if contract is None:
            return False
        wanted = Span(since_market_at, max(self._clock.now(), since_market_at + timedelta(microseconds=1)))
        try:
            bars = await asyncio.to_thread(self._gateway.bars, contract, wanted)
        except TickworkError as error:
            log.warning("whether %s trades cannot be asked: %s", contract_id, error)
            return False
        return any(bar.start + MINUTE > since_market_at and bar.volume for bar in bars)


def _hub_health(hub: Hub) -> HubHealth:
    return HubHealth(
        is_connected=hub.is_connected,
        is_subscribed=hub.is_ready,
        silent_s=round(hub.silent_s, 3),
        connection_count=hub.connections,
        event_count=hub.event_count,
        gap_s=None if hub.last_gap_s is None else round(hub.last_gap_s, 3),
    )


def _first(error: BaseException | None) -> BaseException:
    """Return what made tasks fail, out of the groups it is wrapped in."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error or RuntimeError("the feed's tasks ended by themselves")
