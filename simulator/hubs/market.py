"""The market hub: quotes, trades and order books of the contracts that somebody listens to."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from simulator.hubs.connection import Connection
from simulator.hubs.depth import changes, padded, snapshot
from simulator.hubs.protocol import invocation
from simulator.hubs.ticker import Density, Heard, Ticker
from simulator.hubs.topics import CONTRACT, HubServer, Subject, Topic
from simulator.market.tape import Print
from simulator.venue.venue import Venue

QUOTE, TRADE, DEPTH = "GatewayQuote", "GatewayTrade", "GatewayDepth"
NOT_FOUND = "Contract not found."
_LEAST_A_MINUTE = 4  # a bar's open, extremes and close
_MOST_A_SECOND = 200  # of machine time, however fast the market runs
_BATCH = 100  # trades in one event


def density_of(prints_per_minute: int, speed: int) -> Density:
    """Return how often a contract is heard: as asked, but thinner in a fast market so that it stays readable."""
    a_second = max(_MOST_A_SECOND, prints_per_minute // 60)
    count = max(_LEAST_A_MINUTE, min(prints_per_minute, a_second * 60 // speed))
    return Density(prints=count, quotes=count)


class MarketHub(HubServer):
    """Follows a contract as long as anybody listens to it; each event is encoded once for all who do."""

    name = "market"
    methods: ClassVar = {
        "ContractQuotes": (QUOTE, CONTRACT),
        "ContractTrades": (TRADE, CONTRACT),
        "ContractMarketDepth": (DEPTH, CONTRACT),
    }

    def __init__(self, venue: Venue, prints_per_minute: int) -> None:
        super().__init__()
        self._venue = venue
        self._density = density_of(prints_per_minute, venue.clock.speed)
        self._tickers: dict[Subject, Ticker] = {}

    def reason_against(self, connection: Connection, topic: Topic) -> str | None:  # noqa: ARG002 - all see one market
        """Return why nobody can listen: [SIM] a contract the market does not know is an error."""
        contract = self._venue.market.contract(str(topic[1]), self._venue.now())
        return None if contract else NOT_FOUND

    def greet(self, connection: Connection, topic: Topic) -> None:
        """Send a new listener the whole quote or order state, if there is a price yet."""
        target, contract_id = topic
        now = self._venue.now()
        contract = self._venue.market.contract(str(contract_id), now)
        if contract is None:
            return
        ticker = self._tickers.get(contract_id)
        if ticker is None:
            ticker = Ticker(self._venue.market, contract, self._density, self._venue.clock.speed, now)
            self._tickers[contract_id] = ticker
        quote, ladder = ticker.full_quote(), ticker.ladder()
        if target == QUOTE and quote is not None:
            connection.send(invocation(QUOTE, contract_id, quote))
        if target == DEPTH and ladder is not None:
            for payload in self._payloads(snapshot(ladder, contract.tick_size, ticker.until)):
                connection.send(invocation(DEPTH, contract_id, payload))

    def tell(self, now: datetime) -> None:
        """Send what happened since the last look to whoever listens."""
        wanted = self.topics.subjects()
        for contract_id in [subject for subject in self._tickers if subject not in wanted]:
            del self._tickers[contract_id]
        for ticker in self._tickers.values():
            self._send(ticker, ticker.go_on(now))

    def _send(self, ticker: Ticker, heard: Heard) -> None:
        contract = ticker.contract
        for start in range(0, len(heard.prints), _BATCH):
            batch = [_trade(print_, ticker) for print_ in heard.prints[start : start + _BATCH]]
            self._broadcast_all(TRADE, contract.id, padded(batch))
        for quote in heard.quotes:
            self._broadcast(QUOTE, contract.id, quote)
        if heard.after and heard.before is None:
            self._broadcast_all(DEPTH, contract.id, snapshot(heard.after, contract.tick_size, ticker.until))
        elif heard.after and heard.before and heard.before != heard.after:
            entries = changes(heard.before, heard.after, contract.tick_size, ticker.until)
            self._broadcast_all(DEPTH, contract.id, entries)

    def _payloads(self, entries: Sequence[object | None]) -> Sequence[object]:
        """Return entries as one array, or each by itself, as the habit is."""
        if self._venue.state.behaviour.market_payloads == "array":
            return [entries]
        return [entry for entry in entries if entry is not None]

    def _broadcast_all(self, target: str, contract_id: str, entries: Sequence[object | None]) -> None:
        for payload in self._payloads(entries):
            self._broadcast(target, contract_id, payload)

    def _broadcast(self, target: str, contract_id: str, payload: object) -> None:
        listeners = self.topics.listeners((target, contract_id))
        if listeners:
            record = invocation(target, contract_id, payload)
            for connection in listeners:
                connection.send(record)


def _trade(print_: Print, ticker: Ticker) -> dict[str, object]:
    return {
        "symbolId": ticker.symbol,
        "price": print_.price_ticks * ticker.contract.tick_size,
        "timestamp": print_.at.isoformat(),
        "type": 0 if print_.is_buyer else 1,
        "volume": print_.volume,
    }
