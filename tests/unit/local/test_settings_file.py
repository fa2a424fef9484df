"""settings.toml: its values count where the environment has none, and an error names its line."""

from pathlib import Path

import pytest

from shared.config import load_settings
from shared.errors import SettingsError
from shared.setting_keys import SETTING_KEYS
from shared.settings_file import read_settings_file
from tests.fixtures.processes import clean_environment


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in clean_environment().keys() | {one.variable for one in SETTING_KEYS}:
        if name.startswith("TICKWORK") or name.endswith("_URL"):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TICKWORK_HOME", str(tmp_path))
    return tmp_path


def write(home: Path, text: str, mode: int = 0o600) -> Path:
    file = home / "settings.toml"
    file.write_text(text)
    file.chmod(mode)
    return file


def test_the_file_counts_where_the_environment_has_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, 'contracts = ["MES", "MGC"]\nmax_quantity = 3\ninhibit_sleep = false\nslots = {critical = 2}\n')
    monkeypatch.setenv("TICKWORK_MAX_QUANTITY", "7")

    found = load_settings()

    assert (("MES", "MGC"), 7, False, {"critical": 2}) == (
        found.contracts, found.max_quantity, found.inhibit_sleep, found.slots,
    )  # fmt: skip


def test_a_variable_that_is_set_to_nothing_wins_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, 'public_url = "https://alerts.example.com"\n')
    monkeypatch.setenv("TICKWORK_PUBLIC_URL", "")

    assert "" == load_settings().public_url


def test_without_a_file_the_defaults_count(home: Path) -> None:
    assert (home, 5) == (load_settings().home, load_settings().max_quantity)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\n# mine\nmax_quantity = 0\n", "line 3: invalid max_quantity '0': expected a whole number, at least 1"),
        ("max_quantitty = 3\n", "line 1: unknown setting 'max_quantitty': did you mean max_quantity?"),
        ("limits = true\nlog_level = 'LOUD'\n", "line 2: invalid log_level 'LOUD': expected one of DEBUG, INFO"),
        ("entry_ttl = 1.5\n", "line 1: invalid entry_ttl 1.5: expected a text in quotes, a whole number"),
        ("prometheus_port = 70000\n", "line 1: invalid prometheus_port '70000': expected a port, at most 65535, or 0"),
        ("limits = true\nmax_quantity 3\n", "is no valid TOML: .*line 2"),
        ("[venue]\nurl = 'https://api.topstepx.com'\n", "line 1: unknown setting 'venue'"),
        ("database_url = 'mysql://localhost/x'\n", "line 1: invalid database_url: expected a URL that starts with"),
    ],
)
def test_an_error_names_the_line_and_what_was_expected(home: Path, text: str, expected: str) -> None:
    file = write(home, text)

    with pytest.raises(SettingsError, match=expected) as raised:
        load_settings()

    assert str(file) in str(raised.value)


def test_an_error_of_the_environment_names_the_variable(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, "max_quantity = 3\n")
    monkeypatch.setenv("TICKWORK_MAX_QUANTITY", "none")

    with pytest.raises(SettingsError, match=r"^invalid TICKWORK_MAX_QUANTITY 'none'"):
        load_settings()


@pytest.mark.parametrize(
    "line",
    [
        "venue_key = 'abc'",
        "database_url = 'postgresql://me:secret@127.0.0.1/x'",
        "database_url = 'postgresql://me@127.0.0.1/x?sslmode=require&password=secret@1'",
        "redis_url = 'unix:///run/v.sock?password=secret@1'",
    ],
)
def test_a_secret_in_a_file_that_others_can_read_is_refused(home: Path, line: str) -> None:
    file = write(home, f"{line}\n", mode=0o644)

    with pytest.raises(SettingsError, match=f"others can read it: run `chmod 600 {file}`") as raised:
        load_settings()

    assert "abc" not in str(raised.value)
    assert "secret@" not in str(raised.value)


def test_every_default_of_the_list_is_the_default_of_the_programs() -> None:
    defaults = {one.variable: one.default for one in SETTING_KEYS}
    found, bare = load_settings(defaults), load_settings({})

    assert {"TICKWORK_CONTRACTS": found.contracts, "TICKWORK_SLOTS": found.slots} == {
        "TICKWORK_CONTRACTS": ("MNQ", "MES"), "TICKWORK_SLOTS": {"critical": 4, "high": 4, "normal": 4, "bulk": 8},
    }  # fmt: skip
    rest = defaults | {"TICKWORK_CONTRACTS": "", "TICKWORK_SLOTS": ""}
    assert bare == load_settings(rest)


def test_every_key_may_stand_in_the_file(home: Path) -> None:
    file = write(home, "".join(f'{one.key} = "{one.default}"\n' for one in SETTING_KEYS))

    assert {one.variable for one in SETTING_KEYS} == set(read_settings_file(file).values)
