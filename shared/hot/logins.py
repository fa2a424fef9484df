"""The venue's token in Redis, shared by all processes of a user; kept per process while Redis does not answer."""

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
_LOCAL_LOGIN_EVERY_S = 60.0
_AFTER_FAILED_LOGIN_S = 5.0  # short, as an exit may be waiting

_DROP = "if redis.call('HGET', KEYS[1], 'text') == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class RedisTokenStore:
    """The gateway's TokenStore.

    While Redis does not answer, each process uses the last token it read, or logs in by itself at most once a minute:
    for an exit, having a token matters more than sharing it.
    """

    def __init__(self, client: "redis.Redis", venue: VenueSettings, breaker: CircuitBreaker | None = None) -> None:
        self._redis = client
        self._breaker = breaker or CircuitBreaker()
        self._key = f"tickwork:token:{user_key(venue)}"
        self._last_token: Token | None = None
        self._local_login_lock = threading.Lock()
        self._local_login_allowed_at = 0.0

    def get(self) -> Token | None:
        """Return the token, or None if there is none or it has ended."""
        try:
            with self._breaker.guard():
                stored = self._redis.hmget(self._key, "text", "renew_at", "ends_at")
        except RedisUnavailableError:
            pass
        else:
            self._last_token = None if None in stored else _parse_token(*map(str, stored))
        known = self._last_token
        return known if known is not None and machine_now() < known.ends_at else None

    def put(self, token: Token) -> None:
        """Store the token in place of any other until it ends."""
        self._last_token = token
        with suppress(RedisUnavailableError), self._breaker.guard(), self._redis.pipeline() as pipeline:
            pipeline.hset(self._key, "text", token.text)
            pipeline.hset(self._key, "renew_at", token.renew_at.isoformat())
            pipeline.hset(self._key, "ends_at", token.ends_at.isoformat())
            pipeline.pexpireat(self._key, token.ends_at)
            pipeline.execute()

    def drop(self, text: str) -> None:
        """Delete the token with this text; a newer token that has replaced it stays."""
        if self._last_token is not None and self._last_token.text == text:
            self._last_token = None
        with suppress(RedisUnavailableError), self._breaker.guard():
            self._redis.eval(_DROP, 1, self._key, text)

    def claim_renewal(self) -> bool:
        """Claim the renewal of the token; True for one caller a minute, and False while Redis does not answer."""
        try:
            with self._breaker.guard():
                return bool(self._redis.set(f"{self._key}:renewing", "1", nx=True, ex=_RENEWAL_AT_MOST_S))
        except RedisUnavailableError:
            return False

    @contextmanager
    def login(self) -> Iterator[None]:
        """Hold the login lock; raise RetryableError if another process holds it for too long.

        While Redis does not answer, hold a lock of this process; raise RateLimitedError for a second login in a minute.
        """
        lock = self._redis.lock(f"{self._key}:lock", timeout=_LOGIN_AT_MOST_S, blocking_timeout=_LOGIN_AT_MOST_S)
        is_ours: bool | None = None
        with suppress(RedisUnavailableError), self._breaker.guard():
            is_ours = lock.acquire()
        if is_ours is None:
            with self._local_login_lock, self._limit_local_logins():
                yield
        elif is_ours:
            try:
                yield
            finally:
                with suppress(LockError, redis.RedisError):  # the lock expires by itself
                    lock.release()
        else:
            raise RetryableError("another process has been logging in to the venue for too long")

    @contextmanager
    def _limit_local_logins(self) -> Iterator[None]:
        left_s = self._local_login_allowed_at - monotonic()
        if self.get() is None and left_s > 0:
            wait = timedelta(seconds=left_s)
            raise RateLimitedError("Redis does not answer, and this process has just logged in to the venue", wait)
        self._local_login_allowed_at = monotonic() + _AFTER_FAILED_LOGIN_S
        yield
        self._local_login_allowed_at = monotonic() + _LOCAL_LOGIN_EVERY_S


def user_key(venue: VenueSettings) -> str:
    """Return the name of a venue's user in Redis keys: a hash, which reveals neither venue nor user."""
    return hashlib.sha256(f"{venue.url}|{venue.user}".encode()).hexdigest()[:16]


def _parse_token(text: str, renew_at: str, ends_at: str) -> Token:
    return Token(text, datetime.fromisoformat(renew_at), datetime.fromisoformat(ends_at))
