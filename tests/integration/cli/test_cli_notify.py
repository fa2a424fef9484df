"""`tickwork notify`: channels are added, listed, tested and removed, and their URLs never shown."""

import json
from pathlib import Path

import pytest

from tests.fixtures.message_service import TOKEN, MessageService
from tests.integration.cli.test_cli_config import Config


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(tmp_path, PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring")


def listed(config: Config) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads(config.run("notify", "list", "--json").stdout)["channels"]
    return rows


def test_a_channel_is_added_listed_tested_changed_and_removed(config: Config, inbox: MessageService) -> None:
    added = config.run(
        "notify",
        "add",
        "phone",
        "--level",
        "warning",
        "--kind",
        "fill",
        "--quiet",
        "22:00-07:00",
        typed=inbox.url,
    )
    assert (0, True) == (added.returncode, "Channel phone is added." in added.stdout)
    (row,) = listed(config)
    assert ("phone", "json", "warning", ["fill"], "22:00-07:00", "America/Chicago") == tuple(
        row[name] for name in ("name", "service", "level", "kinds", "quiet", "zone")
    )
    tested = config.run("notify", "test")
    assert (0, "phone: sent.\n") == (tested.returncode, tested.stdout)
    ((title, text),) = inbox.take()
    assert "Tickwork: test" == title
    assert "It takes fill from level warning on; from 22:00-07:00 (America/Chicago) only what is critical." in text

    changed = config.run("notify", "add", "phone", "--kind", "all", typed=inbox.url)
    assert "Channel phone is changed." in changed.stdout
    assert [("phone", [])] == [(row["name"], row["kinds"]) for row in listed(config)]
    shown = "".join(config.run(*words).stdout for words in (("notify", "list"), ("config", "list"), ("config", "path")))
    assert TOKEN not in shown + added.stdout + added.stderr + changed.stdout

    assert "Channel phone is removed." in config.run("notify", "remove", "phone").stdout
    assert [] == listed(config)
    assert "notify_channels" not in config.file.read_text()


def test_a_change_of_a_channel_keeps_what_it_does_not_name(config: Config, inbox: MessageService) -> None:
    options = ("--level", "warning", "--kind", "fill", "--quiet", "22:00-07:00", "--zone", "Europe/Berlin")
    config.run("notify", "add", "phone", *options, typed=inbox.url)
    assert 0 == config.run("notify", "add", "phone", "--level", "critical", typed="").returncode
    config.run("notify", "add", "other", "--quiet", "01:00-02:00", typed=inbox.url)
    config.run("notify", "add", "other", "--quiet", "", typed=inbox.url)

    kept = {"level": "critical", "kinds": ["fill"], "quiet": "22:00-07:00", "zone": "Europe/Berlin"}
    plain: dict[str, object] = {"level": "info", "kinds": [], "quiet": None, "zone": "America/Chicago"}
    assert {"phone": kept, "other": plain} == {
        row["name"]: {name: row[name] for name in kept} for row in listed(config)
    }
    assert "phone: sent." in config.run("notify", "test", "phone").stdout


def test_a_service_that_takes_nothing_is_named_with_its_answer(config: Config, inbox: MessageService) -> None:
    inbox.status = 401
    for name in ("one", "two"):
        config.run("notify", "add", name, typed=inbox.url)
    tested = config.run("notify", "test", "one")

    assert 1 == tested.returncode
    assert "one: JSON did not take it: " in tested.stderr
    assert "two" not in tested.stderr
    assert TOKEN not in tested.stderr + tested.stdout


@pytest.mark.parametrize(
    ("words", "typed", "expected"),
    [
        (("add", "phone"), "foo://bar/secret", "the URL of channel phone names no service that Apprise knows"),
        (("add", "phone"), "tgram://secret", "names no service that Apprise knows, or lacks a part"),
        (("add", "phone"), "", "invalid URL of channel phone: expected one of Apprise"),
        (("add", "My Phone"), "ntfy://topic", "invalid channel name 'My Phone'"),
        (("add", "phone", "--quiet", "22"), "ntfy://topic", "invalid quiet hours '22'"),
        (("add", "phone", "--zone", "Mars"), "ntfy://topic", "unknown zone 'Mars'"),
        (("test", "phone"), "", "there is no channel: `tickwork notify add NAME` adds one"),
        (("remove", "phone"), "", "there is no channel"),
    ],
)
def test_bad_input_is_refused_with_what_to_do(
    config: Config, words: tuple[str, ...], typed: str, expected: str
) -> None:
    refused = config.run("notify", *words, typed=typed)

    assert (1, True) == (refused.returncode, expected in refused.stderr)
    assert "secret" not in refused.stderr
    assert not config.file.exists()


def test_a_channel_in_the_keyring_is_not_in_the_file(tmp_path: Path, inbox: MessageService) -> None:
    config = Config(tmp_path, PYTHON_KEYRING_BACKEND="tests.fixtures.file_keyring.FileKeyring")
    config.run("notify", "add", "phone", typed=inbox.url)

    assert TOKEN not in config.file.read_text()
    assert "phone: sent." in config.run("notify", "test", "phone").stdout
    assert (
        "is set in this shell"
        in config.run("notify", "add", "office", typed=inbox.url, TICKWORK_NOTIFY_CHANNELS="[]").stderr
    )
