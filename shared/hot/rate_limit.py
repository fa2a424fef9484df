"""How many requests we may still make: sliding windows in Redis, because the venue counts per user, not per process."""

import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from random import Random

import redis

from shared.clock import monotonic
from shared.config import VenueSettings
from shared.errors import RateLimitedError
from shared.fleets import Queue
from shared.hot.connection import CircuitBreaker, RedisUnavailableError
from shared.hot.logins import user_key
from shared.ids import new_id


@dataclass(frozen=True, slots=True)
class Window:
    """At most `most` requests in any `span`; what can wait stops earlier, so that the rest is left for what cannot.

    `trading` is for the queues high and normal, `bulk` for low and background; critical may take all. `alone` and
    `alone_critical` are for one process that cannot ask Redis.
    """

    most: int
    span: timedelta
    trading: int
    bulk: int
    alone: int
    alone_critical: int

    def share_of(self, queue: Queue) -> int:
        """Return how many requests there may be in the window for a job of `queue` to add one."""
        match queue:
            case Queue.CRITICAL:
                return self.most
            case Queue.HIGH | Queue.NORMAL:
                return self.trading
            case _:
                return self.bulk

    def share_alone(self, queue: Queue) -> int:
        """Return the same for a process that knows only of itself."""
        return self.alone_critical if queue is Queue.CRITICAL else self.alone


# A tenth below what the venue documents, 50 and 200. Source: venue.md section 4. Alone: 16 slots of the fleets that
# are not critical, and the feed, share 140 and 45. A critical slot may take as much as is kept for all four: without
# Redis no wake-up arrives, so a worker ends what it holds and no more, and an exit must not be what waits.
WINDOWS: Mapping[str, Window] = {
    "bars": Window(45, timedelta(seconds=30), trading=45, bulk=30, alone=2, alone_critical=8),
    "other": Window(180, timedelta(seconds=60), trading=140, bulk=120, alone=8, alone_critical=40),
}
# An older copy of the venue's page says 30 in 30 s: believed when chosen, and for an hour after bars met a 429.
SLOW_BARS = Window(27, timedelta(seconds=30), trading=27, bulk=18, alone=1, alone_critical=5)
_DOCUMENTED_OF_SLOW = 30
_SLOW_FOR = timedelta(hours=1)

_MARGIN = timedelta(milliseconds=250)
# How long a request may be under way: one whose end is never told counts from then.
_UNDER_WAY = timedelta(seconds=8)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_MEMORY_OF_REFUSALS = timedelta(minutes=2)

# Redis' own clock, so that no two processes disagree on when a request was made. KEYS: requests, closed, slow.
# ARGV: limit, limit when slow, window and time under way in microseconds, the request's name.
_TAKE = """
local closed = redis.call('PTTL', KEYS[2])
if closed > 0 then return string.format('%.0f', closed * 1000) end
local most = tonumber(ARGV[1])
if redis.call('EXISTS', KEYS[3]) == 1 then most = tonumber(ARGV[2]) end
local window, under_way = tonumber(ARGV[3]), tonumber(ARGV[4])
local now = redis.call('TIME')
local t = now[1] * 1000000 + now[2]
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, string.format('%.0f', t - window))
local count = redis.call('ZCARD', KEYS[1])
if count >= most then
  local leaving = redis.call('ZRANGE', KEYS[1], count - most, count - most, 'WITHSCORES')
  return string.format('%.0f', math.max(math.min(leaving[2] + window - t, window), 1000))
end
redis.call('ZADD', KEYS[1], string.format('%.0f', t + under_way), ARGV[5])
redis.call('PEXPIRE', KEYS[1], math.ceil((window + under_way) / 1000))
return '0'
"""
# The venue counted the request at some instant before its answer: it leaves our window a whole span after that.
_END = """
local now = redis.call('TIME')
return redis.call('ZADD', KEYS[1], 'XX', string.format('%.0f', now[1] * 1000000 + now[2]), ARGV[1])
"""
# KEYS: closed, refusals, slow. ARGV in milliseconds: what the venue said or -1, first and longest pause, extra share,
# memory of refusals, how long slow lasts or 0. Those who meet the same 429 together count as one.
_REFUSED = """
local said, closed = tonumber(ARGV[1]), redis.call('PTTL', KEYS[1])
local pause = said
if said < 0 then
  if closed > 0 then return closed end
  local times = redis.call('INCR', KEYS[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
  pause = math.min(tonumber(ARGV[2]) * 2 ^ (times - 1), tonumber(ARGV[3])) * (1 + tonumber(ARGV[4]))
end
pause = math.floor(math.max(pause, closed, 1))
redis.call('SET', KEYS[1], '1', 'PX', pause)
if tonumber(ARGV[6]) > 0 then redis.call('SET', KEYS[3], '1', 'PX', ARGV[6]) end
return pause
"""


def windows_for(bars_limit: int) -> Mapping[str, Window]:
    """Return the windows for a venue that allows so many requests for bars in 30 s: 50, or 30."""
    return WINDOWS if bars_limit > _DOCUMENTED_OF_SLOW else {**WINDOWS, "bars": SLOW_BARS}


