"""`tickwork logs`: a program's last lines, also of the files it has begun anew from, and those that follow."""

import subprocess
import sys
from pathlib import Path

import pytest

from cli.local.home.folder import Home
from tests.fixtures.processes import clean_environment, until
from tests.integration.cli.shell import Shell


@pytest.fixture
def logs(shell: Shell) -> Path:
    home = Home(shell.home)
    home.prepare()
    (home.logs / "relay.log").write_text("".join(f"line {number}\n" for number in range(60)))
    (home.logs / "worker-high.log").write_text("")
    return home.logs


def test_the_last_lines_are_shown(shell: Shell, logs: Path) -> None:
    with (logs / "relay.log").open("a") as log:
        log.write("half a li")

    assert [f"line {number}" for number in range(10, 60)] == shell.run("logs", "relay").stdout.splitlines()
    assert ["line 58", "line 59"] == shell.run("logs", "relay", "-n", "2").stdout.splitlines()
    assert "" == shell.run("logs", "relay", "-n", "0").stdout


def test_lines_of_older_files_are_shown_before_those_of_a_short_one(shell: Shell, logs: Path) -> None:
    (logs / "relay.log").rename(logs / "relay.log.1")
    (logs / "relay.log").write_text("newest\n")

    assert ["line 59", "newest"] == shell.run("logs", "relay", "-n", "2").stdout.splitlines()


def test_an_unknown_program_is_refused_with_the_nearest(shell: Shell, logs: Path) -> None:
    assert logs.exists()
    refused = shell.run("logs", "worker-hig")

    assert (1, "tickwork: unknown program 'worker-hig': did you mean worker-high?\n") == (
        refused.status,
        refused.stderr,
    )
    assert "expected one of relay, worker-high" in shell.run("logs", "xyz").stderr


def test_before_the_first_start_no_program_is_unknown(shell: Shell) -> None:
    shown = shell.run("logs", "receiver")

    assert (0, "") == (shown.status, shown.stderr)
    assert shown.stdout.startswith("No program has written a log in ")


def test_the_logs_are_listed(shell: Shell, logs: Path) -> None:
    rows = [line.split() for line in shell.run("logs").stdout.splitlines()]

    assert ["relay", "0", str(logs / "relay.log")] in rows


def test_a_log_is_followed_also_when_it_begins_anew(shell: Shell, logs: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-u", "-m", "cli.main", "logs", "-f", "-n", "1", "relay"]
    shown = tmp_path / "shown"
    with shown.open("wb") as output:
        following = subprocess.Popen(
            command, env=clean_environment() | {"TICKWORK_HOME": str(shell.home)}, stdout=output
        )
    try:
        until(lambda: "line 59\n" == shown.read_text(), what="the last line")
        with (logs / "relay.log").open("a") as log:
            log.write("next\n")
        (logs / "relay.log").rename(logs / "relay.log.1")
        (logs / "relay.log").write_text("anew\n")
        until(lambda: shown.read_text().endswith("anew\n"), what="the line of the new file")
    finally:
        following.kill()
        following.wait()

    assert "line 59\nnext\nanew\n" == shown.read_text()
