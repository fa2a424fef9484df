"""`tickwork config`: settings are read, changed and removed in settings.toml, and secrets never shown."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.processes import clean_environment

TICKWORK = [sys.executable, "-m", "cli.main"]
KEY = "a-key-of-the-venue"


class Config:
    """`tickwork config` in a home of its own."""

    def __init__(self, home: Path, **variables: str) -> None:
        self.file = home / "settings.toml"
        self.keyring = home / "keyring.json"
        self.env = clean_environment() | {"TICKWORK_HOME": str(home), "FILE_KEYRING": str(self.keyring)} | variables

    def run(self, *words: str, typed: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*TICKWORK, *words], env=self.env | variables, input=typed, capture_output=True, text=True, check=False
        )

    def __call__(self, *words: str, typed: str = "", **variables: str) -> str:
        done = self.run("config", *words, typed=typed, **variables)
        assert 0 == done.returncode, done.stderr
        return done.stdout

    def refused(self, *words: str, typed: str = "") -> str:
        done = self.run("config", *words, typed=typed)
        assert 1 == done.returncode, done.stdout
        return done.stderr

    def sources(self, **variables: str) -> dict[str, tuple[str | None, str]]:
        rows = json.loads(self("list", "--json", **variables))["settings"]
        return {row["setting"]: (row["value"], row["source"]) for row in rows}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(tmp_path, PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring")


@pytest.fixture
def with_keyring(tmp_path: Path) -> Config:
    return Config(tmp_path, PYTHON_KEYRING_BACKEND="tests.fixtures.file_keyring.FileKeyring")


def test_the_list_says_where_each_value_comes_from(config: Config) -> None:
    config("set", "max_quantity", "3")
    config("set", "contracts", "MES, MGC")

    found = config.sources(TICKWORK_ENTRY_TTL="30")

    assert ("3", "file") == found["max_quantity"]
    assert ("MES,MGC", "file") == found["contracts"]
    assert ("30", "environment") == found["entry_ttl"]
    assert ("INFO", "default") == found["log_level"]
    assert 'max_quantity = 3\ncontracts = ["MES", "MGC"]\n' == config.file.read_text()
    assert "7\n" == config("get", "max_quantity", TICKWORK_MAX_QUANTITY="7")


def test_a_change_keeps_the_comments_and_the_other_lines(config: Config) -> None:
    config.file.write_text("# mine\nmax_quantity = 3  # never more\n\nlimits = true\n")

    config("set", "max_quantity", "4")
    config("set", "limits", "off")
    config("unset", "limits")

    assert "# mine\nmax_quantity = 4  # never more\n\n" == config.file.read_text()


def test_an_invalid_value_is_refused_and_the_file_stays(config: Config) -> None:
    config("set", "max_quantity", "3")

    for value in ("0", "-1"):
        refused = config.refused("set", "max_quantity", value)
        assert f"invalid max_quantity '{value}': expected a whole number, at least 1" in refused
    assert "unknown fleet 'critcal'" in config.refused("set", "slots", "critcal=2")
    assert "did you mean max_quantity?" in config.refused("set", "max_quantty", "3")
    assert "max_quantity = 3\n" == config.file.read_text()


def test_a_root_that_does_not_exist_is_refused_with_the_nearest(config: Config) -> None:
    config("set", "contracts", "mnq,MES")
    said = config.refused("set", "contracts", "MNQ,MNK")

    assert "invalid contracts 'MNK': expected roots with commas between them, such as MNQ,MES; the nearest are " in said
    assert "MNQ" in said.partition("the nearest are ")[2]
    assert "invalid contracts 'FOO'" in config.refused("set", "contracts", "FOO")
    assert ("mnq,MES", "file") == config.sources()["contracts"]
    config.file.write_text('contracts = ["FOO"]\n')
    config("set", "max_quantity", "3")
    config("set", "contracts", "MNQ")


def test_an_invalid_or_unknown_line_can_be_mended(config: Config) -> None:
    config.file.write_text("max_quantity = 0\n")
    assert "line 1: invalid max_quantity '0'" in config.refused("list")
    config("set", "max_quantity", "2")

    config.file.write_text("colour = 1\nmax_quantity = 2\n")
    assert "line 1: unknown setting 'colour'" in config.refused("list")
    config("unset", "colour")

    assert "max_quantity = 2\n" == config.file.read_text()


def test_a_secret_is_no_argument_and_is_never_shown(config: Config) -> None:
    assert "can be read in the list of processes" in config.refused("set", "venue_key", KEY)
    assert "list of processes" in config.refused("set", "database_url", f"postgresql://me:{KEY}@127.0.0.1/x")

    said = config("set", "venue_key", typed=f"{KEY}\n")
    said += config("set", "database_url", typed=f"postgresql://me:{KEY}@127.0.0.1/x")
    said += config("list") + config("list", "--json") + config("get", "venue_key") + config("get", "database_url")

    assert KEY not in said
    assert KEY in config.file.read_text()
    assert 0o600 == stat.S_IMODE(config.file.stat().st_mode)


def test_a_secret_goes_into_the_keyring_and_programs_find_it_there(with_keyring: Config) -> None:
    config = with_keyring
    config("set", "venue_key", typed=KEY)

    assert "venue_key = {keyring = true}\n" == config.file.read_text()
    assert ("***", "keyring") == config.sources()["venue_key"]
    assert KEY == read_key(config)
    assert "another" == read_key(config, TICKWORK_VENUE_KEY="another")


def test_a_secret_that_is_unset_is_in_no_keyring(with_keyring: Config) -> None:
    with_keyring("set", "venue_key", typed=KEY)
    with_keyring("unset", "venue_key")

    assert "" == read_key(with_keyring)
    assert KEY not in with_keyring.keyring.read_text()


def test_no_keyring_keeps_the_secret_in_the_file(with_keyring: Config) -> None:
    with_keyring("set", "venue_key", typed=KEY)
    with_keyring("set", "venue_key", "--no-keyring", typed="another")

    assert 'venue_key = "another"\n' == with_keyring.file.read_text()
    assert KEY not in with_keyring.keyring.read_text()


def test_each_settings_file_has_its_own_secret_in_the_keyring(with_keyring: Config) -> None:
    other = {"TICKWORK_SETTINGS_FILE": str(with_keyring.file.with_name("other.toml"))}
    with_keyring("set", "venue_key", typed=KEY)
    with_keyring("set", "venue_key", typed="another", **other)

    assert (KEY, "another") == (read_key(with_keyring), read_key(with_keyring, **other))


def test_a_settings_file_that_is_a_link_stays_one(config: Config, tmp_path: Path) -> None:
    linked = tmp_path / "dotfiles" / "tickwork.toml"
    linked.parent.mkdir()
    linked.write_text("max_quantity = 2\n")
    config.file.symlink_to(linked)
    config("set", "max_quantity", "3")

    assert (True, "max_quantity = 3\n") == (config.file.is_symlink(), linked.read_text())


def test_a_locked_keyring_is_an_error_that_says_what_to_do_but_stops_no_down(with_keyring: Config) -> None:
    with_keyring("set", "venue_key", typed=KEY)
    with_keyring.keyring.with_suffix(".locked").touch()

    done = with_keyring.run("up")

    assert 1 == done.returncode
    assert "the system's keyring does not answer for venue_key (KeyringLocked: locked): unlock it" in done.stderr
    assert 0 == with_keyring.run("down").returncode
    assert 0 == with_keyring.run("logs").returncode
    assert "no stack runs in" in with_keyring.run("restart", "relay").stderr
    assert 0 == with_keyring.run("doctor", TICKWORK_INHIBIT_SLEEP="off").returncode


def test_an_invalid_file_stops_no_down_and_no_status(config: Config) -> None:
    config.file.write_text("max_quantity = 0\n")

    assert 1 == config.run("up").returncode
    assert (0, 3) == (config.run("down").returncode, config.run("status").returncode)


def read_key(config: Config, **variables: str) -> str:
    program = "from shared.config import load_settings; print(load_settings().venue.key)"
    done = subprocess.run(
        [sys.executable, "-c", program], env=config.env | variables, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
