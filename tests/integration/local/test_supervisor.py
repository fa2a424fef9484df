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
class Shop:
    """A supervisor, what it said, and what is running in it."""

    folder: Path
    said: list[str] = field(default_factory=list)
    changes: int = 0

    def __post_init__(self) -> None:
        self.supervisor = Supervisor(self.folder, self.said.append, self._note)

    def _note(self) -> None:
        self.changes += 1

    def run(
        self, name: str, command: list[str], *, is_ready: Callable[[], bool] = lambda: True, **more: float
    ) -> Child:
        """Start a program that is ready at once, unless said."""
        environment = {"PATH": os.environ["PATH"]}
        return self.supervisor.add(
            Program(name, command, environment, is_ready, stop_timeout_s=more.get("timeout_s", 3.0))
        )

    def look_until(self, condition: Callable[[], bool], what: str) -> None:
        """Look as `up` does until the condition holds."""

        def look() -> bool:
            self.supervisor.step()
            return condition()

        until(look, 60, what)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    shop.supervisor.stop([child.program.name for child in shop.supervisor.children])
    shop.supervisor.close()


def look_until_others_have_died_and_come_back(shop: Shop) -> None:
    """Give the supervisor every occasion to start something: one that dies later is restarted after its pause."""
    other = shop.run("other", DIES)
    shop.look_until(lambda: other.restarts >= 1, "the other's restart")


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_killed_program_is_started_again_as_another_process(shop: Shop) -> None:
    child = shop.run("sleeper", SLEEPS)
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    shop.look_until(lambda: child.pid not in {first, None}, "another process")

    assert 1 == child.restarts
    assert "sleeper ended with signal SIGKILL, it starts again in 0.2 s" in shop.said
    shop.look_until(lambda: child.state is ChildState.RUNNING, "readiness")


def test_a_program_that_keeps_dying_waits_twice_as_long_each_time_up_to_three_seconds(shop: Shop) -> None:
    pauses: list[float] = []
    starts_too_early: list[int] = []
    child = shop.run("weak", DIES)

    def six_deaths() -> bool:
        before = time.monotonic()
        shop.supervisor.step()
        if len(shop.said) > len(pauses):
            pauses.append(child.start_at - before)
            restarts, due_at = child.restarts, child.start_at
            shop.supervisor.step()
            if child.restarts > restarts and time.monotonic() < due_at:
                starts_too_early.append(child.restarts)
            child.start_at = time.monotonic()  # as if the pause were over
        return len(pauses) == 6

    until(six_deaths, 60, "six deaths")

    least = [0.2, 0.4, 0.8, 1.6, 3.0, 3.0]
    assert [f"weak ended with status 3, it starts again in {pause} s" for pause in least] == shop.said
    assert all(pause >= expected for pause, expected in zip(pauses, least, strict=True))
    assert [] == starts_too_early


def test_a_program_is_not_started_before_its_pause_has_passed(shop: Shop) -> None:
    child = shop.run("weak", DIES)
    shop.look_until(lambda: child.state is ChildState.BACKOFF, "its death")

    assert child.pid is None
    assert child.start_at - time.monotonic() <= 0.2
    shop.supervisor.step()
    assert (0, None) == (child.restarts, child.pid) or time.monotonic() >= child.start_at


def test_a_program_that_stayed_healthy_for_long_is_forgiven_its_deaths(shop: Shop) -> None:
    child = shop.run("sleeper", SLEEPS)
    shop.look_until(lambda: child.state is ChildState.RUNNING, "readiness")
    child.pause_s = 3.0
    shop.supervisor.step()
    assert 3.0 == child.pause_s

    child.started_at -= 11
    shop.supervisor.step()
    assert 0.2 == child.pause_s


def test_a_probe_that_answers_late_does_not_undo_the_death_noted_meanwhile(shop: Shop) -> None:
    asked, may_answer = threading.Event(), threading.Event()

    def slow() -> bool:
        asked.set()
        return may_answer.wait(30)

    child = shop.run("slow", SLEEPS, is_ready=slow)
    assert asked.wait(30)
    assert child.process is not None
    child.process.kill()
    shop.look_until(lambda: child.state is ChildState.BACKOFF, "its death")
    seen = child.state
    may_answer.set()
    shop.supervisor.close()  # returns when the probe has ended

    assert ChildState.BACKOFF == seen == child.state


def test_a_probe_that_answers_late_does_not_speak_for_the_next_process(shop: Shop) -> None:
    asked, may_answer, probes = threading.Event(), threading.Event(), []

    def ready_the_first_time_only() -> bool:
        probes.append(1)
        if len(probes) > 1:
            return False
        asked.set()
        return may_answer.wait(30)

    child = shop.run("slow", SLEEPS, is_ready=ready_the_first_time_only)
    assert asked.wait(30)
    assert child.process is not None
    child.process.kill()
    shop.look_until(lambda: child.restarts == 1, "another process")
    may_answer.set()
    until(lambda: len(probes) > 2, what="probes of the next process")

    assert ChildState.STARTING == child.state


