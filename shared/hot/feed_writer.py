"""Writes the feed's data to Redis in batches; data lost by Redis comes again with the next write."""

import logging
from collections.abc import Collection, Mapping
from datetime import timedelta

import msgspec
import redis.asyncio

from shared.clock import machine_now
from shared.hot.feed_health import HEALTH_EXPIRES_AFTER, HEALTH_KEY, FeedHealth
from shared.hot.forming_bars import BAR_EXPIRES_AFTER, FormingBar, forming_bar_key
from shared.hot.positions import HotPosition, positions_key
from shared.hot.quotes import FRESH_FOR, HotQuote, quote_key

log = logging.getLogger(__name__)

_MILLISECOND = timedelta(milliseconds=1)
_encode = msgspec.json.Encoder().encode


class FeedWriter:
    """Writes quotes, bars, positions and health for the feed."""

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.asyncio.Redis.from_url(redis_url, socket_timeout=1, socket_connect_timeout=1)

    async def write_market(
        self, quotes: Mapping[str, HotQuote], forming: Mapping[str, FormingBar], ended: Collection[str]
    ) -> bool:
        """Write the newest quotes, for as long as they are fresh, and the newest bars; False if Redis does not answer.

        The forming bar of a contract in `ended` is deleted if no newer one has begun.
        """
        now = machine_now()
        pipeline = self._redis.pipeline(transaction=False)
        for contract_id, quote in quotes.items():
            left = int((FRESH_FOR - quote.age(now)) / _MILLISECOND)
            if left > 0:
                pipeline.set(quote_key(contract_id), _encode(quote), px=left)
        for contract_id in ended:
            if contract_id not in forming:
                pipeline.delete(forming_bar_key(contract_id))
        for contract_id, bar in forming.items():
            pipeline.set(forming_bar_key(contract_id), _encode(bar), px=BAR_EXPIRES_AFTER)
        return await self._execute(pipeline)

    async def write_positions(self, account_id: int, positions: Mapping[str, HotPosition]) -> bool:
        """Write positions, which stay until newer ones replace them; False if Redis does not answer."""
        pipeline = self._redis.pipeline(transaction=False)
        for contract_id, position in positions.items():
            pipeline.hset(positions_key(account_id), contract_id, _encode(position))
        return await self._execute(pipeline)

    async def replace_positions(self, account_id: int, positions: Mapping[str, HotPosition]) -> bool:
        """Replace all positions of the account by these; False if Redis does not answer."""
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.delete(positions_key(account_id))
        for contract_id, position in positions.items():
            pipeline.hset(positions_key(account_id), contract_id, _encode(position))
        return await self._execute(pipeline)

    async def write_health(self, health: FeedHealth) -> bool:
        """Write the health of the feed; False if Redis does not answer."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.set(HEALTH_KEY, _encode(health), px=HEALTH_EXPIRES_AFTER)
        return await self._execute(pipeline)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _execute(self, pipeline: "redis.asyncio.client.Pipeline") -> bool:
        try:
            await pipeline.execute()
        except redis.RedisError as error:
            log.warning("cannot write the feed's data to Redis: %s", type(error).__name__)
            return False
        return True
