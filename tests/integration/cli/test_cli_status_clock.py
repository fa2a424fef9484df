"""`tickwork status` shows how far the clocks of this computer, of Postgres and of the venue are apart."""

from collections.abc import Iterator

import pytest

from cli.local.home.folder import Home
from cli.local.home.lock import Lock
from cli.local.home.state import write_state
from tests.fixtures.operator import RunCommand
from tests.fixtures.worker_env import WorkerEnv


@pytest.fixture(autouse=True)
def running_stack(worker_env: WorkerEnv) -> Iterator[None]:
    """A stack that seems to run."""
    settings, home = worker_env.settings, Home(worker_env.settings.home)
    lock = Lock(home.root)
    lock.acquire()
    environment = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}
    write_state(home, {"pid": 1, "programs": [], "urls": {"receiver": "http://x"}, "environment": environment})
    yield
    lock.close()


def test_status_shows_the_skew_to_postgres_and_to_the_venue(operator: RunCommand) -> None:
    clock = operator("status", "--json").json["clock"]

    assert ["ahead_of_postgres_s", "ahead_of_venue_s"] == list(clock)
    assert all(abs(skew) < 2 for skew in clock.values()), clock
    assert "Clock of this computer: 0." in operator("status").words


def test_a_venue_that_does_not_answer_leaves_its_clock_uncompared(
    operator: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICKWORK_VENUE_URL", "http://127.0.0.1:9")

    assert operator("status", "--json").json["clock"]["ahead_of_venue_s"] is None
    assert "not compared with the venue" in operator("status").words
