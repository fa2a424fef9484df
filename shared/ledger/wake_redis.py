"""Publishes wake-ups to Redis: one script per queue, which pushes what there is capacity for."""

import logging
from collections.abc import Sequence

import redis
import redis.asyncio

from shared.fleets import Queue, most_outstanding
from shared.ledger.envelope import WakeUp, by_queue, encoded

log = logging.getLogger(__name__)

# Push unless the queue already holds enough wake-ups; the relay sends the rest when there is capacity.
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


def _messages(wake_ups: Sequence[WakeUp]) -> dict[Queue, list[bytes]]:
    return {queue: [encoded(wake_up) for wake_up in of_queue] for queue, of_queue in by_queue(wake_ups).items()}


class RedisWake:
    """The publisher of a synchronous program."""

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.Redis.from_url(redis_url, socket_timeout=1, socket_connect_timeout=1)

    def publish(self, wake_ups: Sequence[WakeUp]) -> int:
        """Push the wake-ups their queues have capacity for; return how many, 0 when Redis does not answer."""
        pushed = 0
        try:
            for queue, messages in _messages(wake_ups).items():
                pushed += int(str(self._redis.eval(_PUSH, 1, queue, str(most_outstanding(queue)), *messages)))
        except redis.RedisError as error:
            log.warning("wake-ups not published, the relay will: %s", error)
        return pushed

    def capacity(self, queue: Queue) -> int:
        """How many more wake-ups `queue` may hold; 0 when Redis does not answer."""
        try:
            return max(most_outstanding(queue) - int(str(self._redis.llen(queue))), 0)
        except redis.RedisError as error:
            log.warning("cannot see queue %s: %s", queue, error)
            return 0

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()


class AsyncRedisWake:
    """The publisher of an asyncio program."""

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.asyncio.Redis.from_url(redis_url, socket_timeout=1, socket_connect_timeout=1)

    async def publish(self, wake_ups: Sequence[WakeUp]) -> int:
        """As RedisWake.publish."""
        pushed = 0
        try:
            for queue, messages in _messages(wake_ups).items():
                reply = await self._redis.eval(_PUSH, 1, queue, str(most_outstanding(queue)), *messages)
                pushed += int(str(reply))
        except redis.RedisError as error:
            log.warning("wake-ups not published, the relay will: %s", error)
        return pushed

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
