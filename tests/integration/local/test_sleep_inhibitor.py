"""The lock against sleep: held while `up` runs by the system's own program, for which a script on the PATH stands."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cli.local.processes.sleep_inhibitor import SleepInhibitor, SleepState, describe_missing, find_command
from tests.fixtures.processes import until

# Like the real one, it runs the command behind its options and ends with it.
LOCKS = """#!/bin/sh
echo "$$ $*" > "$(dirname "$0")/called"
while case "$1" in --*) true ;; *) false ;; esac; do shift; done
"$@"
"""
DENIES = """#!/bin/sh
echo "Failed to inhibit: Access denied"
exit 1
"""
# Like the real one, it ends with the process that -w names.
CAFFEINATE = """#!/bin/sh
echo "$$ $*" > "$(dirname "$0")/called"
exec tail --pid="$4" -f /dev/null
"""
HOLDER = """
import sys, time
from cli.local.processes.sleep_inhibitor import SleepInhibitor
inhibitor = SleepInhibitor(is_wanted=True, platform=sys.argv[1])
inhibitor.start()
while True:
    inhibitor.check()
    time.sleep(0.01)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder that is first on the PATH; check that nothing is left of what was called there."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    yield tmp_path
    if (tmp_path / "called").exists():
        pid = called(tmp_path)[0]
        until(lambda: not (psutil.pid_exists(pid) and is_alive(psutil.Process(pid))), what="the end of the program")


def install(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(script)
    file.chmod(0o755)


def called(folder: Path) -> tuple[int, str]:
    """Return the process id of the program and its arguments."""
    until(lambda: (folder / "called").exists() and (folder / "called").read_text().endswith("\n"))
    pid, _, arguments = (folder / "called").read_text().strip().partition(" ")
    return int(pid), arguments


def is_alive(process: psutil.Process) -> bool:
    """Whether a process runs: one that has ended may wait for its parent to notice."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_sleep_is_inhibited_from_start_to_close(folder: Path) -> None:
    install(folder, "systemd-inhibit", LOCKS)
    inhibitor = SleepInhibitor(is_wanted=True, platform="linux")
    inhibitor.start()

    until(lambda: inhibitor.check().state is SleepState.HELD)
    pid, arguments = called(folder)
    assert "--what=sleep:idle --who=Tickwork" in arguments
    assert "--mode=block" in arguments
    children = [psutil.Process(pid), *psutil.Process(pid).children()]
    inhibitor.close()
    assert SleepState.OFF is inhibitor.check().state
    until(lambda: not any(map(is_alive, children)), what="the end of every child")


def test_on_macos_caffeinate_holds_the_lock_for_this_process(folder: Path) -> None:
    install(folder, "caffeinate", CAFFEINATE)
    inhibitor = SleepInhibitor(is_wanted=True, platform="darwin")
    inhibitor.start()

    assert f"-i -s -w {os.getpid()}" == called(folder)[1]
    assert SleepState.HELD is inhibitor.check().state
    inhibitor.close()


@pytest.mark.parametrize(
    ("platform", "name", "script"), [("linux", "systemd-inhibit", LOCKS), ("darwin", "caffeinate", CAFFEINATE)]
)
def test_the_lock_ends_with_a_killed_up(folder: Path, platform: str, name: str, script: str) -> None:
    install(folder, name, script)
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, platform])
    pid, _ = called(folder)
    children = [psutil.Process(pid), *psutil.Process(pid).children()]
    holder.send_signal(signal.SIGKILL)
    holder.wait()

    until(lambda: not any(map(is_alive, children)), what="the end of every child")


def test_a_refusal_of_the_system_is_the_reason(folder: Path) -> None:
    install(folder, "systemd-inhibit", DENIES)
    inhibitor = SleepInhibitor(is_wanted=True, platform="linux")
    inhibitor.start()

    until(lambda: inhibitor.check().state is SleepState.FAILED)
    assert "Failed to inhibit: Access denied" == inhibitor.check().reason


def test_a_lock_that_is_lost_later_shows(folder: Path) -> None:
    install(folder, "systemd-inhibit", LOCKS)
    inhibitor = SleepInhibitor(is_wanted=True, platform="linux")
    inhibitor.start()
    until(lambda: inhibitor.check().state is SleepState.HELD)
    os.kill(called(folder)[0], signal.SIGKILL)

    until(lambda: inhibitor.check().state is SleepState.FAILED)
    assert "its program has ended" == inhibitor.check().reason


def test_nothing_is_called_when_the_setting_is_off(folder: Path) -> None:
    install(folder, "systemd-inhibit", LOCKS)
    inhibitor = SleepInhibitor(is_wanted=False, platform="linux")
    inhibitor.start()

    assert SleepState.OFF is inhibitor.check().state
    inhibitor.close()
    assert not (folder / "called").exists()


def test_a_system_without_the_program_says_which(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    inhibitor = SleepInhibitor(is_wanted=True, platform="linux")
    inhibitor.start()

    assert find_command("linux") is None is find_command("darwin")
    assert (SleepState.FAILED, "systemd-inhibit is not installed") == (
        inhibitor.check().state,
        inhibitor.check().reason,
    )
    assert "caffeinate is not installed" == describe_missing("darwin")
