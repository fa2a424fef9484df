"""Programs that the supervisor forks from a process which has imported them behave as those that it executes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cli.local.processes.forked import IS_POSSIBLE
from cli.local.processes.supervisor import ChildState
from tests.fixtures.processes import until
from tests.integration.local.supervisor_env import SupervisorEnv

pytestmark = pytest.mark.skipif(not IS_POSSIBLE, reason="only Linux lets programs fork")

SERVES = [sys.executable, "-m", "http.server", "0", "--bind", "127.0.0.1"]
ENDS = [sys.executable, "-m", "platform"]
# A supervisor for a test to kill; it writes the pid of its newest program to a file, and adds one for a file `more`.
SUPERVISOR = f"""
import sys, time
from pathlib import Path
from cli.local.processes.forked import begin_to_load
from cli.local.processes.program import Program
from cli.local.processes.supervisor import Supervisor
begin_to_load()
folder = Path(sys.argv[1])
supervisor = Supervisor(folder, lambda line: print(line, flush=True), lambda: None)
def add(name):
    program = Program(name, {SERVES!r}, {{"PATH": "/usr/bin:/bin"}}, lambda: True, is_forked=True)
    return supervisor.add(program)
child = add("server")
while True:
    supervisor.step()
    if (folder / "more").exists() and child.program.name == "server":
        child = add("second")
    (folder / "new").write_text(str(child.pid or ""))
    (folder / "new").rename(folder / "pid")
    time.sleep(0.05)
"""


@pytest.fixture
def supervisor(tmp_path: Path) -> "Iterator[subprocess.Popen[bytes]]":
    with (
        (tmp_path / "said").open("wb") as said,
        subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(tmp_path)], stdout=said) as process,
    ):
        yield process
        process.kill()


def read_pid(folder: Path) -> int | None:
    file = folder / "pid"
    return int(file.read_text() or 0) or None if file.exists() else None


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_its_output_is_logged_and_its_exit_recorded(env: SupervisorEnv) -> None:
    child = env.run("ends", ENDS, is_forked=True)
    env.step_until(lambda: child.state is ChildState.BACKOFF, "its exit")
    until(lambda: any("Linux" in line for line in env.lines), what="its output")

    assert "ends ended with status 0, restart in 0.2 s" in env.lines


def test_a_program_that_was_imported_before_the_fork_starts_without_a_warning(tmp_path: Path) -> None:
    program = SUPERVISOR.replace(f"{SERVES!r}", f"{[sys.executable, '-m', 'workers.direct']!r}")
    said = tmp_path / "said"
    with said.open("wb") as file, subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=file) as one:
        until(lambda: "DATABASE_URL is not set" in said.read_text(), what="its error")
        one.kill()

    assert "RuntimeWarning" not in said.read_text()


def test_it_has_a_session_and_a_name_of_its_own_and_ends_with_its_stop_signal(env: SupervisorEnv) -> None:
    child = env.run("web-server", SERVES, is_forked=True)
    until(lambda: any("Serving HTTP" in line for line in env.lines), what="its output")
    pid = child.pid
    assert pid is not None
    assert pid == os.getsid(pid) != os.getsid(0)
    assert "web-server" == psutil.Process(pid).name()
    env.supervisor.stop(["web-server"])

    assert is_gone(pid)
    assert not any("is killed" in line for line in env.lines)


def test_a_killed_one_is_started_again(env: SupervisorEnv) -> None:
    child = env.run("server", SERVES, is_forked=True)
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    env.step_until(lambda: child.pid not in {first, None}, "another process")

    assert "server ended with signal SIGKILL, restart in 0.2 s" in env.lines


def test_a_forked_program_ends_with_a_killed_supervisor(supervisor: "subprocess.Popen[bytes]", tmp_path: Path) -> None:
    until(lambda: read_pid(tmp_path) is not None, what="the program")
    family = psutil.Process(supervisor.pid).children(recursive=True)
    assert read_pid(tmp_path) in {process.pid for process in family}
    supervisor.kill()

    assert [] == psutil.wait_procs(family, timeout=60)[1]


def test_a_program_outlives_the_process_it_was_forked_from_and_is_supervised_all_the_same(
    supervisor: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    until(lambda: read_pid(tmp_path) is not None, what="the program")
    first = read_pid(tmp_path)
    assert first is not None
    program = psutil.Process(first)
    program.parent().kill()  # type: ignore[union-attr]  # it has one
    for _ in range(5):
        (tmp_path / "pid").unlink()
        until(lambda: read_pid(tmp_path) is not None, what="a step of the supervisor")
    assert first == read_pid(tmp_path)
    assert program.is_running()

    program.kill()
    until(lambda: read_pid(tmp_path) not in {first, None}, what="another process")
    supervisor.kill()
    second = read_pid(tmp_path)
    assert second is not None
    until(lambda: is_gone(second), what="its end with the supervisor")


@pytest.mark.usefixtures("supervisor")
def test_a_program_that_ends_while_the_process_it_was_forked_from_hangs_is_started_again(
    tmp_path: Path,
) -> None:
    until(lambda: read_pid(tmp_path) is not None, what="the program")
    first = read_pid(tmp_path)
    assert first is not None
    psutil.Process(first).parent().suspend()  # type: ignore[union-attr]  # it has one
    psutil.Process(first).kill()
    until(lambda: read_pid(tmp_path) not in {first, None}, what="another process")

    assert "server ended with status 255, restart in 0.2 s" in (tmp_path / "said").read_text()


@pytest.mark.usefixtures("supervisor")
def test_a_program_is_started_by_itself_while_the_process_to_fork_from_hangs(
    tmp_path: Path,
) -> None:
    until(lambda: read_pid(tmp_path) is not None, what="the program")
    first = read_pid(tmp_path)
    assert first is not None
    hung = psutil.Process(first).parent()
    assert hung is not None
    hung.suspend()
    (tmp_path / "more").touch()
    until(lambda: read_pid(tmp_path) not in {first, None}, what="the second program")

    said = "second is started by itself, as it could not be forked: TimeoutError('the process to fork from hangs"
    assert said in (tmp_path / "said").read_text()
    assert is_gone(hung.pid)
    assert psutil.Process(first).is_running()
