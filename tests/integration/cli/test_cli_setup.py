"""`tickwork setup`: the guided start, safe to run again, with options instead of answers, and never half done."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.local.home.folder import Home
from cli.local.home.lock import Lock
from cli.local.home.state import write_state
from tests.fixtures.operator import RunCommand
from tests.fixtures.processes import clean_environment
from tests.fixtures.worker_env import WorkerEnv

TICKWORK = [sys.executable, "-m", "cli.main"]
VENUE = ("--venue", "--venue-user", "me")


class Setup:
    """`tickwork setup` in a home without a stack."""

    def __init__(self, home: Path) -> None:
        self.file = home / "settings.toml"
        self._env = clean_environment() | {
            "TICKWORK_HOME": str(home), "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        }  # fmt: skip

    def __call__(self, *words: str, typed: str = "") -> str:
        done = subprocess.run(
            [*TICKWORK, "setup", *words], env=self._env, input=typed, capture_output=True, text=True, check=False
        )
        assert 1 == done.returncode, "without a stack it ends after the settings"
        return done.stdout + done.stderr


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path)


def test_the_simulator_needs_no_answer_and_says_what_comes_next(setup: Setup) -> None:
    said = setup("--yes")

    assert "the settings are stored: start the stack, then run `tickwork setup` again" in said
    assert 'contracts = ["MNQ", "MES"]\n' == setup.file.read_text()
    assert "1. settings   as they were" in setup("--yes")


def test_the_venue_is_stored_with_the_key_from_standard_input(setup: Setup) -> None:
    said = setup(*VENUE, "--contracts", "MNQ", "--yes", typed="the-key\n")

    assert "the-key" not in said
    assert [
        'contracts = ["MNQ"]', 'venue_url = "https://api.topstepx.com"', 'venue_hubs_url = "https://rtc.topstepx.com"',
        'venue_user = "me"', 'venue_key = "the-key"',
    ] == setup.file.read_text().splitlines()  # fmt: skip
    assert "as they were" in setup(*VENUE, "--contracts", "MNQ", "--yes")


def test_back_to_the_simulator_removes_the_login(setup: Setup) -> None:
    setup(*VENUE, "--yes", typed="the-key\n")
    said = setup("--simulator", "--yes")

    assert "venue_key removed" in said
    assert 'contracts = ["MNQ", "MES"]\n' == setup.file.read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--contracts", "MNQ,FOO", "--yes"), "invalid contracts 'FOO': expected roots with commas between them"),
        ((*VENUE, "--yes"), "the venue's API key is not known: pipe it in"),
        (("--venue", "--yes"), "User name is not known: give it as an option"),
        ((*VENUE, "--venue-url", "http://api.example.com", "--yes"), "expected https"),
        ((), "there is no terminal to ask at: run it in one, or give the options and --yes"),
    ],
)
def test_what_is_missing_or_invalid_leaves_no_setting(setup: Setup, words: tuple[str, ...], message: str) -> None:
    typed = "the-key" if "--venue-url" in words else ""

    assert message in setup(*words, typed=typed)
    assert not setup.file.exists() or "" == setup.file.read_text()


@pytest.fixture
def running(worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch, operator: RunCommand) -> Iterator[RunCommand]:
    """Commands beside a stack that was started at the simulator with MES."""
    settings = worker_env.settings
    home = Home(settings.home)
    lock = Lock(home.root)
    lock.acquire()
    environment = {
        "TICKWORK_HOME": str(settings.home), "DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url,
        "TICKWORK_VENUE_URL": settings.venue.url, "TICKWORK_VENUE_IS_SIMULATOR": "on", "TICKWORK_CONTRACTS": "MES",
        "TICKWORK_RECEIVER_URL": "http://127.0.0.1:1",
    }  # fmt: skip
    write_state(
        home, {"pid": 1, "programs": [], "urls": {"receiver": "http://127.0.0.1:1"}, "environment": environment}
    )
    for name in [*environment, "TICKWORK_VENUE_USER", "TICKWORK_VENUE_KEY"]:
        if name != "TICKWORK_HOME":
            monkeypatch.delenv(name, raising=False)
    yield operator
    lock.close()


def test_a_running_stack_is_named_with_what_needs_a_restart(running: RunCommand, worker_env: WorkerEnv) -> None:
    done = running("setup", "--simulator", "--contracts", "MNQ", "--yes")
    again = running("setup", "--simulator", "--contracts", "MNQ", "--yes")
    same = running("setup", "--simulator", "--contracts", "mes", "--yes")

    where = f"2. stack runs in {worker_env.settings.home}: receiver http://127.0.0.1:1, trading at the simulator"
    assert all(where in one.words for one in (done, again, same))
    advice = "It was started with contracts MES: to use what is set now run `tickwork down`, then `tickwork up`."
    assert [True, True, False] == [advice in one.words for one in (done, again, same)]
    said = running("config", "set", "contracts", "MNQ").words
    assert "keeps the settings it was started with: `tickwork down`, then `tickwork up`, to use this one" in said


def test_a_root_that_does_not_exist_is_asked_for_again(running: RunCommand, worker_env: WorkerEnv) -> None:
    done = running("setup", typed="simulator\nFOO\nmnq\n")

    assert "invalid contracts 'FOO': expected roots" in done.words
    assert 'contracts = ["mnq"]\n' == (worker_env.settings.home / "settings.toml").read_text()
