"""How many requests we may still make: sliding windows in Redis, because the venue counts per user, not per process."""

from datetime import timedelta

import redis

from shared.config import Venue
from shared.errors import RateLimitedError, RetryableError
from shared.hot.logins import user_key
from shared.ids import new_id

# Requests and window, a tenth below what the venue documents. Source: venue.md section 4.
WINDOWS = {"bars": (45, timedelta(seconds=30)), "other": (180, timedelta(seconds=60))}

# Redis' own clock, so that no two processes disagree on when a request was made.
_TAKE = """
local now = redis.call('TIME')
local t = now[1] * 1000000 + now[2]
local window = tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, string.format('%.0f', t - window))
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return string.format('%.0f', oldest[2] + window - t)
end
redis.call('ZADD', KEYS[1], string.format('%.0f', t), ARGV[3])
redis.call('PEXPIRE', KEYS[1], window / 1000)
return '0'
"""


class RedisLimiter:
    """The gateway's Limiter. Fails closed: what cannot be counted is not sent."""

    def __init__(self, client: "redis.Redis", venue: Venue) -> None:
        self._redis = client
        self._user = user_key(venue)

    def acquire(self, budget: str) -> None:
        """Take one request; raise RateLimitedError, telling when one is free, without waiting."""
        most, window = WINDOWS[budget]
        micros = int(window / timedelta(microseconds=1))
        try:
            answer = self._redis.eval(_TAKE, 1, f"tickwork:requests:{budget}:{self._user}", most, micros, new_id().hex)
        except redis.RedisError as error:
            raise RetryableError(f"Redis does not answer, so requests cannot be counted: {error}") from error
        wait = timedelta(microseconds=int(str(answer)))
        if wait:
            raise RateLimitedError(
                f"{most} requests ({budget}) within {window.total_seconds():.0f} s are made, nothing was sent", wait
            )


class NoLimiter:
    """Lets everything through, for benches against a simulator that does not count either."""

    def acquire(self, budget: str) -> None:
        """Do nothing."""
