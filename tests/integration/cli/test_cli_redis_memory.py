"""The memory of the Redis servers, as `status` and `doctor` show it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.local.home.folder import Home
from cli.local.servers.valkey import valkey_url
from tests.fixtures.operator import RunCommand
from tests.fixtures.processes import free_port
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.cli.doctor_checks import run_doctor
from tests.integration.local.embedded import PASSWORD, run_server, valkey

ONE_SERVER = "memory of broker and cache"


@pytest.fixture
def configured(worker_env: WorkerEnv) -> Iterator[WorkerEnv]:
    """A worker environment whose Redis has its configuration again afterwards."""
    before = worker_env.redis.config_get("maxmemory*")
    worker_env.redis.config_set("maxmemory", "64mb")
    worker_env.redis.config_set("maxmemory-policy", "noeviction")
    yield worker_env
    for name in ("maxmemory", "maxmemory-policy"):
        worker_env.redis.config_set(name, str(before[name]))


@pytest.fixture
def second_redis(open_folder: Path) -> Iterator[str]:
    """The URL of another server."""
    home, port = Home(open_folder / "second-redis"), free_port()
    home.prepare()
    with run_server(valkey(home, port)):
        yield valkey_url(port, PASSWORD)


def test_one_server_is_shown_once_with_its_bound(operator: RunCommand, configured: WorkerEnv) -> None:
    checks = run_doctor(operator, configured)

    assert ["fine"] * 3 == [checks[name]["state"] for name in ("broker", "cache", ONE_SERVER)]
    assert "of 67 MB, noeviction" in checks[ONE_SERVER]["detail"]


def test_two_servers_are_shown_apart(operator: RunCommand, configured: WorkerEnv, second_redis: str) -> None:
    checks = run_doctor(operator, configured, TICKWORK_CACHE_URL=second_redis)

    assert ["fine"] * 2 == [checks[f"memory of {name}"]["state"] for name in ("broker", "cache")]


def test_a_server_without_a_bound_is_a_warning(operator: RunCommand, configured: WorkerEnv) -> None:
    configured.redis.config_set("maxmemory", "0")
    found = run_doctor(operator, configured)[ONE_SERVER]

    assert "warning" == found["state"]
    assert "without a bound, noeviction; set its `maxmemory`" in found["detail"]


def test_a_broker_that_evicts_is_a_warning(operator: RunCommand, configured: WorkerEnv) -> None:
    configured.redis.config_set("maxmemory-policy", "allkeys-lru")
    found = run_doctor(operator, configured)[ONE_SERVER]

    assert "warning" == found["state"]
    assert "set its `maxmemory-policy noeviction`" in found["detail"]
