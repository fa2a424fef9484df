"""The newest quote of each contract in Redis, deleted once it is no longer fresh."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
import redis

from shared.domain.market_data.contract import root_of_contract
from shared.domain.market_data.price_belief import QuotedPrice
from shared.domain.orders.order import Side
from shared.hot.connection import CircuitBreaker, RedisUnavailableError, connect

FRESH_FOR = timedelta(seconds=5)


class HotQuote(msgspec.Struct, frozen=True, kw_only=True):
    """A quote: prices in money, None if not received yet. `at` is market time, the others are machine time.

    `last` is the last trade as the quote tells it, `traded` as the trades do, which come apart from the quotes.
    """

    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None
    at: datetime | None = None
    received_at: datetime
    traded: Decimal | None = None
    trade_received_at: datetime | None = None

    def age(self, machine_now: datetime) -> timedelta:
        """Return the time since the quote was received."""
        return machine_now - self.received_at

    def believed(self, side: Side, tick_size: Decimal) -> Decimal | None:
        """Return the price at which an order of this side fills now, None if there is none or it cannot be true."""
        price, other = (self.ask, self.bid) if side is Side.BUY else (self.bid, self.ask)
        ago = None if self.trade_received_at is None else self.received_at - self.trade_received_at
        return price if QuotedPrice(price, other, self.traded, ago).is_believed(tick_size) else None


def quote_key(contract_id: str) -> str:
    """Return the Redis key of the contract's quote."""
    return f"tickwork:quote:{contract_id}"


class QuoteReader:
    """Reads fresh quotes; returns none while Redis does not answer."""

    def __init__(self, client: "redis.Redis", breaker: CircuitBreaker) -> None:
        self._client = client
        self._breaker = breaker

    def read(self, contract_ids: Collection[str]) -> dict[str, HotQuote]:
        """Return the fresh quotes by contract; contracts without one are missing."""
        wanted = sorted(contract_ids)
        if not wanted:
            return {}
        try:
            with self._breaker.guard():
                found = self._client.mget([quote_key(contract_id) for contract_id in wanted])
        except RedisUnavailableError:
            return {}
        return {
            contract_id: msgspec.json.decode(str(value), type=HotQuote)
            for contract_id, value in zip(wanted, list(found), strict=True)
            if value is not None
        }


@contextmanager
def open_quotes(redis_url: str) -> Iterator[QuoteReader]:
    """Open a reader of the quotes that the feed writes."""
    client = connect(redis_url)
    try:
        yield QuoteReader(client, CircuitBreaker())
    finally:
        client.close()


def exit_price_from(quotes: Mapping[str, HotQuote]) -> Callable[[str, int], Decimal | None]:
    """Return a function of contract id and signed quantity that gives the price to close the position at now.

    That is the bid for a long and the ask for a short; None without a fresh quote, or if its price cannot be true.
    """

    def exit_price(contract_id: str, quantity: int) -> Decimal | None:
        quote = quotes.get(contract_id)
        if quote is None:
            return None
        side = Side.SELL if quantity > 0 else Side.BUY
        return quote.believed(side, root_of_contract(contract_id).tick_size)

    return exit_price
