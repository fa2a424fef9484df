"""The supervisor with real programs: deaths, restarts, stops, and what is left behind: nothing."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from cli.local.processes.program import Program
from cli.local.processes.readiness import answers_http
from cli.local.processes.supervisor import Child, ChildState, Supervisor
from tests.fixtures.processes import until

SLEEPS = ["sleep", "600"]
DIES = ["sh", "-c", "exit 3"]
# Says that it is deaf before it is asked anything.
DEAF = ["sh", "-c", "trap '' TERM INT; echo deaf; while :; do sleep 1; done"]
# Has a child of its own, writes both pids down, and waits.
PARENT = ["sh", "-c", 'sleep 600 & echo "$$ $!" > "$0.new"; mv "$0.new" "$0"; wait']
# A supervisor to be killed: it writes the pids of its programs down.
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


@dataclass
class SupervisorEnv:
    """A supervisor, what it said, and what is running in it."""

    folder: Path
    lines: list[str] = field(default_factory=list)
    changes: int = 0

    def __post_init__(self) -> None:
        self.supervisor = Supervisor(self.folder, self.lines.append, self._count_change)

    def _count_change(self) -> None:
        self.changes += 1

    def run(
        self, name: str, command: list[str], *, is_ready: Callable[[], bool] = lambda: True, **more: float
    ) -> Child:
        """Start a program that is ready at once, unless said."""
        environment = {"PATH": os.environ["PATH"]}
        return self.supervisor.add(
            Program(name, command, environment, is_ready, stop_timeout_s=more.get("timeout_s", 3.0))
        )

    def step_until(self, condition: Callable[[], bool], expected: str) -> None:
        """Look as `up` does until the condition holds."""

        def step() -> bool:
            self.supervisor.step()
            return condition()

        until(step, 60, expected)


@pytest.fixture
def env(tmp_path: Path) -> Iterator[SupervisorEnv]:
    env = SupervisorEnv(tmp_path)
    yield env
    env.supervisor.stop([child.program.name for child in env.supervisor.children])
    env.supervisor.close()


def wait_for_another_restart(env: SupervisorEnv) -> None:
    """Give the supervisor every occasion to start something: one that dies later is restarted after its pause."""
    other = env.run("other", DIES)
    env.step_until(lambda: other.restarts >= 1, "the other's restart")


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_killed_program_is_restarted_as_a_new_process(env: SupervisorEnv) -> None:
    child = env.run("sleeper", SLEEPS)
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    env.step_until(lambda: child.pid not in {first, None}, "another process")

    assert 1 == child.restarts
    assert "sleeper ended with signal SIGKILL, it starts again in 0.2 s" in env.lines
    env.step_until(lambda: child.state is ChildState.RUNNING, "readiness")


def test_the_restart_pause_doubles_up_to_three_seconds(env: SupervisorEnv) -> None:
    pauses: list[float] = []
    starts_too_early: list[int] = []
    child = env.run("weak", DIES)

    def six_deaths() -> bool:
        before = time.monotonic()
        env.supervisor.step()
        if len(env.lines) > len(pauses):
            pauses.append(child.start_at - before)
            restarts, due_at = child.restarts, child.start_at
            env.supervisor.step()
            if child.restarts > restarts and time.monotonic() < due_at:
                starts_too_early.append(child.restarts)
            child.start_at = time.monotonic()  # as if the pause were over
        return len(pauses) == 6

    until(six_deaths, 60, "six deaths")

    least = [0.2, 0.4, 0.8, 1.6, 3.0, 3.0]
    assert [f"weak ended with status 3, it starts again in {pause} s" for pause in least] == env.lines
    assert all(pause >= expected for pause, expected in zip(pauses, least, strict=True))
    assert [] == starts_too_early


def test_a_program_is_not_restarted_before_its_pause_is_over(env: SupervisorEnv) -> None:
    child = env.run("weak", DIES)
    env.step_until(lambda: child.state is ChildState.BACKOFF, "its death")

    assert child.pid is None
    assert child.start_at - time.monotonic() <= 0.2
    env.supervisor.step()
    assert (0, None) == (child.restarts, child.pid) or time.monotonic() >= child.start_at


def test_a_long_healthy_run_resets_the_restart_pause(env: SupervisorEnv) -> None:
    child = env.run("sleeper", SLEEPS)
    env.step_until(lambda: child.state is ChildState.RUNNING, "readiness")
    child.pause_s = 3.0
    env.supervisor.step()
    assert 3.0 == child.pause_s

    child.started_at -= 11
    env.supervisor.step()
    assert 0.2 == child.pause_s


def test_a_late_probe_does_not_undo_a_recorded_exit(env: SupervisorEnv) -> None:
    asked, may_answer = threading.Event(), threading.Event()

    def slow() -> bool:
        asked.set()
        return may_answer.wait(30)

    child = env.run("slow", SLEEPS, is_ready=slow)
    assert asked.wait(30)
    assert child.process is not None
    child.process.kill()
    env.step_until(lambda: child.state is ChildState.BACKOFF, "its death")
    seen = child.state
    may_answer.set()
    env.supervisor.close()  # returns when the probe has ended

    assert ChildState.BACKOFF == seen == child.state


def test_a_late_probe_does_not_count_for_the_next_process(env: SupervisorEnv) -> None:
    asked, may_answer, probes = threading.Event(), threading.Event(), []

    def ready_the_first_time_only() -> bool:
        probes.append(1)
        if len(probes) > 1:
            return False
        asked.set()
        return may_answer.wait(30)

    child = env.run("slow", SLEEPS, is_ready=ready_the_first_time_only)
    assert asked.wait(30)
    assert child.process is not None
    child.process.kill()
    env.step_until(lambda: child.restarts == 1, "another process")
    may_answer.set()
    until(lambda: len(probes) > 2, expected="probes of the next process")

    assert ChildState.STARTING == child.state


def test_a_failed_probe_changes_the_state_without_a_restart(env: SupervisorEnv) -> None:
    is_healthy = threading.Event()
    is_healthy.set()
    child = env.run("moody", SLEEPS, is_ready=is_healthy.is_set)
    pid = child.pid
    env.step_until(lambda: child.state is ChildState.RUNNING, "readiness")
    is_healthy.clear()
    env.step_until(lambda: child.state is ChildState.STARTING, "the failed probe")
    is_healthy.set()
    env.step_until(lambda: child.state is ChildState.RUNNING, "readiness again")

    assert (pid, 0) == (child.pid, child.restarts)


def test_a_raising_probe_does_not_end_the_other_probes(env: SupervisorEnv) -> None:
    def broken() -> bool:
        raise OSError("no route to this computer")

    broken_one = env.run("broken", SLEEPS, is_ready=broken)
    other = env.run("other", SLEEPS)
    env.step_until(lambda: other.state is ChildState.RUNNING, "the other's readiness")

    assert ChildState.STARTING == broken_one.state
    assert any("broken cannot be checked: OSError" in line for line in env.lines)


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-stranger\r\n", b"HTTP/1.1 503 Away\r\n\r\n", b"HTTP/1.1 200" + b"0" * 99]
)
def test_another_program_on_the_port_does_not_pass_the_readiness_check(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def speak() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        other_program = threading.Thread(target=speak)
        other_program.start()
        assert not answers_http(f"http://127.0.0.1:{listener.getsockname()[1]}/health")
        other_program.join()


def test_wait_for_ends_on_readiness_timeout_or_interrupt(env: SupervisorEnv) -> None:
    never = env.run("never", SLEEPS, is_ready=lambda: False)
    good = env.run("good", SLEEPS)

    assert env.supervisor.wait_for([good], 30, lambda: False)
    assert not env.supervisor.wait_for([good, never], 0.1, lambda: False)
    assert not env.supervisor.wait_for([never], 600, lambda: True)


def test_a_program_that_ignores_its_stop_signal_is_killed_after_the_timeout(env: SupervisorEnv) -> None:
    deaf = env.run("deaf", DEAF, stop_timeout_s=0.3)
    mild = env.run("mild", SLEEPS)
    until(lambda: any("deaf" in line for line in env.lines), expected="its first word")
    pid, killed = deaf.pid, []
    began = time.monotonic()
    env.supervisor.stop(["deaf", "mild"], on_kill=lambda child, pid: killed.append((child.program.name, pid)))

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
    env.step_until(lambda: child.state is ChildState.BACKOFF, "its death")
    env.supervisor.stop(["weak"])
    wait_for_another_restart(env)

    assert time.monotonic() >= child.start_at
    assert (None, ChildState.STOPPED, 0) == (child.pid, child.state, child.restarts)


@pytest.mark.parametrize("how", ["death", "stop"])
def test_grandchildren_end_with_their_parent(env: SupervisorEnv, how: str) -> None:
    file = env.folder / "family"
    child = env.run("parent", [*PARENT, str(file)])
    until(file.exists, expected="the family")
    parent, grandchild = map(int, file.read_text().split())
    assert parent == child.pid
    if how == "death":
        os.kill(parent, signal.SIGKILL)
        env.step_until(lambda: child.pid != parent, "its death")
    else:
        env.supervisor.stop(["parent"])

    until(lambda: is_gone(grandchild), expected="the end of the grandchild")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_programs_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(tmp_path)]) as supervisor:
        try:
            until((tmp_path / "pids").exists, expected="the programs")
            pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
            assert all(psutil.pid_exists(pid) for pid in pids)
        finally:
            supervisor.kill()

    try:
        until(lambda: all(is_gone(pid) for pid in pids), expected="the end of the programs")
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_program_output_is_shown_and_logged_with_secrets_masked(env: SupervisorEnv) -> None:
    env.run("speaker", ["sh", "-c", "echo postgresql://me:hunter2@127.0.0.1/x; exec sleep 600"])
    until(lambda: bool(env.lines), expected="its word")

    assert ["speaker         | postgresql://me:***@127.0.0.1/x"] == env.lines
    assert "postgresql://me:***@127.0.0.1/x\n" == (env.folder / "speaker.log").read_text()


def test_a_missing_program_is_named(env: SupervisorEnv) -> None:
    with pytest.raises(OSError, match="no-such-program"):
        env.run("nothing", ["/no-such-program"])
