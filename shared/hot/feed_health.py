"""The health of the feed, written to Redis by the active one: the age of each contract's data, not of a socket."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import msgspec
import redis

from shared.clock import machine_now
from shared.hot.connection import CircuitBreaker, RedisUnavailableError, connect

HEALTH_KEY = "tickwork:feed"
FRESH_FOR = timedelta(seconds=5)
HEALTH_EXPIRES_AFTER = timedelta(minutes=10)  # a dead feed shows by the age of its last report


class HubHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One hub: `silent_s` since its last record, pings included; `gap_s` is the length of its last outage."""

    is_connected: bool
    is_subscribed: bool
    silent_s: float
    connection_count: int
    event_count: int  # since the feed became the active one
    gap_s: float | None


class ContractHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One contract: `silent_s` since its last quote or trade, None if there was none yet."""

    silent_s: float | None
    is_in_session: bool


class FeedHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The health that the active feed reports each second; seconds count until `reported_at`, in machine time."""

    reported_at: datetime
    fence: int
    market: HubHealth
    user: HubHealth
    contracts: dict[str, ContractHealth]
    job_waiting_count: int  # jobs with events of the user hub, waiting for Postgres
    job_lost_count: int  # jobs without room in the buffer; a reconcile followed


def read_feed_health(client: "redis.Redis") -> FeedHealth | None:
    """Return the last health report, None if there was none for minutes; redis.RedisError if Redis does not answer."""
    found = client.get(HEALTH_KEY)
    return None if found is None else msgspec.json.decode(str(found), type=FeedHealth)


class FeedHealthReader:
    """Reads the health of the feed over a connection that is kept."""

    def __init__(self, client: "redis.Redis", breaker: CircuitBreaker) -> None:
        self._client = client
        self._breaker = breaker

    def read(self) -> FeedHealth | None:
        """Return the last health report, None without a readable one for minutes; raise RedisUnavailableError."""
        try:
            with self._breaker.guard():
                return read_feed_health(self._client)
        except msgspec.DecodeError:  # a feed of another version wrote it
            return None


@contextmanager
def open_feed_health(redis_url: str) -> Iterator[FeedHealthReader]:
    """Open a reader of the health that the feed reports."""
    client = connect(redis_url)
    try:
        yield FeedHealthReader(client, CircuitBreaker())
    finally:
        client.close()


class UserHubState:
    """Whether the venue reports orders and fills to us now, by the health report of the feed."""

    def __init__(self, client: "redis.Redis", breaker: CircuitBreaker) -> None:
        self._client = client
        self._breaker = breaker

    def is_up(self) -> bool:
        """Whether the active feed was subscribed to the user hub a moment ago; False if Redis does not answer."""
        try:
            with self._breaker.guard():
                found = read_feed_health(self._client)
        except (RedisUnavailableError, msgspec.DecodeError):
            return False
        return found is not None and found.user.is_subscribed and machine_now() - found.reported_at < FRESH_FOR
