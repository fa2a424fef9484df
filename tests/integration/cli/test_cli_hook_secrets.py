"""`tickwork hooks secret`: a secret is shown once, several are valid at a time, and none is in an argument."""

import io
import json
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from shared.db.engine import make_engine
from shared.db.upkeep.retention import delete_old
from shared.domain.alerts.signing_secret import SignatureScheme, read_signing_secret
from tests.fixtures.processes import until
from tests.fixtures.receiver_process import ENTRY, ReceiverProcess
from tests.fixtures.signed_hook import KEY, SignedHook
from tests.integration.cli.shell import Done, Shell

pytest_plugins = ("tests.fixtures.receiver",)


class SecretShell:
    """Runs `tickwork hooks secret ...` on the stack of a receiver."""

    def __init__(self, shell: Shell, receiver: ReceiverProcess) -> None:
        self._shell = shell
        self._env = {"DATABASE_URL": receiver.database_url, "TICKWORK_RECEIVER_URL": receiver.url}

    def run(self, *words: str) -> Done:
        return self._shell.run("hooks", "secret", *words, **self._env)

    def json(self, *words: str, expected: int = 0) -> Any:
        return self._shell.json("hooks", "secret", *words, expected=expected, **self._env)


@pytest.fixture
def hook_secret(shell: Shell, receiver: ReceiverProcess) -> SecretShell:
    return SecretShell(shell, receiver)


def test_a_new_secret_signs_alerts_until_it_is_removed_and_another_one_meanwhile(
    receiver: ReceiverProcess, hook_secret: SecretShell
) -> None:
    hook = SignedHook(receiver)
    old, new = (hook_secret.json("add", "first", "--scheme", "standard-webhooks") for _ in range(2))
    keys = [read_signing_secret(SignatureScheme.STANDARD_WEBHOOKS, one["secret"].encode()) for one in (old, new)]
    receiver.wait_for_cache()

    assert f"{receiver.url}/hooks/v1/{hook.id}" == old["url"] == new["url"]
    assert [32, 32] == [len(key) for key in keys]
    assert [202, 202] == [hook.post(ENTRY, id_=str(number), key=key).status_code for number, key in enumerate(keys)]

    assert {"removed": old["id"], "keep_s": 0} == hook_secret.json("remove", "first", old["id"][-8:])
    until(lambda: hook.post(ENTRY, key=keys[0]).status_code == 401, what="the end of the old secret")
    assert 202 == hook.post(ENTRY, key=keys[1]).status_code


def test_a_secret_is_shown_once_with_its_url(receiver: ReceiverProcess, hook_secret: SecretShell) -> None:
    shown = hook_secret.run("add", "first", "--scheme", "github").stdout

    (secret,) = re.findall(r"^  ([0-9a-f]{64})$", shown, re.MULTILINE)
    assert f"  {receiver.url}/hooks/v1/" in shown
    (listed,) = hook_secret.json("list", "first")["secrets"]
    assert ("github", None) == (listed["scheme"], listed["expires_at"])
    for output in (hook_secret.run("list", "first").stdout, json.dumps(listed)):
        assert "github" in output
        assert secret not in output
    assert [(secret.encode(),)] == receiver.rows("SELECT secret FROM hook_secret")


@pytest.mark.parametrize("source", ["file", "stdin"])
def test_a_given_secret_is_read_from_a_file_and_not_shown(
    receiver: ReceiverProcess,
    hook_secret: SecretShell,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(KEY + b"\r\n")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes())))
    words = ("add", "first", "--scheme", "stripe", "--secret-file", str(file) if source == "file" else "-")

    added = hook_secret.json(*words)

    assert {"id", "scheme", "url", "warning", "secret"} == added.keys()
    assert (None, None) == (added["warning"], added["secret"])
    assert [(KEY,)] == receiver.rows("SELECT secret FROM hook_secret")
    assert KEY.decode() not in hook_secret.run(*words[:-1], str(file)).stdout


def test_a_given_secret_that_its_scheme_does_not_have_is_refused_without_being_shown(
    receiver: ReceiverProcess, hook_secret: SecretShell, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    for written in ("whsec_c2hvcnQ=", "whsec_no-base64", "no-prefix"):
        file.write_text(written)
        refused = hook_secret.json(
            "add", "first", "--scheme", "standard-webhooks", "--secret-file", str(file), expected=1
        )
        assert "expected whsec_ and the base64 of 24 to 64 bytes" in refused["error"]
        assert written not in refused["error"]
    assert 0 == receiver.count("hook_secret")


def test_a_secret_that_ends_later_is_listed_with_its_end_and_then_deleted(
    receiver: ReceiverProcess, hook_secret: SecretShell
) -> None:
    old = hook_secret.json("add", "first", "--scheme", "github")
    ending = hook_secret.run("remove", "first", old["id"], "--keep", "3600").stdout

    assert f"Secret {old['id']} of hook first ends in 3600 s." in ending
    assert "The hook has no other" in ending
    (listed,) = hook_secret.json("list", "first")["secrets"]
    assert listed["expires_at"] is not None
    receiver.execute("UPDATE hook_secret SET expires_at = now()")
    assert [] == hook_secret.json("list", "first")["secrets"]
    new = hook_secret.json("add", "first", "--scheme", "github")
    assert [(new["id"],)] == receiver.rows("SELECT id::text FROM hook_secret")


def test_a_secret_ends_with_its_hook(receiver: ReceiverProcess, hook_secret: SecretShell, shell: Shell) -> None:
    receiver.add_hook("other")
    for name in ("first", "other"):
        hook_secret.json("add", name, "--scheme", "github")

    assert 0 == shell.run("hooks", "remove", "first", "--yes", DATABASE_URL=receiver.database_url).status

    assert [("other",)] == receiver.rows("SELECT name FROM hook_secret JOIN hook ON hook.id = hook_id")


def test_the_upkeep_deletes_secrets_that_no_request_can_be_signed_with_any_more(
    receiver: ReceiverProcess, hook_secret: SecretShell
) -> None:
    receiver.add_hook("removed")
    for name in ("first", "first", "first", "removed"):
        hook_secret.json("add", name, "--scheme", "github")
    expired, ending, valid = (one["id"] for one in hook_secret.json("list", "first")["secrets"])
    receiver.execute(f"UPDATE hook_secret SET expires_at = now() - interval '1 s' WHERE id = '{expired}'")
    receiver.execute(f"UPDATE hook_secret SET expires_at = now() + interval '1 h' WHERE id = '{ending}'")
    receiver.remove_hook("removed")
    engine = make_engine(receiver.database_url, program="test")

    deleted = dict(delete_old(engine, ["upkeep.canary"]))

    engine.dispose()
    assert 2 == deleted["hook_secret"]
    assert [(ending,), (valid,)] == receiver.rows("SELECT id::text FROM hook_secret ORDER BY id")


def test_an_unknown_or_removed_hook_or_secret_is_named(receiver: ReceiverProcess, hook_secret: SecretShell) -> None:
    unknown = uuid4()
    assert "hook first has no secret" in hook_secret.json("remove", "first", str(unknown), expected=1)["error"]
    receiver.remove_hook("first")

    for words in (("add", "first", "--scheme", "github"), ("list", "first"), ("remove", "first", str(unknown))):
        assert "hook 'first' was removed at" in hook_secret.json(*words, expected=1)["error"]


def test_no_secrets_are_listed_with_the_command_that_adds_one(hook_secret: SecretShell) -> None:
    shown = " ".join(hook_secret.run("list", "first").stdout.split())

    assert "tickwork hooks secret add first --scheme standard-webhooks" in shown
