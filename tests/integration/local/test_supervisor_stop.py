"""The end of supervised programs: stop signals, kills, children and output."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from cli.local.processes.supervisor import ChildState
from tests.fixtures.processes import until
from tests.integration.local.supervisor_env import DIES, SLEEPS, SupervisorEnv, wait_for_another_restart

# Ignores its stop signals, and prints a line once it does.
DEAF = ["sh", "-c", "trap '' TERM INT; echo deaf; while :; do sleep 1; done"]
# Starts a child, writes both pids to a file, and waits.
PARENT = ["sh", "-c", 'sleep 600 & echo "$$ $!" > "$0.new"; mv "$0.new" "$0"; wait']
# A supervisor for a test to kill; it writes the pids of its programs to a file.
SUPERVISOR = """
import sys, time
from pathlib import Path
from cli.local.processes.program import Program
from cli.local.processes.supervisor import Supervisor
folder = Path(sys.argv[1])
supervisor = Supervisor(folder, lambda line: None, lambda: None)
deaf = ["sh", "-c", "trap '' TERM INT; while :; do sleep 1; done"]
programs = [Program(name, command, {"PATH": "/usr/bin:/bin"}, lambda: True)
            for name, command in (("mild", ["sleep", "600"]), ("deaf", deaf))]
pids = [supervisor.add(program).pid for program in programs]
(folder / "new").write_text(" ".join(map(str, pids)))
(folder / "new").rename(folder / "pids")
while True:
    supervisor.step()
    time.sleep(0.05)
"""


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_program_that_ignores_its_stop_signal_is_killed_after_the_timeout(env: SupervisorEnv) -> None:
    deaf = env.run("deaf", DEAF, stop_timeout_s=0.3)
    mild = env.run("mild", SLEEPS)
    until(lambda: any("deaf" in line for line in env.lines), what="its first line")
    pid, killed = deaf.pid, []
    began = time.monotonic()
    env.supervisor.stop(["deaf", "mild"], on_kill=lambda child: killed.append((child.program.name, child.pid)))

    assert time.monotonic() - began >= 0.3
    assert [("deaf", pid)] == killed
    assert "deaf did not end within 0 s and is killed" in env.lines
    assert (None, None) == (deaf.pid, mild.pid)
    assert ChildState.STOPPED == deaf.state == mild.state


def test_a_stopped_program_stays_stopped(env: SupervisorEnv) -> None:
    child = env.run("sleeper", SLEEPS)
    env.supervisor.stop(["sleeper"])
    wait_for_another_restart(env)

    assert (None, ChildState.STOPPED, 0) == (child.pid, child.state, child.restarts)


def test_a_program_stopped_during_its_restart_pause_is_never_started(env: SupervisorEnv) -> None:
    child = env.run("weak", DIES)
    env.step_until(lambda: child.state is ChildState.BACKOFF, "its exit")
    env.supervisor.stop(["weak"])
    wait_for_another_restart(env)

    assert time.monotonic() >= child.start_at
    assert (None, ChildState.STOPPED, 0) == (child.pid, child.state, child.restarts)


@pytest.mark.parametrize("how", ["death", "stop"])
def test_grandchildren_end_with_their_parent(env: SupervisorEnv, how: str) -> None:
    file = env.folder / "family"
    child = env.run("parent", [*PARENT, str(file)])
    until(file.exists, what="the family")
    parent, grandchild = map(int, file.read_text().split())
    assert parent == child.pid
    if how == "death":
        os.kill(parent, signal.SIGKILL)
        env.step_until(lambda: child.pid != parent, "its exit")
    else:
        env.supervisor.stop(["parent"])

    until(lambda: is_gone(grandchild), what="the end of the grandchild")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_programs_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(tmp_path)]) as supervisor:
        try:
            until((tmp_path / "pids").exists, what="the programs")
            pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
            assert all(psutil.pid_exists(pid) for pid in pids)
        finally:
            supervisor.kill()

    try:
        until(lambda: all(is_gone(pid) for pid in pids), what="the end of the programs")
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_program_output_is_shown_and_logged_with_secrets_masked(env: SupervisorEnv) -> None:
    env.run("speaker", ["sh", "-c", "echo postgresql://me:hunter2@127.0.0.1/x; exec sleep 600"])
    until(lambda: bool(env.lines), what="its output")

    assert ["speaker         | postgresql://me:***@127.0.0.1/x"] == env.lines
    assert "postgresql://me:***@127.0.0.1/x\n" == (env.folder / "speaker.log").read_text()


def test_a_missing_program_is_named(env: SupervisorEnv) -> None:
    with pytest.raises(OSError, match="no-such-program"):
        env.run("nothing", ["/no-such-program"])
