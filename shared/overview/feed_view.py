"""The health of the feed, measured by the age of its newest data, never by an open socket."""

from typing import Any

import msgspec
import redis

from shared.clock import machine_now
from shared.domain.counting import count_of
from shared.hot.connection import connect
from shared.hot.feed_health import FeedHealth, HubHealth, read_feed_health

_STALE_AFTER_S = 5.0  # the feed reports its health each second


def read_feed_figures(cache_url: str) -> dict[str, Any] | None:
    """Return the last report of the active feed and its age; None without a report or when Redis does not answer."""
    if not cache_url:
        return None
    client = connect(cache_url)
    try:
        found = read_feed_health(client)
    except (redis.RedisError, msgspec.DecodeError):  # or a feed of another version wrote it
        return None
    finally:
        client.close()
    return None if found is None else _to_figures(found)


def describe_feed(figures: dict[str, Any] | None) -> str:
    """Return one line about the feed: whether it is active, its hubs, and what waits for Postgres."""
    if figures is None:
        return "Feed: no report, because it has sent none for minutes or Redis does not answer."
    state = "active" if figures["age_s"] <= _STALE_AFTER_S else f"SILENT for {figures['age_s']:.0f} s"
    hubs = ", ".join(_describe_hub(name, figures[name]) for name in ("market", "user"))
    lost = f", {count_of(figures['job_lost_count'], 'job')} left to reconcile" if figures["job_lost_count"] else ""
    waiting = count_of(figures["job_waiting_count"], "job")
    return f"Feed: {state}; {hubs}; {waiting} waiting for Postgres{lost}."


def _to_figures(found: FeedHealth) -> dict[str, Any]:
    return {
        "age_s": round((machine_now() - found.reported_at).total_seconds(), 3),
        "fence": found.fence,
        "market": _hub_figures(found.market),
        "user": _hub_figures(found.user),
        "job_waiting_count": found.job_waiting_count,
        "job_lost_count": found.job_lost_count,
        "contracts": [
            {"contract_id": name, "silent_s": one.silent_s, "is_in_session": one.is_in_session}
            for name, one in sorted(found.contracts.items())
        ],
    }


def _hub_figures(hub: HubHealth) -> dict[str, Any]:
    return {
        "is_connected": hub.is_connected,
        "is_subscribed": hub.is_subscribed,
        "silent_s": hub.silent_s,
        "reconnect_count": max(hub.connection_count - 1, 0),
        "gap_s": hub.gap_s,
        "event_count": hub.event_count,
    }


def _describe_hub(name: str, hub: dict[str, Any]) -> str:
    state = "subscribed" if hub["is_subscribed"] else "connected" if hub["is_connected"] else "LOST"
    gap = f", last gap {hub['gap_s']:.1f} s" if hub["gap_s"] is not None else ""
    reconnects = count_of(hub["reconnect_count"], "reconnect")
    return f"{name} hub {state}, last message {hub['silent_s']:.1f} s ago, {reconnects}{gap}"
