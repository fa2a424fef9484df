"""The checks of `tickwork doctor` of the broker, of the cache, and of the memory of their servers."""

from collections.abc import Callable
from functools import partial
from typing import Any

from cli.client.live_checks import CheckWarningError
from cli.client.redis_memory import describe_memory, read_memory_figures
from cli.local.servers.broker import check_broker
from cli.local.servers.valkey import check_cache, check_redis
from shared.config import Settings


def list_redis_checks(settings: Settings, *, is_running: bool) -> dict[str, Callable[[], str]]:
    """Return the checks by name: of the servers in use, and without a running stack of those that the settings name."""
    checks: dict[str, Callable[[], str]] = {}
    if settings.broker_url:
        checks["broker"] = lambda: f"{check_broker(settings.broker_url)} answers, every queue is declared"
    elif is_running:
        checks["broker"] = partial(_check_redis_broker, settings)
    if is_running:
        checks["cache"] = partial(_check_cache, settings)
    for figures in read_memory_figures(settings):
        checks[f"memory of {' and '.join(figures['used_for'])}"] = partial(_check_memory, figures)
    return checks


def _check_redis_broker(settings: Settings) -> str:
    check_redis(settings.require_redis())
    return "answers and takes a write"


def _check_cache(settings: Settings) -> str:
    check_cache(settings.require_cache(), settings.require_broker())
    return "answers and takes a write, in a database that the broker does not use"


def _check_memory(figures: dict[str, Any]) -> str:
    """Raise CheckWarningError for a server without a bound, and for a broker that deletes keys at its bound."""
    line = describe_memory(figures)
    if "broker" in figures["used_for"] and figures["policy"] != "noeviction":
        raise CheckWarningError(
            f"{line}; a full broker deletes wake-ups, which come again late: set its `maxmemory-policy noeviction`, "
            "and TICKWORK_CACHE_URL to another server if the cache is to evict"
        )
    if figures["bound_bytes"] is None:
        raise CheckWarningError(f"{line}; set its `maxmemory`, so that it cannot take all memory of its computer")
    return line
