"""The positions last reported by the user hub, in Redis; the venue is authoritative, then Postgres."""

from datetime import datetime
from decimal import Decimal

import msgspec
import redis

from shared.domain.orders.order import Direction


class HotPosition(msgspec.Struct, frozen=True, kw_only=True):
    """One position; FLAT with quantity 0 once it is closed."""

    direction: Direction
    quantity: int
    average_price: Decimal | None
    reported_at: datetime


def positions_key(account_id: int) -> str:
    """Return the Redis key of the account's positions, a hash with a field per contract."""
    return f"tickwork:positions:{account_id}"


def read_positions(client: "redis.Redis", account_id: int) -> dict[str, HotPosition]:
    """Return the account's positions by contract; redis.RedisError if Redis does not answer."""
    found = client.hgetall(positions_key(account_id))
    return {str(name): msgspec.json.decode(str(value), type=HotPosition) for name, value in dict(found).items()}
