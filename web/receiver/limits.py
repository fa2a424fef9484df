"""Limits of the receiver: alerts of a hook, and what an address sends that is wrong or unknown."""

from collections import OrderedDict
from collections.abc import Hashable

from shared.clock import monotonic
from web.receiver.sender import network_of

WRONG_CREDENTIALS_PER_MINUTE = 30
_MOST_KEYS = 10_000


class TokenBucket:
    """At most `rate` per second in the long run, and `burst` at once, for each key; it forgets the oldest keys."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._levels: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def has(self, key: Hashable) -> bool:
        """Whether there is one to take."""
        return self._level(key, monotonic()) >= 1

    def take(self, key: Hashable) -> bool:
        """Take one, and return whether there was one."""
        now = monotonic()
        level = self._level(key, now)
        is_allowed = level >= 1
        self._levels.pop(key, None)
        self._levels[key] = (level - 1 if is_allowed else level, now)
        if len(self._levels) > _MOST_KEYS:
            self._levels.popitem(last=False)
        return is_allowed

    def _level(self, key: Hashable, now: float) -> float:
        level, at = self._levels.get(key, (self._burst, now))
        return min(self._burst, level + (now - at) * self._rate)


class HookLimits:
    """The buckets of hooks, each with the rate of its settings."""

    def __init__(self) -> None:
        self._buckets: dict[int, TokenBucket] = {}

    def take(self, hook: Hashable, per_second: int) -> bool:
        """Take one alert of a hook, and return whether it is within its rate."""
        bucket = self._buckets.setdefault(per_second, TokenBucket(per_second, per_second))
        return bucket.take(hook)


class MissBucket:
    """The limit on wrong or unknown tokens, signatures and ids of jobs that an address may send."""

    def __init__(self) -> None:
        self._bucket = TokenBucket(WRONG_CREDENTIALS_PER_MINUTE / 60, WRONG_CREDENTIALS_PER_MINUTE)

    def has(self, address: str) -> bool:
        """Whether an address may miss once more."""
        return self._bucket.has(network_of(address))

    def take(self, address: str) -> bool:
        """Count a miss of an address, and return whether it was within its limit."""
        return self._bucket.take(network_of(address))
