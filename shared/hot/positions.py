"""The positions last reported by the user hub, in Redis; the venue is authoritative, then Postgres."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal

import msgspec
import redis

from shared.domain.orders.order import Direction
from shared.hot.connection import CircuitBreaker, RedisUnavailableError, connect


class HotPosition(msgspec.Struct, frozen=True, kw_only=True):
    """One position; FLAT with quantity 0 once it is closed."""

    direction: Direction
    quantity: int
    average_price: Decimal | None
    reported_at: datetime

    @property
    def signed_quantity(self) -> int:
        """The quantity, below zero when short."""
        return -self.quantity if self.direction is Direction.SHORT else self.quantity


def positions_key(account_id: int) -> str:
    """Return the Redis key of the account's positions, a hash with a field per contract."""
    return f"tickwork:positions:{account_id}"


class PositionReader:
    """Reads what the user hub last reported; returns nothing while Redis does not answer."""

    def __init__(self, client: "redis.Redis", breaker: CircuitBreaker) -> None:
        self._client = client
        self._breaker = breaker

    def read(self, account_ids: Sequence[int]) -> dict[int, dict[str, HotPosition]]:
        """Return the positions by account and contract, in one round trip; closed ones may be among them."""
        try:
            with self._breaker.guard(), self._client.pipeline(transaction=False) as pipeline:
                for account_id in account_ids:
                    pipeline.hgetall(positions_key(account_id))
                found = pipeline.execute()
        except RedisUnavailableError:
            return {}
        return {
            account_id: {str(name): msgspec.json.decode(str(value), type=HotPosition) for name, value in fields.items()}
            for account_id, fields in zip(account_ids, found, strict=True)
        }


@contextmanager
def open_positions(redis_url: str) -> Iterator[PositionReader]:
    """Open a reader of the positions that the feed writes."""
    client = connect(redis_url)
    try:
        yield PositionReader(client, CircuitBreaker())
    finally:
        client.close()
