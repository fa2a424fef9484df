"""How the feed is, for a person and for a script: by the age of what was heard last, never by an open socket."""

from typing import Any

import click
import redis

from cli.client.stack import settings_of_stack
from cli.console.output import print_table
from shared.clock import machine_now
from shared.hot.connection import connect
from shared.hot.feed_health import FeedHealth, HubHealth, read_feed_health

STALE_AFTER_S = 5.0  # of a word that is said each second
_COLUMNS = ("contract_id", "silent_s", "is_in_session")


def feed_figures() -> dict[str, Any] | None:
    """Return what the active feed said last, and how long ago; None when none has, or Redis does not answer."""
    url = settings_of_stack().redis_url
    if not url:
        return None
    client = connect(url)
    try:
        found = read_feed_health(client)
    except redis.RedisError:
        return None
    finally:
        client.close()
    return None if found is None else _figures(found)


def print_feed(figures: dict[str, Any] | None) -> None:
    """Show one line about the feed, and one per contract."""
    if figures is None:
        click.echo("Feed: no feed has said anything for minutes.")
        return
    state = "active" if figures["age_s"] <= STALE_AFTER_S else f"SILENT for {figures['age_s']:.0f} s"
    hubs = ", ".join(_sentence(name, figures[name]) for name in ("market", "user"))
    lost = f", {figures['event_lost_count']} events left to a reconcile" if figures["event_lost_count"] else ""
    click.echo(f"Feed: {state}; {hubs}; {figures['event_waiting_count']} events wait for Postgres{lost}.")
    print_table("Prices, by the age of the last word", figures["contracts"], _COLUMNS, empty="No contract is heard.")


def _figures(found: FeedHealth) -> dict[str, Any]:
    return {
        "age_s": round((machine_now() - found.said_at).total_seconds(), 3),
        "fence": found.fence,
        "market": _hub(found.market),
        "user": _hub(found.user),
        "event_waiting_count": found.event_waiting_count,
        "event_lost_count": found.event_lost_count,
        "contracts": [
            {"contract_id": name, "silent_s": one.silent_s, "is_in_session": one.is_in_session}
            for name, one in sorted(found.contracts.items())
        ],
    }


def _hub(hub: HubHealth) -> dict[str, Any]:
    return {
        "is_connected": hub.is_connected,
        "is_subscribed": hub.is_subscribed,
        "silent_s": hub.silent_s,
        "reconnect_count": max(hub.connection_count - 1, 0),
        "gap_s": hub.gap_s,
        "event_count": hub.event_count,
    }


def _sentence(name: str, hub: dict[str, Any]) -> str:
    state = "subscribed" if hub["is_subscribed"] else "connected" if hub["is_connected"] else "LOST"
    gap = f", last gap {hub['gap_s']:.1f} s" if hub["gap_s"] is not None else ""
    return f"{name} hub {state}, heard {hub['silent_s']:.1f} s ago, {hub['reconnect_count']} reconnects{gap}"
