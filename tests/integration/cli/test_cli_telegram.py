"""`tickwork telegram` and the check of `doctor`: what is set, who is paired, and why no commands are taken."""

from pathlib import Path

import pytest

from tests.fixtures.operator import RunCommand
from tests.fixtures.telegram_bot import Person
from tests.fixtures.telegram_service import BOT_ID, TOKEN
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.cli.doctor_checks import run_doctor
from tests.integration.cli.test_cli_config import Config

SECRET_PART = TOKEN.partition(":")[2]


@pytest.mark.parametrize("backend", ["keyring.backends.fail.Keyring", "tests.fixtures.file_keyring.FileKeyring"])
def test_the_token_is_kept_with_the_other_credentials_and_shown_nowhere(tmp_path: Path, backend: str) -> None:
    config = Config(tmp_path, PYTHON_KEYRING_BACKEND=backend)
    done = config.run("telegram", "setup", typed=f"{TOKEN}\n")
    listed = config.run("config", "list")

    assert (0, True) == (done.returncode, "The bot is set." in done.stdout)
    assert ("fail" in backend) == (TOKEN in config.file.read_text())
    assert 0o600 == config.file.stat().st_mode & 0o777
    assert "telegram_token" in listed.stdout
    assert SECRET_PART not in done.stdout + done.stderr + listed.stdout + listed.stderr
    assert 0 == config.run("config", "unset", "telegram_token").returncode


@pytest.mark.parametrize("typed", ["", "secret", "123456:short", f"{TOKEN}/getMe?x"])
def test_what_is_no_token_is_refused_and_not_shown(tmp_path: Path, typed: str) -> None:
    config = Config(tmp_path, PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring")
    refused = config.run("telegram", "setup", typed=typed)

    assert 1 == refused.returncode
    assert "expected the" in refused.stderr
    assert "secret" not in refused.stderr


@pytest.mark.parametrize("url", ["http://api.telegram.org", "ftp://api.telegram.org", "https://a/b?c", "nothing"])
def test_the_bots_token_is_sent_by_https_alone(tmp_path: Path, url: str) -> None:
    config = Config(tmp_path)
    assert "invalid telegram_url" in config.run("config", "set", "telegram_url", url).stderr


@pytest.mark.parametrize("name", ["Anna", "a b", "", "a" * 33, "anna;drop"])
def test_a_name_that_the_audit_cannot_show_is_refused(operator: RunCommand, name: str) -> None:
    assert (1, True) == ((done := operator("telegram", "add-user", name)).status, "invalid name" in done.error)


def test_a_user_is_added_listed_and_removed_and_the_secret_shown_once(
    operator: RunCommand, worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = operator("telegram", "add-user", "anna")
    ((secret,),) = worker_env.rows("SELECT totp_secret FROM telegram_user")
    assert f"otpauth://totp/Tickwork:anna?secret={secret}&issuer=Tickwork" in added.out
    assert "No bot takes it yet: `tickwork telegram setup`" in added.words
    monkeypatch.setenv("TICKWORK_TELEGRAM_TOKEN", TOKEN)
    with_bot = operator("telegram", "add-user", "anna")
    ((secret,),) = worker_env.rows("SELECT totp_secret FROM telegram_user")
    assert "what was shown before for this name is void" in with_bot.words
    assert "No bot" not in with_bot.words
    shown = operator("telegram", "users")
    assert "not paired" in shown.words
    assert secret not in shown.words + operator("telegram", "users", "--json").out
    assert 0 == operator("telegram", "remove-user", "anna").status
    audited = worker_env.rows("SELECT act, before, after FROM audit ORDER BY id")
    assert ["telegram_add", "telegram_add", "telegram_remove"] == [act for act, *_ in audited]
    assert {"name": "anna"} == audited[0][2] == audited[2][1]


def check(operator: RunCommand, worker_env: WorkerEnv, token: str = TOKEN) -> tuple[str, str]:
    found = run_doctor(operator, worker_env, TICKWORK_TELEGRAM_TOKEN=token)["telegram"]
    assert SECRET_PART not in found["detail"]
    return found["state"], found["detail"]


def test_doctor_says_whether_commands_are_taken_and_of_whom(
    operator: RunCommand, worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ("fine", "off, as no bot is set: `tickwork telegram setup` sets one") == check(operator, worker_env, "")
    assert "the running stack does not know that" in check(operator, worker_env)[1]
    monkeypatch.setenv("TICKWORK_TELEGRAM_TOKEN", TOKEN)
    assert "has not asked Telegram for commands yet" in check(operator, worker_env)[1]
    worker_env.execute(f"INSERT INTO telegram_bot (bot_id, polled_at) VALUES ({BOT_ID}, now() - interval '5 min')")
    assert "has not asked Telegram for commands for 5" in check(operator, worker_env)[1]
    worker_env.execute(
        "UPDATE telegram_bot SET polled_at = now(), failing_since_at = now(), error = 'Telegram answered 409'"
    )
    state, told = check(operator, worker_env)
    assert ("warning", True) == (state, told.endswith("UTC: Telegram answered 409"))
    worker_env.execute("UPDATE telegram_bot SET error = NULL, failing_since_at = NULL")
    assert "no user is paired with the bot" in check(operator, worker_env)[1]


def test_doctor_names_who_is_locked(
    operator: RunCommand, worker_env: WorkerEnv, anna: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICKWORK_TELEGRAM_TOKEN", TOKEN)
    worker_env.execute(f"INSERT INTO telegram_bot (bot_id, polled_at) VALUES ({BOT_ID}, now())")
    assert ("fine", "takes commands of 1 user") == check(operator, worker_env)
    worker_env.execute("UPDATE telegram_user SET locked_until_at = now() + interval '1 min'")
    assert f"locked after wrong codes: {anna.name}" in check(operator, worker_env)[1]