def test_a_running_program_whose_probe_fails_is_starting_again_but_not_restarted(shop: Shop) -> None:
    is_well = threading.Event()
    is_well.set()
    child = shop.run("moody", SLEEPS, is_ready=is_well.is_set)
    pid = child.pid
    shop.look_until(lambda: child.state is ChildState.RUNNING, "readiness")
    is_well.clear()
    shop.look_until(lambda: child.state is ChildState.STARTING, "the failed probe")
    is_well.set()
    shop.look_until(lambda: child.state is ChildState.RUNNING, "readiness again")

    assert (pid, 0) == (child.pid, child.restarts)


def test_a_probe_that_raises_does_not_end_the_probing_of_the_others(shop: Shop) -> None:
    def broken() -> bool:
        raise OSError("no route to this computer")

    broken_one = shop.run("broken", SLEEPS, is_ready=broken)
    other = shop.run("other", SLEEPS)
    shop.look_until(lambda: other.state is ChildState.RUNNING, "the other's readiness")

    assert ChildState.STARTING == broken_one.state
    assert any("broken cannot be checked: OSError" in line for line in shop.said)


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-stranger\r\n", b"HTTP/1.1 503 Away\r\n\r\n", b"HTTP/1.1 200" + b"0" * 99]
)
def test_a_stranger_on_a_programs_port_is_not_taken_for_the_program(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def speak() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        stranger = threading.Thread(target=speak)
        stranger.start()
        assert not answers_http(f"http://127.0.0.1:{listener.getsockname()[1]}/health")
        stranger.join()


def test_waiting_ends_when_all_run_when_time_is_over_and_when_interrupted(shop: Shop) -> None:
    never = shop.run("never", SLEEPS, is_ready=lambda: False)
    good = shop.run("good", SLEEPS)

    assert shop.supervisor.wait_for([good], 30, lambda: False)
    assert not shop.supervisor.wait_for([good, never], 0.1, lambda: False)
    assert not shop.supervisor.wait_for([never], 600, lambda: True)


def test_a_program_that_is_deaf_to_its_stop_signal_is_killed_when_patience_is_over(shop: Shop) -> None:
    deaf = shop.run("deaf", DEAF, stop_timeout_s=0.3)
    mild = shop.run("mild", SLEEPS)
    until(lambda: any("deaf" in line for line in shop.said), what="its first word")
    pid, killed = deaf.pid, []
    began = time.monotonic()
    shop.supervisor.stop(["deaf", "mild"], on_kill=lambda child, pid: killed.append((child.program.name, pid)))

    assert time.monotonic() - began >= 0.3
    assert [("deaf", pid)] == killed
    assert "deaf did not end within 0 s and is killed" in shop.said
    assert (None, None) == (deaf.pid, mild.pid)
    assert ChildState.STOPPED == deaf.state == mild.state


def test_what_was_stopped_stays_stopped(shop: Shop) -> None:
    child = shop.run("sleeper", SLEEPS)
    shop.supervisor.stop(["sleeper"])
    look_until_others_have_died_and_come_back(shop)

    assert (None, ChildState.STOPPED, 0) == (child.pid, child.state, child.restarts)


def test_a_program_stopped_while_it_waits_for_its_restart_is_never_started(shop: Shop) -> None:
    child = shop.run("weak", DIES)
    shop.look_until(lambda: child.state is ChildState.BACKOFF, "its death")
    shop.supervisor.stop(["weak"])
    look_until_others_have_died_and_come_back(shop)

    assert time.monotonic() >= child.start_at
    assert (None, ChildState.STOPPED, 0) == (child.pid, child.state, child.restarts)


@pytest.mark.parametrize("how", ["death", "stop"])
def test_grandchildren_end_with_their_parent(shop: Shop, how: str) -> None:
    file = shop.folder / "family"
    child = shop.run("parent", [*PARENT, str(file)])
    until(file.exists, what="the family")
    parent, grandchild = map(int, file.read_text().split())
    assert parent == child.pid
    if how == "death":
        os.kill(parent, signal.SIGKILL)
        shop.look_until(lambda: child.pid != parent, "its death")
    else:
        shop.supervisor.stop(["parent"])

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


def test_what_a_program_says_is_shown_and_kept_with_its_secrets_masked(shop: Shop) -> None:
    shop.run("speaker", ["sh", "-c", "echo postgresql://me:hunter2@127.0.0.1/x; exec sleep 600"])
    until(lambda: bool(shop.said), what="its word")

    assert ["speaker         | postgresql://me:***@127.0.0.1/x"] == shop.said
    assert "postgresql://me:***@127.0.0.1/x\n" == (shop.folder / "speaker.log").read_text()


def test_a_program_that_is_not_there_is_named(shop: Shop) -> None:
    with pytest.raises(OSError, match="no-such-program"):
        shop.run("nothing", ["/no-such-program"])
