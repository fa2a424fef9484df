"""The market data of the subscribed contracts, as records of the hub; it is computed outside the event loop."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.clock import monotonic
from simulator.hubs.depth import make_changes, make_snapshot, pad_with_nulls
from simulator.hubs.protocol import encode_invocation
from simulator.hubs.ticker import Density, MarketUpdate, Ticker
from simulator.market.market import Market
from simulator.market.tape import Print

QUOTE, TRADE, DEPTH = "GatewayQuote", "GatewayTrade", "GatewayDepth"
_BATCH = 100  # trades in one event
_LOADING_S = 0.05  # a publication loads new contracts for so long: the others wait meanwhile
Record = tuple[str, str]  # the target of an event, and the event


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractRequest:
    """A request of subscribers for a contract: events of `targets`, and first a snapshot for those of `new_targets`."""

    contract_id: str
    since: datetime  # the first subscription: it is followed from there
    targets: frozenset[str]
    new_targets: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractRecords:
    """The events of a contract: those of its snapshots, and what happened after them."""

    contract_id: str
    snapshots: list[Record]
    updates: list[Record]


class MarketFeed:
    """Follows contracts. Its state belongs to the thread that calls it: one at a time, and it reads only the market."""

    def __init__(self, market: Market, density: Density, speed: int) -> None:
        self._market = market
        self._density = density
        self._speed = speed
        self._tickers: dict[str, Ticker] = {}

    def advance(self, requested: Sequence[ContractRequest], now: datetime, *, is_array: bool) -> list[ContractRecords]:
        """Return the records since the last call, and forget contracts without a request.

        New contracts are loaded for a moment, at least one; the next calls load the others, which have no records
        until then. `is_array` tells whether trades and depth come in arrays.
        """
        wanted = {request.contract_id for request in requested}
        self._tickers = {id_: ticker for id_, ticker in self._tickers.items() if id_ in wanted}
        found, loading_ends = [], 0.0
        for request in sorted(requested, key=lambda request: request.contract_id not in self._tickers):
            if request.contract_id not in self._tickers:
                loading_ends = loading_ends or monotonic() + _LOADING_S
                if not self._load(request):
                    continue
            found.append(self._advance_contract(request, now, is_array=is_array))
            if loading_ends and monotonic() >= loading_ends:
                break
        return found

    def _load(self, request: ContractRequest) -> bool:
        contract = self._market.contract(request.contract_id, request.since)
        if contract is not None:
            self._tickers[request.contract_id] = Ticker(
                self._market, contract, self._density, self._speed, request.since
            )
        return contract is not None

    def _advance_contract(self, request: ContractRequest, now: datetime, *, is_array: bool) -> ContractRecords:
        ticker = self._tickers[request.contract_id]
        encoder = _EventEncoder(request.contract_id, is_array=is_array)
        snapshots = [
            record for target in sorted(request.new_targets) for record in _encode_snapshot(ticker, target, encoder)
        ]
        updates = list(_encode_update(ticker, ticker.advance(now), request.targets, encoder))
        return ContractRecords(contract_id=request.contract_id, snapshots=snapshots, updates=updates)


@dataclass(frozen=True, slots=True)
class _EventEncoder:
    """Encodes events of one contract; entries come as one array or each by itself (`Behaviour.market_payloads`)."""

    contract_id: str
    is_array: bool

    def encode(self, target: str, payload: object) -> Record:
        return target, encode_invocation(target, self.contract_id, payload)

    def encode_all(self, target: str, entries: Sequence[object | None]) -> Iterator[Record]:
        payloads = [entries] if self.is_array else [entry for entry in entries if entry is not None]
        return (self.encode(target, payload) for payload in payloads)


def _encode_snapshot(ticker: Ticker, target: str, encoder: _EventEncoder) -> Iterator[Record]:
    """Yield the full quote or the order book, if the contract has a price."""
    quote, ladder = ticker.full_quote(), ticker.ladder()
    if target == QUOTE and quote is not None:
        yield encoder.encode(QUOTE, quote)
    if target == DEPTH and ladder is not None:
        yield from encoder.encode_all(DEPTH, make_snapshot(ticker.contract, ladder, ticker.until))


def _encode_update(
    ticker: Ticker, update: MarketUpdate, targets: frozenset[str], encoder: _EventEncoder
) -> Iterator[Record]:
    contract = ticker.contract
    if TRADE in targets:
        for start in range(0, len(update.prints), _BATCH):
            batch = [_trade_model(print_, ticker) for print_ in update.prints[start : start + _BATCH]]
            yield from encoder.encode_all(TRADE, pad_with_nulls(batch))
    if QUOTE in targets:
        yield from (encoder.encode(QUOTE, quote) for quote in update.quotes)
    if DEPTH in targets and update.after and update.before is None:
        yield from encoder.encode_all(DEPTH, make_snapshot(contract, update.after, ticker.until))
    elif DEPTH in targets and update.after and update.before:
        entries = make_changes(contract, update.before, update.after, update.prints, ticker.until)
        yield from encoder.encode_all(DEPTH, entries) if entries else ()


def _trade_model(print_: Print, ticker: Ticker) -> dict[str, object]:
    return {
        "symbolId": ticker.symbol,
        "price": print_.price_ticks * ticker.contract.tick_size,
        "timestamp": print_.at.isoformat(),
        "type": 0 if print_.is_buyer else 1,
        "volume": print_.volume,
        "contractId": ticker.contract.id,
    }
