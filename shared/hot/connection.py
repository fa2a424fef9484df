"""Connections to Redis with a limit on every wait, and the circuit breaker for when it does not answer."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.clock import monotonic
from shared.errors import TickworkError

log = logging.getLogger(__name__)

# An exit must not wait for Redis at each step: after one timeout it goes on without Redis for this long.
_OPEN_FOR_S = 5.0


def connect(url: str, *, decode: bool = True) -> "redis.Redis":
    """Return a client that times out after a second, and retries once on a dropped connection, not after a timeout.

    It returns text, or bytes without `decode`.
    """
    return redis.Redis.from_url(
        url,
        socket_timeout=1,
        socket_connect_timeout=1,
        health_check_interval=15,
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
        decode_responses=decode,
    )


class RedisUnavailableError(TickworkError):
    """Redis does not answer, or did not a moment ago; the command may or may not have been executed."""


class CircuitBreaker:
    """Stops calls to Redis for a few seconds after one has failed; one per process is enough."""

    def __init__(self) -> None:
        self._open_until = 0.0

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Turn Redis errors inside the block into RedisUnavailableError; raise it at once while the breaker is open."""
        if monotonic() < self._open_until:
            raise RedisUnavailableError("Redis did not answer a moment ago")
        try:
            yield
        except redis.RedisError as error:
            self._open_until = monotonic() + _OPEN_FOR_S
            log.warning("Redis does not answer, continuing without it: %s", type(error).__name__)
            raise RedisUnavailableError(f"Redis does not answer: {type(error).__name__}") from None
