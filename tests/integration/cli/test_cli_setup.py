"""`tickwork setup`: the guided start, safe to run again, with options instead of answers, and never half done."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.processes import clean_environment

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
