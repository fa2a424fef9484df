"""The newest quote of each contract in Redis, gone when it is no longer fresh."""

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
import redis

FRESH_FOR = timedelta(seconds=5)


class Quote(msgspec.Struct, frozen=True, kw_only=True):
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


def read_quote(client: "redis.Redis", contract_id: str) -> Quote | None:
    """Return the quote, or None when there is none that is fresh; redis.RedisError when Redis does not answer."""
    found = client.get(quote_key(contract_id))
    return None if found is None else msgspec.json.decode(str(found), type=Quote)