class RedisLimiter:
    """The gateway's Limiter. While Redis does not answer, each process keeps to a small share of its own."""

    def __init__(
        self,
        client: "redis.Redis",
        venue: VenueSettings,
        breaker: CircuitBreaker | None = None,
        *,
        windows: Mapping[str, Window] = WINDOWS,
    ) -> None:
        self._redis = client
        self._breaker = breaker or CircuitBreaker()
        self._user = user_key(venue)
        self._windows = windows
        self._alone = _Alone(windows)
        self._random = Random()  # noqa: S311  # spreads retries; guards no secret

    @contextmanager
    def counted(self, budget: str, queue: Queue) -> Iterator[None]:
        """Count the request made inside; raise RateLimitedError, telling when one is free, without waiting."""
        request = new_id().hex
        try:
            wait = self._take(budget, queue, request)
        except RedisUnavailableError:
            wait = self._alone.wait(budget, queue)
        if wait > timedelta(0):
            raise RateLimitedError(f"the budget of {budget} requests is spent for {queue} jobs, nothing was sent", wait)
        self._alone.note(budget)
        try:
            yield
        finally:
            with suppress(RedisUnavailableError), self._breaker.guarded():
                self._redis.eval(_END, 1, self._key(budget), request)

    def refused(self, budget: str, retry_after: timedelta | None) -> timedelta:
        """Close the window for every process: for as long as the venue said, else 1, 2, 4 ... 30 s and some jitter."""
        said = -1 if retry_after is None else _milliseconds(retry_after)
        pause = timedelta(seconds=_FIRST_PAUSE_S) if retry_after is None else retry_after
        keys = (self._key(budget, "closed"), self._key(budget, "refusals"), self._key(budget, "slow"))
        slow = _SLOW_FOR if budget == "bars" else timedelta(0)
        arguments = (
            said,
            _FIRST_PAUSE_S * 1000,
            _LONGEST_PAUSE_S * 1000,
            f"{self._random.random() / 4:.3f}",
            _milliseconds(_MEMORY_OF_REFUSALS),
            _milliseconds(slow),
        )
        with suppress(RedisUnavailableError), self._breaker.guarded():
            pause = timedelta(milliseconds=int(str(self._redis.eval(_REFUSED, len(keys), *keys, *arguments))))
        self._alone.close(budget, pause)
        return pause

    def _take(self, budget: str, queue: Queue, request: str) -> timedelta:
        window = self._windows[budget]
        slow = min(window.share_of(queue), SLOW_BARS.share_of(queue))
        span, under_way = _microseconds(window.span + _MARGIN), _microseconds(_UNDER_WAY)
        keys = (self._key(budget), self._key(budget, "closed"), self._key(budget, "slow"))
        with self._breaker.guarded():
            answer = self._redis.eval(_TAKE, len(keys), *keys, window.share_of(queue), slow, span, under_way, request)
        return timedelta(microseconds=int(str(answer)))

    def _key(self, budget: str, what: str = "made") -> str:
        return f"tickwork:requests:{budget}:{self._user}:{what}"


class _Alone:
    """What one process knows of its own requests, for when Redis can say nothing of the others'."""

    def __init__(self, windows: Mapping[str, Window]) -> None:
        self._windows = windows
        self._made: defaultdict[str, deque[float]] = defaultdict(deque)
        self._closed_until: dict[str, float] = {}
        self._lock = threading.Lock()

    def note(self, budget: str) -> None:
        with self._lock:
            self._made[budget].append(monotonic())
            self._forget(budget)

    def close(self, budget: str, pause: timedelta) -> None:
        self._closed_until[budget] = monotonic() + pause.total_seconds()

    def wait(self, budget: str, queue: Queue) -> timedelta:
        """Return how long a job of `queue` must wait before its next request; zero if it need not."""
        now, window = monotonic(), self._windows[budget]
        with self._lock:
            self._forget(budget)
            made, most = self._made[budget], window.share_alone(queue)
            leaves_at = made[len(made) - most] + _kept_s(window) if len(made) >= most else now
        return timedelta(seconds=max(leaves_at, self._closed_until.get(budget, now)) - now)

    def _forget(self, budget: str) -> None:
        made, kept_s = self._made[budget], _kept_s(self._windows[budget])
        while made and made[0] <= monotonic() - kept_s:
            made.popleft()


class NoLimiter:
    """Lets everything through, for benches against a simulator that does not count either."""

    @contextmanager
    def counted(self, _budget: str, _queue: Queue) -> Iterator[None]:
        """Do nothing."""
        yield

    def refused(self, _budget: str, retry_after: timedelta | None) -> timedelta:
        """Return what the venue said, or a second."""
        return timedelta(seconds=_FIRST_PAUSE_S) if retry_after is None else retry_after


def _kept_s(window: Window) -> float:
    return (window.span + _UNDER_WAY).total_seconds()


def _milliseconds(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)


def _microseconds(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1)
