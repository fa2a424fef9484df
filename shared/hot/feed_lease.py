"""Who of several feeds of one venue user is the active one: a lease in Redis that its holder renews every second.

Two that are active for a moment, as after a pause of one or a loss of Redis, do no harm: a quote or a position is the
same whoever writes it, and a fill or an order update is a job whose key lets one of two through. So while Redis is away
the active one goes on, and nobody else begins. The fence counts the holders: it tells in the health and the logs whose
word is whose, and a holder that was frozen sees by it that it has been replaced.
"""

from contextlib import suppress
from datetime import timedelta

import redis.asyncio

from shared.config import VenueSettings
from shared.hot.logins import user_key
from shared.ids import new_id

HELD_FOR = timedelta(seconds=3)
RENEW_EVERY = timedelta(seconds=1)
LOOK_EVERY = timedelta(seconds=0.25)  # of those who snapshot by

_TAKE = """
local holder = redis.call('GET', KEYS[1])
if not holder then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  redis.call('INCR', KEYS[2])
elseif holder == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
else
  return 0
end
return tonumber(redis.call('GET', KEYS[2]))
"""
_GIVE_UP = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class FeedLease:
    """One program's claim to be the active feed."""

    def __init__(self, redis_url: str, venue: VenueSettings) -> None:
        self._redis = redis.asyncio.Redis.from_url(redis_url, socket_timeout=1, socket_connect_timeout=1)
        self._key = f"tickwork:feed_lease:{user_key(venue)}"
        self._name = new_id().hex
        self.fence = 0

    @property
    def is_held(self) -> bool:
        """Whether this program is the active one, as far as it knows."""
        return self.fence > 0

    async def renew_or_take(self) -> bool:
        """Take or renew the lease; return whether it is ours. While Redis is away it stays with whom had it."""
        milliseconds = int(HELD_FOR / timedelta(milliseconds=1))
        with suppress(redis.RedisError):
            self.fence = int(
                await self._redis.eval(_TAKE, 2, self._key, f"{self._key}:fence", self._name, milliseconds)
            )
        return self.is_held

    async def give_up(self) -> None:
        """Let another have it at once."""
        with suppress(redis.RedisError):
            await self._redis.eval(_GIVE_UP, 1, self._key, self._name)
        await self._redis.aclose()
