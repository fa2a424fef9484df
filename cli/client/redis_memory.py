"""The memory of the Redis servers of a stack, and its bounds: of the broker, and of the cache if that is another."""

from collections.abc import Sequence
from typing import Any

import click
import redis

from shared.config import Settings
from shared.ledger.publisher import is_amqp

_MB = 1e6
_TIMEOUT_S = 1


def read_memory_figures(settings: Settings) -> list[dict[str, Any]]:
    """Return the memory of each server, once if broker and cache share one; a server that does not answer is left out.

    RabbitMQ limits its memory by itself, and is not among them.
    """
    urls = {"broker": settings.broker_url or settings.redis_url, "cache": settings.cache_url}
    found: dict[str, dict[str, Any]] = {}  # by the id of the server's run
    for name, url in urls.items():
        server = None if not url or is_amqp(url) else _read_server(url)
        if server is not None:
            found.setdefault(server.pop("run_id"), {"used_for": [], **server})["used_for"].append(name)
    return list(found.values())


def describe_memory(figures: dict[str, Any]) -> str:
    """Return how much memory a server uses, of how much, and its `maxmemory-policy`."""
    used, bound = figures["used_bytes"] / _MB, figures["bound_bytes"]
    of = "without a bound" if bound is None else f"of {bound / _MB:.0f} MB"
    return f"{used:.1f} MB {of}, {figures['policy']}"


def print_memory(rows: Sequence[dict[str, Any]]) -> None:
    """Print one line about the memory of each server."""
    for row in rows:
        click.echo(f"Memory of {' and '.join(row['used_for'])}: {describe_memory(row)}.")


def _read_server(url: str) -> dict[str, Any] | None:
    try:
        with redis.Redis.from_url(url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S) as client:
            found = client.info("server") | client.info("memory")
    except redis.RedisError:
        return None
    return {
        "run_id": found["run_id"],
        "used_bytes": int(found["used_memory"]),
        "bound_bytes": int(found["maxmemory"]) or None,
        "policy": str(found["maxmemory_policy"]),
    }
