"""Writes to Redis what the feed hears, many things in one go; what Redis misses, the next write tells again."""

import logging
from collections.abc import Mapping
from datetime import timedelta

import msgspec
import redis.asyncio

from shared.clock import machine_now
from shared.hot.feed_health import HEALTH_KEY, SHOWN_FOR, FeedHealth
from shared.hot.forming_bars import KEPT_FOR, FormingBar, ended_bar_key, forming_bar_key
from shared.hot.positions import HotPosition, positions_key
from shared.hot.quotes import FRESH_FOR, HotQuote, quote_key

log = logging.getLogger(__name__)

_MILLISECOND = timedelta(milliseconds=1)
_encode = msgspec.json.Encoder().encode


class FeedWriter:
    """The feed's side of Redis."""

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.asyncio.Redis.from_url(redis_url, socket_timeout=1, socket_connect_timeout=1)

    async def write_market(
        self, quotes: Mapping[str, HotQuote], forming: Mapping[str, FormingBar], ended: Mapping[str, FormingBar]
    ) -> bool:
        """Keep the newest quotes, for as long as they are fresh, and the newest bars; False if Redis is away.

        A bar that has ended is no longer the forming one.
        """
        now = machine_now()
        together = self._redis.pipeline(transaction=False)
        for contract_id, quote in quotes.items():
            left = int((FRESH_FOR - quote.age(now)) / _MILLISECOND)
            if left > 0:
                together.set(quote_key(contract_id), _encode(quote), px=left)
        for contract_id, bar in ended.items():
            together.set(ended_bar_key(contract_id), _encode(bar), px=KEPT_FOR)
            if contract_id not in forming:
                together.delete(forming_bar_key(contract_id))
        for contract_id, bar in forming.items():
            together.set(forming_bar_key(contract_id), _encode(bar), px=KEPT_FOR)
        return await self._done(together)

    async def write_positions(self, account_id: int, positions: Mapping[str, HotPosition]) -> bool:
        """Keep positions until others are told; False if Redis is away."""
        together = self._redis.pipeline(transaction=False)
        for contract_id, position in positions.items():
            together.hset(positions_key(account_id), contract_id, _encode(position))
        return await self._done(together)

    async def replace_positions(self, account_id: int, positions: Mapping[str, HotPosition]) -> bool:
        """Keep these positions and no others of the account; False if Redis is away."""
        together = self._redis.pipeline(transaction=True)
        together.delete(positions_key(account_id))
        for contract_id, position in positions.items():
            together.hset(positions_key(account_id), contract_id, _encode(position))
        return await self._done(together)

    async def write_health(self, health: FeedHealth) -> bool:
        """Say how the feed is; False if Redis is away."""
        together = self._redis.pipeline(transaction=False)
        together.set(HEALTH_KEY, _encode(health), px=SHOWN_FOR)
        return await self._done(together)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _done(self, together: "redis.asyncio.client.Pipeline") -> bool:
        try:
            await together.execute()
        except redis.RedisError as error:
            log.warning("Redis does not take what the feed hears: %s", type(error).__name__)
            return False
        return True
