"""The request budget: sliding windows in Redis, because the venue counts per user, not per process."""

import logging
import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
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
from shared.hot.request_memory import NOTHING, RequestMemory
from shared.hot.request_scripts import CLOSE, COUNT, END, LOST, RESTORE
from shared.ids import new_id

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Window:
    """At most `most` requests in any `span`; lower queues stop earlier, which reserves the rest for higher ones.

    `trading` limits the queues high and normal, `bulk` low and background, `critical` what critical jobs read and
    modify; only their exits may use all. `local`, `local_critical` and, for exits, `local_most` limit one process that
    cannot reach Redis.
    """

    most: int
    span: timedelta
    critical: int
    trading: int
    bulk: int
    local: int
    local_critical: int
    local_most: int

    def share_of(self, queue: Queue, *, is_exit: bool = False) -> int:
        """Return the number of requests in the window at which a job of `queue` may add no more."""
        match queue:
            case Queue.CRITICAL:
                return self.most if is_exit else self.critical
            case Queue.HIGH | Queue.NORMAL:
                return self.trading
            case _:
                return self.bulk

    def local_share_of(self, queue: Queue, *, is_exit: bool = False) -> int:
        """Return the same limit for a process that can count only its own requests."""
        if queue is not Queue.CRITICAL:
            return self.local
        return self.local_most if is_exit else self.local_critical


_HALF_MINUTE, _MINUTE = timedelta(seconds=30), timedelta(minutes=1)
# A tenth below the documented limits, 50 and 200. Source: venue.md section 4. Local: the 16 slots of the fleets that
# are not critical, and the feed, share 140 and 45. A critical slot may use all that is reserved for the four of them:
# without Redis no wake-up arrives: a worker finishes the jobs it holds, `worker-direct` runs critical ones one by one.
WINDOWS: Mapping[str, Window] = {
    "bars": Window(45, _HALF_MINUTE, critical=45, trading=45, bulk=30, local=2, local_critical=8, local_most=8),
    "other": Window(180, _MINUTE, critical=160, trading=140, bulk=120, local=8, local_critical=30, local_most=40),
}
# An older copy of the venue's page documents 30 in 30 s: used if configured, and for an hour after a 429 to bars.
SLOW_BARS = Window(27, _HALF_MINUTE, critical=27, trading=27, bulk=18, local=1, local_critical=5, local_most=5)
_DOCUMENTED_OF_SLOW = 30
_SLOW_FOR = timedelta(hours=1)

_MARGIN = timedelta(milliseconds=250)
# The longest a request may take: one whose end is never recorded counts as ended after it.
_LONGEST_REQUEST = timedelta(seconds=8)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_MEMORY_OF_REFUSALS = timedelta(minutes=2)
# What critical jobs may still send while a 429 keeps the window closed, which may be for minutes: an exit must try. It
# is half of the documented rate. Reads and modifications leave half of it to exits, so that a close or a cancel passes
# however many accounts are read.
CLOSED_RESERVE, CLOSED_RESERVE_OF_OTHERS, CLOSED_RESERVE_SPAN = 8, 4, timedelta(seconds=5)


def windows_for(bars_limit: int) -> Mapping[str, Window]:
    """Return the windows for a venue that allows `bars_limit` requests for bars in 30 s: 50, or 30."""
    return WINDOWS if bars_limit > _DOCUMENTED_OF_SLOW else {**WINDOWS, "bars": SLOW_BARS}


def list_request_keys(budget: str, user: str) -> list[str]:
    """Return the Redis keys of a budget: its requests, whether it is closed and slow, and what its reserve has used."""
    return [_request_key(budget, user, suffix) for suffix in ("made", "closed", "slow", "reserve")]


def window_span_us(window: Window) -> int:
    """Return the microseconds for which a request counts after its end."""
    return _microseconds(window.span + _MARGIN)


