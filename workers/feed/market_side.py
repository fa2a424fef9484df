"""The market hub's side of the feed: quotes and forming bars of the tracked contracts, to Redis."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

import msgspec

from shared.clock import MarketClock, machine_now, monotonic
from shared.gateway.hubs import messages
from shared.gateway.hubs.hub import Hub
from shared.gateway.hubs.session import HubSession
from shared.hot.feed_health import ContractHealth
from shared.hot.feed_writer import FeedWriter
from workers.feed.prices import Prices
from workers.feed.silence import Silence

log = logging.getLogger(__name__)

WRITE_EVERY_S = 0.05
LOOK_FOR_CONTRACTS_EVERY_S = 5.0
# A program that stood still for so long may have been replaced, and reads a backlog whose age it cannot tell.
STOOD_STILL_S = 2.0
_TOPICS = ("Quotes", "Trades")

Contracts = Callable[[], Awaitable[Mapping[str, bool]]]
HasTraded = Callable[[str, datetime], Awaitable[bool]]


class MarketSide:
    """Reads without waiting, writes the newest of each contract twenty times a second."""

    def __init__(
        self,
        hubs: tuple[str, HubSession],
        writer: FeedWriter,
        clock: MarketClock,
        *,
        contracts: Contracts,
        has_traded: HasTraded,
        silence: Silence | None = None,
        look_every_s: float = LOOK_FOR_CONTRACTS_EVERY_S,
    ) -> None:
        """Take the contracts from `contracts`: by id, whether each is in session.

        `has_traded` says by REST whether there was trading in a contract after an instant of market time.
        """
        url, session = hubs
        self.hub = Hub(f"{url}/hubs/market", session, self._take, self._subscribe)
        self._writer = writer
        self._clock = clock
        self._contracts = contracts
        self._has_traded = has_traded
        self._prices = Prices()
        self._silence = silence or Silence()
        self._look_every_s = look_every_s
        self._in_session: Mapping[str, bool] = {}
        self._heard_at: dict[str, float] = {}  # or subscribed at
        self._spoke: set[str] = set()

    async def run(self) -> None:
        """Feed until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.hub.run(), name="market hub")
            tasks.create_task(self._write(), name="write prices")
            tasks.create_task(self._follow_contracts(), name="follow contracts")

    def health(self) -> dict[str, ContractHealth]:
        """Return how long ago each contract was heard of."""
        now = monotonic()
        return {
            contract_id: ContractHealth(
                silent_s=round(now - self._heard_at[contract_id], 3) if contract_id in self._spoke else None,
                is_in_session=is_in_session,
            )
            for contract_id, is_in_session in self._in_session.items()
        }

    async def _subscribe(self, _: Hub) -> None:
        self._prices.forget()
        self._heard_at.clear()
        self._spoke.clear()
        self._in_session = await self._contracts()
        for contract_id in self._in_session:
            await self._listen_to(contract_id)

    async def _listen_to(self, contract_id: str) -> None:
        for topic in _TOPICS:
            await self.hub.invoke(f"SubscribeContract{topic}", contract_id)
        self._prices.listen(contract_id, self._clock.now())
        self._heard_at[contract_id] = monotonic()

    async def _follow_contracts(self) -> None:
        """Keep to what is tracked, and see to contracts that have gone silent."""
        while True:
            await asyncio.sleep(self._look_every_s)
            wanted = await self._contracts()
            if not self.hub.is_ready:
                continue
            try:
                for contract_id in wanted.keys() - self._heard_at.keys():
                    await self._listen_to(contract_id)
                for contract_id in self._heard_at.keys() - wanted.keys():
                    await self._stop_listening_to(contract_id)
                self._in_session = wanted
                for contract_id, is_suspect in self._silence.look(self._heard_at, wanted, monotonic()):
                    await self._see_to(contract_id, is_suspect=is_suspect)
            except Exception as error:  # noqa: BLE001  # whatever it was, a new connection begins with all of it
                log.warning("the market hub's subscriptions cannot be changed, connecting anew: %s", error)
                self.hub.drop()

    async def _stop_listening_to(self, contract_id: str) -> None:
        del self._heard_at[contract_id]
        for topic in _TOPICS:
            await self.hub.invoke(f"UnsubscribeContract{topic}", contract_id)

    async def _see_to(self, contract_id: str, *, is_suspect: bool) -> None:
        """Ask for a silent contract's subscription again; give the connection up if REST shows that it trades."""
        silent_s = monotonic() - self._heard_at[contract_id]
        heard_market_at = self._clock.to_market(machine_now() - timedelta(seconds=silent_s))
        if is_suspect and await self._has_traded(contract_id, heard_market_at):
            log.warning("%s trades, but is silent here for %.0f s: connecting anew", contract_id, silent_s)
            self.hub.drop()
            return
        log.warning("%s is silent for %.0f s in an open session: subscribing again", contract_id, silent_s)
        for topic in _TOPICS:
            await self.hub.invoke(f"SubscribeContract{topic}", contract_id)

    def _take(self, target: str, arguments: list[msgspec.Raw]) -> None:
        try:
            if target == "GatewayQuote":
                contract_id = messages.contract_of(arguments)
                self._prices.take_quote(contract_id, messages.quote(arguments), machine_now())
            elif target == "GatewayTrade":
                contract_id = messages.contract_of(arguments)
                for trade in messages.trades(arguments):
                    self._prices.take_trade(contract_id, trade)
            else:
                return
        except (msgspec.MsgspecError, ValueError, ArithmeticError, IndexError) as error:
            log.warning("a %s cannot be read and is left out: %s", target, error)
            return
        if contract_id in self._heard_at:
            self._heard_at[contract_id] = monotonic()
            self._spoke.add(contract_id)

    async def _write(self) -> None:
        wrote_at = monotonic()
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            stood_still_s, wrote_at = monotonic() - wrote_at, monotonic()
            self._prices.end_minutes(self._clock.now())
            news = self._prices.taken()
            if stood_still_s > STOOD_STILL_S:
                log.warning("this feed stood still for %.1f s: what it missed is not told as new", stood_still_s)
                self.hub.drop()
            elif news:
                await self._writer.write_market(news.quotes, news.forming, news.ended)
                wrote_at = monotonic()
