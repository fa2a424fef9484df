"""The lease that makes one of several feeds of a venue user the active one; its holder renews it in Redis every second.

Two feeds active for a moment, as after a pause of one or a loss of Redis, do no harm: both write the same quotes and
positions, and an execution report that is applied twice changes nothing the second time. So while Redis does not
answer, the active feed goes on and no other starts. The fence counts the holders: it identifies the feed in the health
and the logs, and a holder that was frozen sees by it that it has been replaced.
"""

from contextlib import suppress
from datetime import timedelta

import redis.asyncio

from shared.config import VenueSettings
from shared.hot.logins import user_key
from shared.ids import new_id

LEASE_DURATION = timedelta(seconds=3)
RENEW_EVERY = timedelta(seconds=1)
ACQUIRE_EVERY = timedelta(seconds=0.25)  # how often a standby tries to acquire it

_ACQUIRE = """
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
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class FeedLease:
    """One program's lease to be the active feed."""

    def __init__(self, redis_url: str, venue: VenueSettings) -> None:
        self._redis = redis.asyncio.Redis.from_url(redis_url, socket_timeout=1, socket_connect_timeout=1)
        self._key = f"tickwork:feed_lease:{user_key(venue)}"
        self._name = new_id().hex
        self.fence = 0

    @property
    def is_held(self) -> bool:
        """Whether this program is the active feed, as far as it knows."""
        return self.fence > 0

    async def acquire_or_renew(self) -> bool:
        """Acquire or renew the lease; return whether it is held, which stays as it was while Redis does not answer."""
        milliseconds = int(LEASE_DURATION / timedelta(milliseconds=1))
        with suppress(redis.RedisError):
            self.fence = int(
                await self._redis.eval(_ACQUIRE, 2, self._key, f"{self._key}:fence", self._name, milliseconds)
            )
        return self.is_held

    async def release(self) -> None:
        """Release the lease, so that a standby can acquire it at once."""
        with suppress(redis.RedisError):
            await self._redis.eval(_RELEASE, 1, self._key, self._name)
        await self._redis.aclose()
