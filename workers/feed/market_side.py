"""The market hub's side of the feed: quotes and forming bars of the tracked contracts, to Redis."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec

from shared.clock import MarketClock, machine_now, monotonic
from shared.gateway import hub_events
from shared.gateway.hubs import Access, Hub
from shared.hot.feed_writer import FeedWriter
from workers.feed.prices import Prices

log = logging.getLogger(__name__)

WRITE_EVERY_S = 0.05
LOOK_FOR_CONTRACTS_EVERY_S = 10.0
SILENT_AFTER_S = 30.0  # of a contract in session, while another one speaks


class MarketSide:
    """Reads without waiting, writes the newest of each contract twenty times a second."""

    def __init__(
        self,
        url: str,
        access: Access,
        writer: FeedWriter,
        clock: MarketClock,
        open_contracts: Callable[[], Awaitable[dict[str, bool]]],
    ) -> None:
        self.hub = Hub(f"{url}/hubs/market", access, self._take, self._subscribe)
        self.heard_at: dict[str, float] = {}
        self._writer = writer
        self._clock = clock
        self._open_contracts = open_contracts  # by id, whether each is in session
        self._prices = Prices()
        self._subscribed: set[str] = set()

    async def run(self) -> None:
        """Feed until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.hub.run(), name="market hub")
            tasks.create_task(self._write(), name="write prices")
            tasks.create_task(self._follow_contracts(), name="follow contracts")

    async def _subscribe(self, _: Hub) -> None:
        self._prices.forget()
        self._subscribed.clear()
        for contract_id in await self._open_contracts():
            await self._listen_to(contract_id)

    async def _listen_to(self, contract_id: str) -> None:
        await self.hub.invoke("SubscribeContractQuotes", contract_id)
        await self.hub.invoke("SubscribeContractTrades", contract_id)
        self._prices.listen(contract_id, self._clock.now())
        self._subscribed.add(contract_id)
        self.heard_at[contract_id] = monotonic()

    async def _follow_contracts(self) -> None:
        """Subscribe to what is tracked since, and build the connection anew for a contract that has gone silent."""
        while True:
            await asyncio.sleep(LOOK_FOR_CONTRACTS_EVERY_S)
            wanted = await self._open_contracts()
            if not self.hub.is_connected:
                continue
            for contract_id in wanted.keys() - self._subscribed:
                await self._listen_to(contract_id)
            now = monotonic()
            silent = [
                name for name, is_open in wanted.items()
                if is_open and now - self.heard_at.get(name, now) > SILENT_AFTER_S
            ]  # fmt: skip
            if silent:
                log.warning(
                    "%s silent for %.0f s in an open session: connecting anew", ", ".join(silent), SILENT_AFTER_S
                )
                self.hub.drop()

    def _take(self, target: str, arguments: list[msgspec.Raw]) -> None:
        if target not in {"GatewayQuote", "GatewayTrade"}:
            return
        try:
            contract_id = hub_events.contract_of(arguments)
            if target == "GatewayQuote":
                self._prices.take_quote(contract_id, hub_events.quote(arguments), machine_now())
            else:
                for trade in hub_events.trades(arguments):
                    self._prices.take_trade(contract_id, trade)
        except (msgspec.MsgspecError, ValueError, IndexError) as error:
            log.warning("a %s cannot be read and is left out: %s", target, error)
            return
        self.heard_at[contract_id] = monotonic()

    async def _write(self) -> None:
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            news = self._prices.taken()
            if news.quotes or news.forming:
                await self._writer.write_market(news.quotes, news.forming, news.ended)
