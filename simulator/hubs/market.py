"""The market hub: quotes, trades and order books of the subscribed contracts."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import ClassVar

from shared.clock import monotonic
from simulator.faults import Faults
from simulator.hubs.connection import Connection
from simulator.hubs.market_feed import DEPTH, QUOTE, TRADE, ContractRecords, ContractRequest, MarketFeed
from simulator.hubs.ticker import Density
from simulator.hubs.topics import CONTRACT_ARGUMENT, HubServer, Subject, Topic
from simulator.venue.venue import Venue

_Subscription = tuple[Topic, Connection]
_Waiting = tuple[Topic, Connection, int]  # a subscription, and the number of its calls that have not got their snapshot
_CONTRACT_NOT_FOUND = "Contract not found."
_SILENT_AFTER_S = 2.0
_MIN_PER_MINUTE = 4  # a bar's open, extremes and close
_MAX_PER_SECOND = 200  # of machine time, however fast the market runs


def density_of(prints_per_minute: int, speed: int) -> Density:
    """Return the density of a contract: `prints_per_minute`, but less in a fast market so that clients keep up."""
    per_second = max(_MAX_PER_SECOND, prints_per_minute // 60)
    count = max(_MIN_PER_MINUTE, min(prints_per_minute, per_second * 60 // speed))
    return Density(prints=count, quotes=count)


class MarketHub(HubServer):
    """Follows each contract while it has subscribers; each event is encoded once for all of them.

    A thread of its own computes the events, so that subscribing to every contract delays no other request. The first
    event of a new subscriber is the full quote or book of the next publication. After the fault `quote_gap`, for whose
    `seconds` no quote is sent, each subscriber gets a full one again.
    """

    name = "market"
    methods: ClassVar = {
        "ContractQuotes": (QUOTE, CONTRACT_ARGUMENT),
        "ContractTrades": (TRADE, CONTRACT_ARGUMENT),
        "ContractMarketDepth": (DEPTH, CONTRACT_ARGUMENT),
    }

    def __init__(self, venue: Venue, prints_per_minute: int, faults: Faults) -> None:
        super().__init__()
        self._venue = venue
        self._faults = faults
        self._no_quote_until = monotonic()
        self._feed = MarketFeed(venue.market, density_of(prints_per_minute, venue.clock.speed), venue.clock.speed)
        self._thread = ThreadPoolExecutor(1, "market data")
        self._since: dict[str, datetime] = {}  # the first subscription of each contract
        self._waiting: Counter[_Subscription] = Counter()  # the calls that have not got their snapshot
        self._has_waiting = asyncio.Event()
        self._sent_at = monotonic()

    def subscription_error(self, connection: Connection, topic: Topic) -> str | None:  # noqa: ARG002 - the same for all users
        """Return an error for a contract the market does not know [SIM]."""
        contract = self._venue.market.contract(str(topic[1]), self._venue.read_clock())
        return None if contract else _CONTRACT_NOT_FOUND

    def send_snapshot(self, connection: Connection, topic: Topic) -> None:
        """Let the next publication send a new subscriber the full quote or order book, if the contract has a price."""
        target, contract_id = topic
        self._since.setdefault(str(contract_id), self._venue.read_clock())
        if target != TRADE:
            self._waiting[topic, connection] += 1
            self._has_waiting.set()

    @property
    def is_silent(self) -> bool:
        """Whether there are subscribers, none waits for its snapshot, and nothing was sent for some seconds."""
        return not self._waiting and monotonic() - self._sent_at > _SILENT_AFTER_S and any(self.topics.list_all())

    async def wait_for_subscriber(self, longest_s: float) -> None:
        """Return once a new subscriber waits for its snapshot, or after so many seconds."""
        self._has_waiting.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._has_waiting.wait(), longest_s)

    def apply_quote_fault(self) -> None:
        """Draw the fault `quote_gap`, if a client is subscribed to quotes."""
        topics = [topic for topic in self.topics.list_all() if topic[0] == QUOTE]
        if topics and (gap := self._faults.draw("quote_gap")):
            self._no_quote_until = monotonic() + gap.seconds
            for topic in topics:
                for connection in self.topics.listeners(topic):
                    self._waiting[topic, connection] = max(1, self._waiting[topic, connection])

    async def publish(self, now: datetime) -> None:
        """Send the market data since the last call to the subscribers."""
        silent = frozenset({QUOTE} if monotonic() < self._no_quote_until else ())
        requested = self._list_requests(silent)
        is_array = self._venue.state.behaviour.market_payloads == "array"
        waiting = defaultdict[Subject, list[_Waiting]](list)
        for (topic, connection), count in self._waiting.items():
            if topic[0] in silent:
                continue
            waiting[topic[1]].append((topic, connection, count))
        for found in await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: self._feed.advance(requested, now, is_array=is_array)
        ):
            if found.snapshots or found.updates:
                self._sent_at = monotonic()
            self._send(found, waiting[found.contract_id])

    def _list_requests(self, silent: frozenset[str]) -> list[ContractRequest]:
        """Return what the subscribers want, but for silent targets, and forget the subscriptions that have ended."""
        for subscription in [row for row in self._waiting if not self.topics.has(*row)]:
            del self._waiting[subscription]
        targets = _group_by_contract(self.topics.list_all())
        new_targets = _group_by_contract(topic for topic, _ in self._waiting)
        self._since = {id_: since for id_, since in self._since.items() if id_ in targets}
        return [
            ContractRequest(
                contract_id=id_,
                since=since,
                targets=frozenset(targets[id_]) - silent,
                new_targets=frozenset(new_targets[id_]) - silent,
            )
            for id_, since in self._since.items()
        ]

    def _send(self, found: ContractRecords, waiting: list[_Waiting]) -> None:
        """Send the snapshots to those who waited for them, and the rest to all who have one."""
        for topic, connection, count in waiting:
            self._waiting[topic, connection] -= count
            if not self._waiting[topic, connection]:  # it has not subscribed again meanwhile
                del self._waiting[topic, connection]
            if self.topics.has(topic, connection):
                for record in [text for target, text in found.snapshots if target == topic[0]] * count:
                    connection.send(record)
        for target, record in found.updates:
            topic = (target, found.contract_id)
            for connection in self.topics.listeners(topic):
                if (topic, connection) not in self._waiting:
                    connection.send(record)


def _group_by_contract(topics: Iterable[Topic]) -> defaultdict[str, set[str]]:
    """Return the targets of each contract."""
    found = defaultdict[str, set[str]](set)
    for target, contract_id in topics:
        found[str(contract_id)].add(target)
    return found
