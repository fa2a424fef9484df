"""The feed: runs both hubs while this program holds the lease, and stands by otherwise."""

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
from shared.hot.feed_lease import ACQUIRE_EVERY, RENEW_EVERY, FeedLease
from shared.hot.feed_writer import FeedWriter
from shared.hot.rate_limit import windows_for
from shared.hot.request_budgets import RequestBudgets
from shared.ledger.async_ledger import AsyncLedger
from shared.ledger.publisher import open_async_publisher
from workers.feed.event_buffer import EventBuffer
from workers.feed.gauges import FeedGauges
from workers.feed.market_side import MarketSide
from workers.feed.subscriptions import Subscriptions
from workers.feed.token_source import FleetTokenSource
from workers.feed.user_side import UserSide

log = logging.getLogger(__name__)

_STATEMENT_TIMEOUT_S = 5


class Feed:
    """One program's feed; it connects once it holds the lease."""

    def __init__(self, settings: Settings, gateway: GatewayClient, clock: MarketClock) -> None:
        self._settings = settings
        self._gateway = gateway.for_queue(Queue.CRITICAL)
        self._clock = clock
        self._engine = make_engine(settings.require_database(), program="feed", pool_size=2)
        async_engine = make_async_engine(
            settings.require_database(), program="feed", pool_size=2, statement_timeout_s=_STATEMENT_TIMEOUT_S
        )
        self._ledger = AsyncLedger(async_engine, open_async_publisher(settings.require_broker()))
        self._event_buffer = EventBuffer(self._ledger)  # kept during standby: its jobs must reach the ledger
        self._subscriptions = Subscriptions(self._engine, clock)
        self._writer = FeedWriter(settings.require_cache())
        self._lease = FeedLease(settings.require_cache(), settings.venue)
        self._budgets = (
            RequestBudgets(settings.require_cache(), settings.venue, windows_for(settings.bars_limit))
            if settings.limits
            else None
        )

    async def run(self) -> None:
        """Feed or stand by until cancelled; halt entries and raise CredentialsRefusedError if the login is refused."""
        try:
            while True:
                while not await self._lease.acquire_or_renew():
                    touch()
                    await asyncio.sleep(ACQUIRE_EVERY.total_seconds())
                log.info("this feed is the active one, fence %s", self._lease.fence)
                await self._feed_while_active()
                log.warning("another feed has taken over, this one stands by")
        except CredentialsRefusedError as error:
            await self._subscriptions.halt(f"{type(error).__name__}: {error}")
            raise
        finally:
            await self._lease.release()
            await self._ledger.close()
            await self._writer.close()
            if self._budgets is not None:
                await self._budgets.close()
            self._engine.dispose()

    async def _feed_while_active(self) -> None:
        hubs = self._settings.venue.hubs_url, HubSession(FleetTokenSource(self._gateway))
        subscriptions = self._subscriptions
        market = MarketSide(
            hubs, self._writer, self._clock, contracts=subscriptions.contracts, has_traded=self._has_traded
        )
        user = UserSide(
            hubs, self._writer, self._event_buffer, accounts=subscriptions.accounts, read_positions=self._read_positions
        )
        gauges = FeedGauges(self._engine, self._budgets)
        sides = asyncio.gather(market.run(), user.run(), gauges.run())
        try:
            while await self._lease.acquire_or_renew():
                health = self._build_health(market, user)
                gauges.observe(health.contracts)
                await self._writer.write_health(health)
                touch()
                await asyncio.wait([sides], timeout=RENEW_EVERY.total_seconds())
                if sides.done():
                    raise _unwrap_error(sides.exception())
        finally:
            sides.cancel()
            await asyncio.gather(sides, return_exceptions=True)

    def _build_health(self, market: MarketSide, user: UserSide) -> FeedHealth:
        return FeedHealth(
            reported_at=machine_now(),
            fence=self._lease.fence,
            market=_build_hub_health(market.hub),
            user=_build_hub_health(user.hub),
            contracts=market.health(),
            job_waiting_count=self._event_buffer.waiting_count,
            job_lost_count=self._event_buffer.lost_count,
        )

    async def _read_positions(self, account_id: int) -> list[VenuePosition]:
        return await asyncio.to_thread(self._gateway.positions, account_id)

    async def _has_traded(self, contract_id: str, since_market_at: datetime) -> bool:
        """Whether REST reports a bar with trades that ends after `since_market_at`; False also if the request fails."""
        contract = self._subscriptions.contract(contract_id)
        if contract is None:
            return False
        wanted = Span(since_market_at, max(self._clock.now(), since_market_at + timedelta(microseconds=1)))
        try:
            answer = await asyncio.to_thread(self._gateway.bars, contract, wanted)
        except TickworkError as error:
            log.warning("cannot check whether %s trades: %s", contract_id, error)
            return False
        return any(bar.start + MINUTE > since_market_at and bar.volume for bar in answer.bars)


def _build_hub_health(hub: Hub) -> HubHealth:
    return HubHealth(
        is_connected=hub.is_connected,
        is_subscribed=hub.is_ready,
        silent_s=round(hub.silent_s, 3),
        connection_count=hub.connections,
        event_count=hub.event_count,
        gap_s=None if hub.last_gap_s is None else round(hub.last_gap_s, 3),
    )


def _unwrap_error(error: BaseException | None) -> BaseException:
    """Return the first error inside nested exception groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error or RuntimeError("the feed's tasks ended without an error")
