"""Commands while Postgres takes connections and answers nothing, as one that is frozen or whose disk hangs."""

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from cli.local.home.folder import Home
from cli.local.home.lock import Lock
from cli.local.home.state import write_state
from tests.fixtures.operator import RunCommand
from tests.fixtures.processes import free_port
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.cli.shell import PASSWORD, Shell


@pytest.fixture
def frozen(shell: Shell) -> Iterator[socket.socket]:
    """The listening socket of a Postgres whose process is stopped: the system still takes its connections."""
    home = Home(shell.home)
    home.prepare()
    lock = Lock(home.root)
    lock.acquire()
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"postgresql://tickwork:{PASSWORD}@127.0.0.1:{server.getsockname()[1]}/tickwork?connect_timeout=2"
        environment = {"DATABASE_URL": url, "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
        environment["TICKWORK_PUBLIC_URL"] = "https://tickwork.example.com"
        programs = [{"name": "postgres", "pid": 1, "state": "running", "restarts": 0}]
        write_state(home, {"pid": 1, "programs": programs, "urls": {"receiver": "x"}, "environment": environment})
        yield server
    lock.close()


def count_connections(server: socket.socket) -> int:
    """Return how many connections were made since the last call."""
    server.settimeout(0)
    count = 0
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            count += 1
    return count


def test_status_says_what_is_not_known_and_waits_for_a_frozen_database_once(
    frozen: socket.socket, shell: Shell
) -> None:
    told = " ".join(shell.run("status").stdout.split())

    assert 1 == count_connections(frozen)
    assert "Risk monitor: not known: the database does not answer: " in told
    assert "Market, alarms and problems: not known: the database does not answer: " in told
    assert "NONE runs" not in told
    found = shell.json("status", expected=0)["database"]
    assert (False, True) == (found["is_answering"], found["error"].startswith("the database does not answer: "))


def test_status_says_that_the_schema_is_another_one(operator: RunCommand, worker_env: WorkerEnv) -> None:
    lock = Lock(Home(worker_env.settings.home).root)
    lock.acquire()
    environment = {"DATABASE_URL": worker_env.settings.database_url, "REDIS_URL": worker_env.settings.redis_url}
    state = {"pid": 1, "programs": [], "urls": {"receiver": "x"}, "environment": environment}
    write_state(Home(worker_env.settings.home), state)
    assert {"is_answering": True, "error": None} == operator("status", "--json").json["database"]
    worker_env.execute("ALTER TABLE risk_monitor RENAME TO former")
    told = operator("status").words
    lock.close()

    assert "Risk monitor: not known: the database schema is out of date (" in told
