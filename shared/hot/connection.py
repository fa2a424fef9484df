"""Connects to Redis with limits on every wait."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.clock import monotonic
from shared.errors import TickworkError

log = logging.getLogger(__name__)

# An exit must not wait for Redis at each of its steps: having waited once, it goes on without for so long.
_LEFT_ALONE_FOR_S = 5.0


def connect(url: str) -> "redis.Redis":
    """Return a client that gives up after a second, trying a dropped connection once more."""
    return redis.Redis.from_url(
        url,
        socket_timeout=1,
        socket_connect_timeout=1,
        health_check_interval=15,
        retry=Retry(NoBackoff(), 1),
        decode_responses=True,
    )


class RedisUnavailableError(TickworkError):
    """Redis does not answer, or did not a moment ago; what was asked may or may not have been done."""


class CircuitBreaker:
    """Asks Redis, and leaves it alone for a few seconds when it did not answer; one per process is enough."""

    def __init__(self) -> None:
        self._away_until = 0.0

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Turn every failure of Redis inside into RedisUnavailableError; raise it at once while Redis is left alone."""
        if monotonic() < self._away_until:
            raise RedisUnavailableError("Redis did not answer a moment ago")
        try:
            yield
        except redis.RedisError as error:
            self._away_until = monotonic() + _LEFT_ALONE_FOR_S
            log.warning("Redis does not answer, this process goes on without: %s", type(error).__name__)
            raise RedisUnavailableError(f"Redis does not answer: {type(error).__name__}") from None
