"""The market hub: quotes, trades and order books of the subscribed contracts."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from simulator.hubs.connection import Connection
from simulator.hubs.depth import make_changes, make_snapshot, pad_with_nulls
from simulator.hubs.protocol import invocation
from simulator.hubs.ticker import Density, MarketUpdate, Ticker
from simulator.hubs.topics import CONTRACT_ARGUMENT, HubServer, Subject, Topic
from simulator.market.tape import Print
from simulator.venue.venue import Venue

QUOTE, TRADE, DEPTH = "GatewayQuote", "GatewayTrade", "GatewayDepth"
_CONTRACT_NOT_FOUND = "Contract not found."
_MIN_PER_MINUTE = 4  # a bar's open, extremes and close
_MAX_PER_SECOND = 200  # of machine time, however fast the market runs
_BATCH = 100  # trades in one event


def density_of(prints_per_minute: int, speed: int) -> Density:
    """Return the density of a contract: `prints_per_minute`, but less in a fast market so that clients keep up."""
    per_second = max(_MAX_PER_SECOND, prints_per_minute // 60)
    count = max(_MIN_PER_MINUTE, min(prints_per_minute, per_second * 60 // speed))
    return Density(prints=count, quotes=count)


class MarketHub(HubServer):
    """Follows each contract while it has subscribers; each event is encoded once for all of them."""

    name = "market"
    methods: ClassVar = {
        "ContractQuotes": (QUOTE, CONTRACT_ARGUMENT),
        "ContractTrades": (TRADE, CONTRACT_ARGUMENT),
        "ContractMarketDepth": (DEPTH, CONTRACT_ARGUMENT),
    }

    def __init__(self, venue: Venue, prints_per_minute: int) -> None:
        super().__init__()
        self._venue = venue
        self._density = density_of(prints_per_minute, venue.clock.speed)
        self._tickers: dict[Subject, Ticker] = {}

    def subscription_error(self, connection: Connection, topic: Topic) -> str | None:  # noqa: ARG002 - the same for all users
        """Return an error for a contract the market does not know [SIM]."""
        contract = self._venue.market.contract(str(topic[1]), self._venue.now())
        return None if contract else _CONTRACT_NOT_FOUND

    def send_snapshot(self, connection: Connection, topic: Topic) -> None:
        """Send a new subscriber the full quote or order book, if the contract has a price."""
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
            for payload in self._payloads(make_snapshot(contract, ladder, ticker.until)):
                connection.send(invocation(DEPTH, contract_id, payload))

    def publish(self, now: datetime) -> None:
        """Send the market data since the last call to the subscribers."""
        wanted = self.topics.subjects()
        for contract_id in [subject for subject in self._tickers if subject not in wanted]:
            del self._tickers[contract_id]
        for ticker in self._tickers.values():
            self._send(ticker, ticker.advance(now))

    def _send(self, ticker: Ticker, update: MarketUpdate) -> None:
        contract = ticker.contract
        for start in range(0, len(update.prints), _BATCH):
            batch = [_trade_model(print_, ticker) for print_ in update.prints[start : start + _BATCH]]
            self._broadcast_all(TRADE, contract.id, pad_with_nulls(batch))
        for quote in update.quotes:
            self._broadcast(QUOTE, contract.id, quote)
        if update.after and update.before is None:
            self._broadcast_all(DEPTH, contract.id, make_snapshot(contract, update.after, ticker.until))
        elif update.after and update.before and self.topics.listeners((DEPTH, contract.id)):
            entries = make_changes(contract, update.before, update.after, update.prints, ticker.until)
            if entries:
                self._broadcast_all(DEPTH, contract.id, entries)

    def _payloads(self, entries: Sequence[object | None]) -> Sequence[object]:
        """Return the entries as one array or each by itself, as `Behaviour.market_payloads` has it."""
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


def _trade_model(print_: Print, ticker: Ticker) -> dict[str, object]:
    return {
        "symbolId": ticker.symbol,
        "price": print_.price_ticks * ticker.contract.tick_size,
        "timestamp": print_.at.isoformat(),
        "type": 0 if print_.is_buyer else 1,
        "volume": print_.volume,
        "contractId": ticker.contract.id,
    }
