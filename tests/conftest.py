"""Loads the fixtures of tests/fixtures, orders the tests, and sets how many run at a time."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.fixtures.chaos_form import IS_LONG

# A shell makes a background process and its children ignore SIGINT, which some tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = (
    "tests.fixtures.servers",
    "tests.fixtures.venue",
    "tests.fixtures.venue_core",
    "tests.fixtures.hubs",
    "tests.fixtures.recorded",
    "tests.fixtures.worker_env",
    "tests.fixtures.bar_tiers",
    "tests.fixtures.operator",
    "tests.fixtures.stack",
    "tests.fixtures.ledger_env",
    "tests.fixtures.runner_env",
    "tests.fixtures.feeds",
    "tests.fixtures.monitors",
    "tests.fixtures.books",
    "tests.fixtures.hand_orders",
    "tests.fixtures.order_sessions",
    "tests.fixtures.silent_server",
    "tests.fixtures.message_service",
    "tests.fixtures.telegram_service",
    "tests.fixtures.telegram_bot",
)

# The same examples on every machine, however slow it is; `make chaos` tries new ones.
settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("new", settings.get_profile("same"), derandomize=False, max_examples=1000)
settings.load_profile("new" if IS_LONG else "same")

TESTS = Path(__file__).parent
SLOWEST_FIRST = ("chaos", "clients", "system", "integration", "contract", "architecture", "unit")
MAX_PROCESSES = 8  # each has a Postgres and a Valkey of its own


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the files of slow tests first, so that no process begins one of them at the end."""
    items.sort(key=lambda item: _rank(item.path))


def _rank(file: Path) -> int:
    folder = file.relative_to(TESTS).parts[0]
    return SLOWEST_FIRST.index(folder) if folder in SLOWEST_FIRST else len(SLOWEST_FIRST)


def pytest_xdist_auto_num_workers() -> int:
    """Return two processes a core, as a test waits half of its time; one when all would share a Redis or RabbitMQ."""
    if os.environ.get("REDIS_URL") or os.environ.get("RABBITMQ_URL"):
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(2 * cores, MAX_PROCESSES)
