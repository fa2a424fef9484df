"""How the feed is, as the active one says in Redis: the age of the last word about each contract, not of a socket."""

from datetime import datetime, timedelta

import msgspec
import redis

HEALTH_KEY = "tickwork:feed"
SHOWN_FOR = timedelta(minutes=10)  # a feed that has died is seen by the age of what it said last


class HubHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One hub: `silent_s` since its last record, pings counted; `gap_s` is how long it was lost the last time."""

    is_connected: bool
    is_subscribed: bool
    silent_s: float
    connection_count: int
    event_count: int  # since the feed became the active one
    gap_s: float | None


class ContractHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One contract: `silent_s` since the last quote or trade of it; None when there was none so far."""

    silent_s: float | None
    is_in_session: bool


class FeedHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What the active feed says each second; seconds count until `said_at`, in machine time."""

    said_at: datetime
    fence: int
    market: HubHealth
    user: HubHealth
    contracts: dict[str, ContractHealth]
    event_waiting_count: int  # of the user hub, for Postgres
    event_lost_count: int  # there was no room for; a reconcile followed


def read_feed_health(client: "redis.Redis") -> FeedHealth | None:
    """Return what a feed said last, or None if none has for minutes; redis.RedisError when Redis does not answer."""
    found = client.get(HEALTH_KEY)
    return None if found is None else msgspec.json.decode(str(found), type=FeedHealth)
