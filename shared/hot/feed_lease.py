"""Who of several feeds of one venue user is the active one: a lease in Redis that its holder renews every second.

Two that are active for a moment, as after a pause of one or a loss of Redis, do no harm: quotes and positions are the
same whoever writes them, and fills and order updates are jobs whose keys let one of two through.
"""

from datetime import timedelta

import redis.asyncio

from shared.config import Venue
from shared.hot.logins import user_key
from shared.ids import new_id

HELD_FOR = timedelta(seconds=3)
RENEW_EVERY = timedelta(seconds=1)

_RENEW = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"
_GIVE_UP = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class FeedLease:
    """One program's claim to be the active feed."""

    def __init__(self, redis_url: str, venue: Venue) -> None:
        self._redis = redis.asyncio.Redis.from_url(redis_url, socket_timeout=1, socket_connect_timeout=1)
        self._key = f"tickwork:feed_lease:{user_key(venue)}"
        self._name = new_id().hex
        self.is_held = False

    async def look(self) -> bool:
        """Take or renew the lease; return whether it is ours. While Redis is away it stays with whom had it."""
        milliseconds = int(HELD_FOR / timedelta(milliseconds=1))
        try:
            if self.is_held:
                self.is_held = bool(await self._redis.eval(_RENEW, 1, self._key, self._name, milliseconds))
            if not self.is_held:
                self.is_held = bool(await self._redis.set(self._key, self._name, nx=True, px=milliseconds))
        except redis.RedisError:
            pass
        return self.is_held

    async def give_up(self) -> None:
        """Let another have it at once."""
        try:
            await self._redis.eval(_GIVE_UP, 1, self._key, self._name)
        except redis.RedisError:
            pass
        finally:
            await self._redis.aclose()
