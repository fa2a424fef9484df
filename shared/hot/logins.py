"""The venue's token in Redis, so that all processes of one user share a login; in this process while Redis is away."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

import redis
from redis.exceptions import LockError

from shared.clock import machine_now, monotonic
from shared.config import VenueSettings
from shared.domain.accounts.login import Token
from shared.errors import RateLimitedError, RetryableError
from shared.hot.connection import CircuitBreaker, RedisUnavailableError

_LOGIN_AT_MOST_S = 10
_RENEWAL_AT_MOST_S = 60
_ALONE_EVERY_S = 60.0
_AFTER_FAILURE_S = 5.0  # an exit may be waiting

_DROP = "if redis.call('HGET', KEYS[1], 'text') == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class RedisTokenStore:
    """The gateway's TokenStore.

    While Redis does not answer, each process uses the token it knew last, and else logs in for itself, at most once a
    minute: an exit needs a token more than it needs to share one.
    """

    def __init__(self, client: "redis.Redis", venue: VenueSettings, breaker: CircuitBreaker | None = None) -> None:
        self._redis = client
        self._breaker = breaker or CircuitBreaker()
        self._key = f"tickwork:token:{user_key(venue)}"
        self._known: Token | None = None
        self._alone = threading.Lock()
        self._may_log_in_alone_at = 0.0

    def get(self) -> Token | None:
        """Return the token, or None when there is none or it is over."""
        try:
            with self._breaker.guarded():
                kept = self._redis.hmget(self._key, "text", "renew_at", "ends_at")
        except RedisUnavailableError:
            pass
        else:
            self._known = None if None in kept else _token(*map(str, kept))
        known = self._known
        return known if known is not None and machine_now() < known.ends_at else None

    def put(self, token: Token) -> None:
        """Keep the token in place of any other until it is over."""
        self._known = token
        with suppress(RedisUnavailableError), self._breaker.guarded(), self._redis.pipeline() as together:
            together.hset(self._key, "text", token.text)
            together.hset(self._key, "renew_at", token.renew_at.isoformat())
            together.hset(self._key, "ends_at", token.ends_at.isoformat())
            together.pexpireat(self._key, token.ends_at)
            together.execute()

    def drop(self, text: str) -> None:
        """Forget the token if it is still the one that is kept."""
        if self._known is not None and self._known.text == text:
            self._known = None
        with suppress(RedisUnavailableError), self._breaker.guarded():
            self._redis.eval(_DROP, 1, self._key, text)

    def may_renew(self) -> bool:
        """Whether the caller is the one to renew the token; nobody else is told so for a minute."""
        try:
            with self._breaker.guarded():
                return bool(self._redis.set(f"{self._key}:renewing", "1", nx=True, ex=_RENEWAL_AT_MOST_S))
        except RedisUnavailableError:
            return False

    @contextmanager
    def login(self) -> Iterator[None]:
        """Hold the right to log in; raise RetryableError when another holds it for too long or did so just now."""
        lock = self._redis.lock(f"{self._key}:lock", timeout=_LOGIN_AT_MOST_S, blocking_timeout=_LOGIN_AT_MOST_S)
        is_ours: bool | None = None
        with suppress(RedisUnavailableError), self._breaker.guarded():
            is_ours = lock.acquire()
        if is_ours is None:
            with self._alone, self._once_a_minute():
                yield
        elif is_ours:
            try:
                yield
            finally:
                with suppress(LockError, redis.RedisError):  # it runs out by itself
                    lock.release()
        else:
            raise RetryableError("another process is logging in to the venue, and takes long")

    @contextmanager
    def _once_a_minute(self) -> Iterator[None]:
        left_s = self._may_log_in_alone_at - monotonic()
        if self.get() is None and left_s > 0:
            wait = timedelta(seconds=left_s)
            raise RateLimitedError("Redis is away and this process has logged in to the venue just now", wait)
        self._may_log_in_alone_at = monotonic() + _AFTER_FAILURE_S
        yield
        self._may_log_in_alone_at = monotonic() + _ALONE_EVERY_S


def user_key(venue: VenueSettings) -> str:
    """Return what names a user of a venue in Redis, without telling either."""
    return hashlib.sha256(f"{venue.url}|{venue.user}".encode()).hexdigest()[:16]


def _token(text: str, renew_at: str, ends_at: str) -> Token:
    return Token(text, datetime.fromisoformat(renew_at), datetime.fromisoformat(ends_at))
