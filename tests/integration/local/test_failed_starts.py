"""Starts and probes that fail for want of something in the system: they count as exits, and end nothing else."""

import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from cli.local.processes.forked import IS_POSSIBLE
from cli.local.processes.supervisor import Child, ChildState
from tests.fixtures.processes import until
from tests.integration.local.supervisor_env import SLEEPS, SupervisorEnv

# A supervisor whose computer has no descriptor left once the process is forked, and has some for the start by itself.
HALF_WAY = """
import multiprocessing.context, resource, sys
from multiprocessing import forkserver
from pathlib import Path
import psutil
from cli.local.processes import forked
from cli.local.processes.program import Program
from cli.local.processes.supervisor import Supervisor
from tests.fixtures.processes import until

def start(process, start=multiprocessing.context.ForkServerProcess.start):
    start(process)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))

def show(line):
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    print(line, flush=True)

def is_only_process():
    forked = psutil.Process(forkserver._forkserver._forkserver_pid).children()
    return not forked and psutil.Process(child.pid).is_running()

limits = resource.getrlimit(resource.RLIMIT_NOFILE)
multiprocessing.context.ForkServerProcess.start = start
supervisor = Supervisor(Path.cwd(), show, lambda: None)
silent = [sys.executable, "-m", "silent"]
child = supervisor.add(Program("half", silent, {"PATH": "/usr/bin:/bin"}, lambda: True, is_forked=True))
until(is_only_process, 30, "the end of the fork")
supervisor.stop(["half"])
supervisor.close()
"""


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    """Let this process open no file, pipe or socket; those that are open stay."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def no_more_threads() -> Iterator[None]:
    """Let each new thread want a stack that no memory has."""
    usual = threading.stack_size(2**46)
    try:
        yield
    finally:
        threading.stack_size(usual)


def end_and_step(env: SupervisorEnv, child: Child) -> None:
    """Kill the program, and step until its restart has failed."""
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    env.step_until(lambda: any("could not be started" in line for line in env.lines), "a restart that failed")


def test_a_restart_without_a_free_descriptor_is_tried_again(env: SupervisorEnv) -> None:
    child, other = env.run("sleeper", SLEEPS), env.run("other", SLEEPS)
    with no_more_descriptors():
        end_and_step(env, child)
        assert (ChildState.BACKOFF, None) == (child.state, child.pid)
    env.step_until(lambda: child.state is ChildState.RUNNING, "a restart that works")

    assert any(
        line.startswith("sleeper could not be started (") and line.endswith("restart in 0.4 s") for line in env.lines
    )
    assert 0 == other.restarts


def test_a_restart_without_a_thread_for_its_output_leaves_no_process_and_is_tried_again(env: SupervisorEnv) -> None:
    child = env.run("sleeper", SLEEPS)
    before = psutil.Process().children()
    with no_more_threads():
        end_and_step(env, child)
        assert (ChildState.BACKOFF, None) == (child.state, child.pid)
        assert not [process for process in psutil.Process().children() if process not in before]
    env.step_until(lambda: child.state is ChildState.RUNNING, "a restart that works")


def test_a_first_start_that_fails_is_tried_again(env: SupervisorEnv) -> None:
    with no_more_descriptors():
        child = env.run("sleeper", SLEEPS)
    assert ChildState.BACKOFF == child.state
    env.step_until(lambda: child.state is ChildState.RUNNING, "a start that works")

    assert 1 == child.restarts


@pytest.mark.skipif(not IS_POSSIBLE, reason="only Linux lets programs fork")
def test_a_fork_that_fails_half_way_is_ended_before_the_program_is_started_by_itself(tmp_path: Path) -> None:
    (tmp_path / "silent.py").write_text("import time\ntime.sleep(600)\n")
    command = [sys.executable, "-c", HALF_WAY]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stderr
    assert "half is started by itself, as it could not be forked: OSError" in done.stdout


def test_a_heartbeat_that_cannot_be_read_ends_no_other_probe(env: SupervisorEnv) -> None:
    heartbeat = env.folder / "heart"
    links_to_itself = ["sh", "-c", 'ln -s "$0" "$0"; exec sleep 600', str(heartbeat)]
    broken = env.run("broken", links_to_itself, heartbeat=heartbeat, hung_after_s=1)
    until(heartbeat.is_symlink, what="its heartbeat")
    silent: set[int | None] = set()
    other = env.run("other", SLEEPS, is_ready=lambda: other.pid not in silent, hung_after_s=1)
    env.step_until(lambda: other.state is ChildState.RUNNING, "the other's readiness")
    silent.add(other.pid)
    env.step_until(lambda: other.state is ChildState.RUNNING and other.pid not in silent, "another process that works")

    assert 0 == broken.restarts
    assert any(line.startswith("the probe of broken failed: OSError") for line in env.lines)
