"""The market side of the feed: writes quotes and forming bars of the tracked contracts to Redis."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
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
from workers.feed.stall import CHECK_STALL_EVERY_S, Stall

log = logging.getLogger(__name__)

WRITE_EVERY_S = 0.05
CHECK_CONTRACTS_EVERY_S = 5.0
_TOPICS = ("Quotes", "Trades")

Contracts = Callable[[], Awaitable[Mapping[str, bool]]]
HasTraded = Callable[[str, datetime], Awaitable[bool]]


class MarketSide:
    """Reads the market hub without waiting, and writes the newest data of each contract twenty times a second."""

    def __init__(
        self,
        hubs: tuple[str, HubSession],
        writer: FeedWriter,
        clock: MarketClock,
        *,
        contracts: Contracts,
        has_traded: HasTraded,
        silence: Silence | None = None,
        check_every_s: float = CHECK_CONTRACTS_EVERY_S,
    ) -> None:
        """Follow the contracts that `contracts` returns: by id, whether each is in session.

        `has_traded` checks by REST whether a contract has traded after an instant of market time.
        """
        url, session = hubs
        self.hub = Hub(f"{url}/hubs/market", session, self._handle_event, self._subscribe)
        self._writer = writer
        self._clock = clock
        self._contracts = contracts
        self._has_traded = has_traded
        self._prices = Prices()
        self._silence = silence or Silence()
        self._stall = Stall()
        self._has_events = asyncio.Event()
        self._check_every_s = check_every_s
        self._in_session: Mapping[str, bool] = {}
        self._received_at: dict[str, float] = {}  # the last data, or the subscription
        self._contracts_with_data: set[str] = set()

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.hub.run(), name="market hub")
            tasks.create_task(self._stall.watch(), name="watch the event loop")
            tasks.create_task(self._write_prices(), name="write prices")
            tasks.create_task(self._follow_contracts(), name="follow contracts")

    def health(self) -> dict[str, ContractHealth]:
        """Return the time since the last data of each contract."""
        now = monotonic()
        return {
            contract_id: ContractHealth(
                silent_s=round(now - self._received_at[contract_id], 3)
                if contract_id in self._contracts_with_data
                else None,
                is_in_session=is_in_session,
            )
            for contract_id, is_in_session in self._in_session.items()
        }

    async def _subscribe(self, _: Hub) -> None:
        self._prices.reset()
        self._received_at.clear()
        self._contracts_with_data.clear()
        self._in_session = await self._contracts()
        for contract_id in self._in_session:
            await self._subscribe_contract(contract_id)

    async def _subscribe_contract(self, contract_id: str) -> None:
        for topic in _TOPICS:
            await self.hub.invoke(f"SubscribeContract{topic}", contract_id)
        self._prices.mark_subscribed(contract_id, self._clock.now())
        self._received_at[contract_id] = monotonic()

    async def _follow_contracts(self) -> None:
        """Subscribe to the tracked contracts and no others, and recover contracts that have gone silent."""
        while True:
            await asyncio.sleep(self._check_every_s)
            wanted = await self._contracts()
            if not self.hub.is_ready:
                continue
            try:
                for contract_id in wanted.keys() - self._received_at.keys():
                    await self._subscribe_contract(contract_id)
                for contract_id in self._received_at.keys() - wanted.keys():
                    await self._unsubscribe_contract(contract_id)
                self._in_session = wanted
                for contract_id, is_suspect in self._silence.find_due_contracts(self._received_at, wanted, monotonic()):
                    await self._recover_contract(contract_id, is_suspect=is_suspect)
            except Exception as error:  # noqa: BLE001  # a new connection subscribes to everything again
                log.warning("cannot change the market hub's subscriptions, reconnecting: %s", error)
                self.hub.drop()

    async def _unsubscribe_contract(self, contract_id: str) -> None:
        del self._received_at[contract_id]
        for topic in _TOPICS:
            await self.hub.invoke(f"UnsubscribeContract{topic}", contract_id)

    async def _recover_contract(self, contract_id: str, *, is_suspect: bool) -> None:
        """Subscribe to a silent contract again; if it is suspect and REST shows trades, drop the connection instead."""
        silent_s = monotonic() - self._received_at[contract_id]
        received_market_at = self._clock.to_market(machine_now() - timedelta(seconds=silent_s))
        if is_suspect and await self._has_traded(contract_id, received_market_at):
            log.warning("%s trades, but has sent no data for %.0f s: reconnecting", contract_id, silent_s)
            self.hub.drop()
            return
        log.warning("%s has sent no data for %.0f s in an open session: subscribing again", contract_id, silent_s)
        for topic in _TOPICS:
            await self.hub.invoke(f"SubscribeContract{topic}", contract_id)

    def _handle_event(self, target: str, arguments: list[msgspec.Raw]) -> None:
        self._has_events.set()
        try:
            if target == "GatewayQuote":
                contract_id = messages.contract_of(arguments)
                self._prices.take_quote(contract_id, messages.parse_quote(arguments), machine_now())
            elif target == "GatewayTrade":
                contract_id = messages.contract_of(arguments)
                for trade in messages.parse_trades(arguments):
                    self._prices.take_trade(contract_id, trade, machine_now())
            else:
                return
        except (msgspec.MsgspecError, ValueError, ArithmeticError, IndexError) as error:
            log.warning("ignored a %s that cannot be parsed: %s", target, error)
            return
        if contract_id in self._received_at:
            self._received_at[contract_id] = monotonic()
            self._contracts_with_data.add(contract_id)

    async def _write_prices(self) -> None:
        while True:
            if not self._prices.is_forming:  # else a minute may end without an event
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._has_events.wait(), CHECK_STALL_EVERY_S)
            self._has_events.clear()
            await asyncio.sleep(WRITE_EVERY_S)
            stalled_s = self._stall.take()
            self._prices.end_minutes(self._clock.now())
            updates = self._prices.take_updates()
            if stalled_s:
                log.warning("this feed stalled for %.1f s: discarding its unread data and reconnecting", stalled_s)
                self.hub.drop()
            elif updates:
                await self._writer.write_market(updates.quotes, updates.forming, updates.ended)
