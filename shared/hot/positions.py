"""The positions that the user hub told last, in Redis; the truth is the venue's, then Postgres'."""

from datetime import datetime
from decimal import Decimal

import msgspec
import redis

from shared.domain.orders.order import Direction


class HotPosition(msgspec.Struct, frozen=True, kw_only=True):
    """One position, FLAT with quantity 0 when it was closed."""

    direction: Direction
    quantity: int
    average_price: Decimal | None
    reported_at: datetime


def positions_key(account_id: int) -> str:
    """Return where the account's positions are kept, a field per contract."""
    return f"tickwork:positions:{account_id}"


def read_positions(client: "redis.Redis", account_id: int) -> dict[str, HotPosition]:
    """Return the account's positions by contract; redis.RedisError when Redis does not answer."""
    found = client.hgetall(positions_key(account_id))
    return {str(name): msgspec.json.decode(str(value), type=HotPosition) for name, value in dict(found).items()}
