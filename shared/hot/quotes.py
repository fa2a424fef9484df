"""The newest quote of each contract in Redis, gone when it is no longer fresh."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
import redis

from shared.hot.connection import CircuitBreaker, RedisUnavailableError

FRESH_FOR = timedelta(seconds=5)


class HotQuote(msgspec.Struct, frozen=True, kw_only=True):
    """Prices in money, None if never told. `at` is the market's time of it, `received_at` the machine's."""

    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None
    at: datetime | None = None
    received_at: datetime

    def age(self, machine_now: datetime) -> timedelta:
        """Return how long ago it reached us."""
        return machine_now - self.received_at


def quote_key(contract_id: str) -> str:
    """Return where the contract's quote is kept."""
    return f"tickwork:quote:{contract_id}"


def read_quote(client: "redis.Redis", contract_id: str) -> HotQuote | None:
    """Return the quote, or None when there is none that is fresh; redis.RedisError when Redis does not answer."""
    found = client.get(quote_key(contract_id))
    return None if found is None else msgspec.json.decode(str(found), type=HotQuote)


class QuoteReader:
    """Reads fresh quotes; while Redis is away there is none."""

    def __init__(self, client: "redis.Redis", breaker: CircuitBreaker) -> None:
        self._client = client
        self._breaker = breaker

    def read(self, contract_ids: Collection[str]) -> dict[str, HotQuote]:
        """Return the fresh quotes there are, by contract."""
        wanted = sorted(contract_ids)
        if not wanted:
            return {}
        try:
            with self._breaker.guarded():
                found = self._client.mget([quote_key(contract_id) for contract_id in wanted])
        except RedisUnavailableError:
            return {}
        return {
            contract_id: msgspec.json.decode(str(value), type=HotQuote)
            for contract_id, value in zip(wanted, list(found), strict=True)
            if value is not None
        }


def exit_price_by(quotes: Mapping[str, HotQuote]) -> Callable[[str, int], Decimal | None]:
    """Return what says at which price a position, signed, could be closed now: the bid for a long, the ask for a short.

    It says None without a fresh quote.
    """

    def exit_price(contract_id: str, quantity: int) -> Decimal | None:
        quote = quotes.get(contract_id)
        if quote is None:
            return None
        return quote.bid if quantity > 0 else quote.ask

    return exit_price
