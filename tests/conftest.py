"""Gathers the fixtures (see tests/fixtures), orders the tests, and says how many run at a time."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A shell that starts something in the background makes it deaf to Ctrl-C, and whatever that starts: some tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = (
    "tests.fixtures.servers",
    "tests.fixtures.venue",
    "tests.fixtures.venue_core",
    "tests.fixtures.hubs",
    "tests.fixtures.recorded",
    "tests.fixtures.worker_env",
    "tests.fixtures.operator",
    "tests.fixtures.stack",
    "tests.fixtures.ledger_env",
    "tests.fixtures.runner_env",
    "tests.fixtures.feeds",
)

# The same examples on every machine, however slow it is; `make chaos` looks for new ones.
settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("new", settings.get_profile("same"), derandomize=False, max_examples=1000)
settings.load_profile("new" if os.environ.get("TICKWORK_CHAOS") == "long" else "same")

TESTS = Path(__file__).parent
SLOWEST_FIRST = ("chaos", "system", "integration", "contract", "architecture", "unit")
MOST_PROCESSES = 8  # each has a Postgres and a Valkey of its own


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files that take long begin first, so that no process is left with one at the end."""
    items.sort(key=lambda item: _rank(item.path))


def _rank(file: Path) -> int:
    folder = file.relative_to(TESTS).parts[0]
    return SLOWEST_FIRST.index(folder) if folder in SLOWEST_FIRST else len(SLOWEST_FIRST)


def pytest_xdist_auto_num_workers() -> int:
    """Return two processes a core, as half of a test's time is waiting; one where all would share a Redis."""
    if os.environ.get("REDIS_URL") or os.environ.get("RABBITMQ_URL"):
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(2 * cores, MOST_PROCESSES)
