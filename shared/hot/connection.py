"""Connects to Redis with limits on every wait."""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


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