class RedisLimiter:
    """The gateway's Limiter. While Redis does not answer, each process is limited to a small share of its own.

    A window that Redis has lost, because it was emptied or evicted it, is restored by the first process that counts.
    """

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
        self._local = _LocalLimiter(windows)
        self._memory = {budget: RequestMemory() for budget in windows}
        self._random = Random()  # noqa: S311  # spreads retries; guards no secret

    @contextmanager
    def count_request(self, budget: str, queue: Queue, *, is_exit: bool = False) -> Iterator[None]:
        """Count the request made inside the block; without budget raise RateLimitedError, with the time to wait."""
        request = new_id().hex
        try:
            wait = self._count_in_redis(budget, queue, request, is_exit=is_exit)
        except RedisUnavailableError:
            wait = self._local.wait(budget, queue, is_exit=is_exit)
        if wait > timedelta(0):
            raise RateLimitedError(
                f"the budget of {budget} requests is spent for {queue} jobs, and nothing was sent", wait
            )
        self._local.record(budget)
        try:
            yield
        finally:
            with suppress(RedisUnavailableError), self._breaker.guard():
                found = self._redis.eval(END, 1, self._key(budget), request, self._retention_ms(budget))
                ended_at, is_new = list(found)
                self._memory[budget].end(request, ended_at, was_known=not int(str(is_new)))

    def record_refusal(self, budget: str, retry_after: timedelta | None) -> timedelta:
        """Close the window for all processes, for `retry_after` or 1, 2, 4 ... 30 s plus jitter; return the pause.

        Critical jobs may send CLOSED_RESERVE requests in CLOSED_RESERVE_SPAN all the same, half of them no exits.
        """
        retry_after_ms = -1 if retry_after is None else _milliseconds(retry_after)
        pause = timedelta(seconds=_FIRST_PAUSE_S) if retry_after is None else retry_after
        keys = (self._key(budget, "closed"), self._key(budget, "refusals"), self._key(budget, "slow"))
        slow = _SLOW_FOR if budget == "bars" else timedelta(0)
        arguments = (
            retry_after_ms,
            _FIRST_PAUSE_S * 1000,
            _LONGEST_PAUSE_S * 1000,
            f"{self._random.random() / 4:.3f}",
            _milliseconds(_MEMORY_OF_REFUSALS),
            _milliseconds(slow),
        )
        with suppress(RedisUnavailableError), self._breaker.guard():
            pause = timedelta(milliseconds=int(str(self._redis.eval(CLOSE, len(keys), *keys, *arguments))))
        self._local.close(budget, pause)
        return pause

    def _count_in_redis(self, budget: str, queue: Queue, request: str, *, is_exit: bool) -> timedelta:
        share = self._windows[budget].share_of(queue, is_exit=is_exit)
        slow = min(share, SLOW_BARS.share_of(queue, is_exit=is_exit))
        span, under_way = window_span_us(self._windows[budget]), _microseconds(_LONGEST_REQUEST)
        keys = list_request_keys(budget, self._user)
        arguments = (
            share,
            slow,
            span,
            under_way,
            request,
            _reserve_of(queue, is_exit=is_exit),
            _milliseconds(CLOSED_RESERVE_SPAN),
        )
        with self._breaker.guard():
            answer = self._evaluate_count(keys, (*arguments, *self._memory[budget].witness))
            if answer == [LOST]:
                self._restore(budget, keys[:2])
                answer = self._evaluate_count(keys, (*arguments, *NOTHING))
        wait, now, requests = answer
        self._memory[budget].learn(now, requests)
        return timedelta(microseconds=int(str(wait)))

    def _evaluate_count(self, keys: Sequence[str], arguments: Sequence[str | int]) -> list[object]:
        answer: list[object] = self._redis.eval(COUNT, len(keys), *keys, *arguments)
        return answer

    def _restore(self, budget: str, keys: Sequence[str]) -> None:
        requests = self._memory[budget].list_for_restore()
        log.warning("Redis has lost the %s requests, of which %s are counted again", budget, len(requests) // 2)
        closed_ms = _milliseconds(self._local.closed_for(budget))
        self._redis.eval(RESTORE, len(keys), *keys, self._retention_ms(budget), closed_ms, *requests)

    def _retention_ms(self, budget: str) -> int:
        return _milliseconds(self._windows[budget].span + _MARGIN + _LONGEST_REQUEST)

    def _key(self, budget: str, suffix: str = "made") -> str:
        return _request_key(budget, self._user, suffix)


class _LocalLimiter:
    """Counts the requests of one process, for the time that Redis does not answer."""

    def __init__(self, windows: Mapping[str, Window]) -> None:
        self._windows = windows
        self._made: defaultdict[str, deque[float]] = defaultdict(deque)
        self._closed: dict[str, tuple[float, float]] = {}  # budget -> from when until when
        self._lock = threading.Lock()

    def record(self, budget: str) -> None:
        with self._lock:
            self._made[budget].append(monotonic())
            self._forget(budget)

    def close(self, budget: str, pause: timedelta) -> None:
        self._closed[budget] = (monotonic(), monotonic() + pause.total_seconds())

    def closed_for(self, budget: str) -> timedelta:
        """Return how long a 429 to this process still keeps the window closed; zero if none does."""
        _, until = self._closed.get(budget, (0.0, 0.0))
        return timedelta(seconds=max(until - monotonic(), 0))

    def wait(self, budget: str, queue: Queue, *, is_exit: bool) -> timedelta:
        """Return the time a job of `queue` must wait before its next request; zero if it may send one now."""
        now, window, reserve = monotonic(), self._windows[budget], _reserve_of(queue, is_exit=is_exit)
        with self._lock:
            self._forget(budget)
            made, most = self._made[budget], window.local_share_of(queue, is_exit=is_exit)
            leaves_at = made[len(made) - most] + _retention_s(window) if len(made) >= most else now
            closed_at, closed_until = self._closed.get(budget, (now, now))
            span_s = CLOSED_RESERVE_SPAN.total_seconds()
            recent = [at for at in made if at > max(closed_at, now - span_s)]
            if reserve:
                closed_until = min(closed_until, recent[-reserve] + span_s if len(recent) >= reserve else now)
        return timedelta(seconds=max(leaves_at, closed_until) - now)

    def _forget(self, budget: str) -> None:
        made, retention_s = self._made[budget], _retention_s(self._windows[budget])
        while made and made[0] <= monotonic() - retention_s:
            made.popleft()


class NoLimiter:
    """Allows every request, for benchmarks against a simulator that has no limits either."""

    @contextmanager
    def count_request(self, _budget: str, _queue: Queue, *, is_exit: bool = False) -> Iterator[None]:  # noqa: ARG002  # as Limiter
        """Do nothing."""
        yield

    def record_refusal(self, _budget: str, retry_after: timedelta | None) -> timedelta:
        """Return `retry_after`, or a second."""
        return timedelta(seconds=_FIRST_PAUSE_S) if retry_after is None else retry_after


def _request_key(budget: str, user: str, suffix: str) -> str:
    return f"tickwork:requests:{budget}:{user}:{suffix}"


def _reserve_of(queue: Queue, *, is_exit: bool) -> int:
    """Return how many requests may pass in CLOSED_RESERVE_SPAN while a 429 keeps the window closed."""
    if queue is not Queue.CRITICAL:
        return 0
    return CLOSED_RESERVE if is_exit else CLOSED_RESERVE_OF_OTHERS


def _retention_s(window: Window) -> float:
    return (window.span + _LONGEST_REQUEST).total_seconds()


def _milliseconds(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)


def _microseconds(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1)
