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
    """Return the last report of the active feed and its age; None without a report or when Redis does not answer.

    Seconds without data count until now: those of the report, and its age.
    """
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
    was = "was " if is_silent(figures) else ""
    state = f"SILENT for {figures['age_s']:.0f} s" if was else "active"
    hubs = ", ".join(_describe_hub(name, figures[name], was) for name in ("market", "user"))
    lost = f", {count_of(figures['job_lost_count'], 'job')} left to reconcile" if figures["job_lost_count"] else ""
    waiting = count_of(figures["job_waiting_count"], "job")
    return f"Feed: {state}; {hubs}; {waiting} waiting for Postgres{lost}."


def is_silent(figures: dict[str, Any]) -> bool:
    """Whether the feed has reported nothing for seconds."""
    return bool(figures["age_s"] > _STALE_AFTER_S)


def is_lost(hub: dict[str, Any]) -> bool:
    """Whether a hub was not connected at the last report."""
    return not (hub["is_connected"] or hub["is_subscribed"])


def _to_figures(found: FeedHealth) -> dict[str, Any]:
    age_s = (machine_now() - found.reported_at).total_seconds()
    return {
        "age_s": round(age_s, 3),
        "fence": found.fence,
        "market": _hub_figures(found.market, age_s),
        "user": _hub_figures(found.user, age_s),
        "job_waiting_count": found.job_waiting_count,
        "job_lost_count": found.job_lost_count,
        "contracts": [
            {
                "contract_id": name,
                "silent_s": None if one.silent_s is None else round(one.silent_s + age_s, 3),
                "is_in_session": one.is_in_session,
            }
            for name, one in sorted(found.contracts.items())
        ],
    }


def _hub_figures(hub: HubHealth, age_s: float) -> dict[str, Any]:
    return {
        "is_connected": hub.is_connected,
        "is_subscribed": hub.is_subscribed,
        "silent_s": round(hub.silent_s + age_s, 3),
        "reconnect_count": max(hub.connection_count - 1, 0),
        "gap_s": hub.gap_s,
        "event_count": hub.event_count,
    }


def _describe_hub(name: str, hub: dict[str, Any], was: str) -> str:
    state = was + ("LOST" if is_lost(hub) else "subscribed" if hub["is_subscribed"] else "connected")
    gap = f", last gap {hub['gap_s']:.1f} s" if hub["gap_s"] is not None else ""
    reconnects = count_of(hub["reconnect_count"], "reconnect")
    return f"{name} hub {state}, last message {hub['silent_s']:.1f} s ago, {reconnects}{gap}"
