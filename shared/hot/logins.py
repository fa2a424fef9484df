"""The venue's token in Redis, so that all processes of one user share a login."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import redis
from redis.exceptions import LockError

from shared.config import Venue
from shared.errors import RetryableError

# The venue's tokens live for 24 h. Source: venue.md section 3.5.
KEPT_FOR = timedelta(hours=12)
_LOGIN_AT_MOST_S = 12

_DROP = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class RedisTokenStore:
    """The gateway's TokenStore; raises RetryableError when Redis does not answer."""

    def __init__(self, client: "redis.Redis", venue: Venue) -> None:
        self._redis = client
        self._key = f"tickwork:login:{user_key(venue)}"

    def get(self) -> str | None:
        """Return the token, or None."""
        with _answering():
            token = self._redis.get(self._key)
            return None if token is None else str(token)

    def put(self, token: str) -> None:
        """Keep the token in place of any other, for half its life."""
        with _answering():
            self._redis.set(self._key, token, ex=KEPT_FOR)

    def drop(self, token: str) -> None:
        """Forget the token if it is still the one that is kept."""
        with _answering():
            self._redis.eval(_DROP, 1, self._key, token)

    @contextmanager
    def login(self) -> Iterator[None]:
        """Hold the right to log in; raise RetryableError when another holds it for too long."""
        lock = self._redis.lock(f"{self._key}:lock", timeout=_LOGIN_AT_MOST_S, blocking_timeout=_LOGIN_AT_MOST_S)
        with _answering():
            if not lock.acquire():
                raise RetryableError("another process is logging in to the venue, and takes long")
        try:
            yield
        finally:
            with _answering():
                _release(lock)


def _release(lock: "redis.lock.Lock") -> None:
    try:
        lock.release()
    except LockError:  # it ran out: another may hold it by now
        return


def user_key(venue: Venue) -> str:
    """Return what names a user of a venue in Redis, without telling either."""
    return hashlib.sha256(f"{venue.url}|{venue.user}".encode()).hexdigest()[:16]


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise RetryableError(f"Redis does not answer, so the login is not known: {error}") from error
