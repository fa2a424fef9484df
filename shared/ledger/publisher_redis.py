"""Publishers of wake-ups to Redis: one script per queue pushes as many as the queue has capacity for."""

import logging
from collections.abc import Sequence

import redis
import redis.asyncio

from shared.fleets import Queue, max_outstanding
from shared.ledger.envelope import WakeUp, encode_for_redis, group_by_queue

log = logging.getLogger(__name__)

# Push while the queue has capacity; the relay publishes the rest later.
_PUSH = """
local capacity = tonumber(ARGV[1]) - redis.call('LLEN', KEYS[1])
local pushed = 0
for i = 2, #ARGV do
  if capacity <= 0 then break end
  redis.call('LPUSH', KEYS[1], ARGV[i])
  capacity = capacity - 1
  pushed = pushed + 1
end
return pushed
"""


def _encode_by_queue(wake_ups: Sequence[WakeUp]) -> dict[Queue, list[bytes]]:
    return {queue: [encode_for_redis(wake_up) for wake_up in some] for queue, some in group_by_queue(wake_ups).items()}


class RedisPublisher:
    """The publisher of a synchronous program."""

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.Redis.from_url(redis_url, socket_timeout=1, socket_connect_timeout=1)

    def publish(self, wake_ups: Sequence[WakeUp]) -> int:
        """Push wake-ups while their queues have capacity; return how many, 0 if Redis does not answer."""
        pushed = 0
        try:
            for queue, messages in _encode_by_queue(wake_ups).items():
                pushed += int(str(self._redis.eval(_PUSH, 1, queue, str(max_outstanding(queue)), *messages)))
        except redis.RedisError as error:
            log.warning("cannot publish wake-ups, the relay will: %s", error)
        return pushed

    def capacity(self, queue: Queue) -> int | None:
        """Return how many more wake-ups `queue` may hold; None if Redis does not answer."""
        length = self._length(queue)
        return None if length is None else max(max_outstanding(queue) - length, 0)

    def waiting(self, queue: Queue) -> int:
        """Return how many wake-ups of `queue` no worker has taken; 0 if Redis does not answer."""
        return self._length(queue) or 0

    def _length(self, queue: Queue) -> int | None:
        try:
            return int(str(self._redis.llen(queue)))
        except redis.RedisError as error:
            log.warning("cannot read the length of queue %s: %s", queue, error)
            return None

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()


class AsyncRedisPublisher:
    """The publisher of an asyncio program."""

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.asyncio.Redis.from_url(redis_url, socket_timeout=1, socket_connect_timeout=1)

    async def publish(self, wake_ups: Sequence[WakeUp]) -> int:
        """As RedisPublisher.publish."""
        pushed = 0
        try:
            for queue, messages in _encode_by_queue(wake_ups).items():
                reply = await self._redis.eval(_PUSH, 1, queue, str(max_outstanding(queue)), *messages)
                pushed += int(str(reply))
        except redis.RedisError as error:
            log.warning("cannot publish wake-ups, the relay will: %s", error)
        return pushed

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
