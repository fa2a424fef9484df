"""Programs that run and do nothing: the supervisor ends the hung ones and starts them again."""

import os
import signal
from pathlib import Path

from cli.local.processes.supervisor import ChildState
from shared.heartbeat import is_fresh
from tests.integration.local.supervisor_env import SLEEPS, SupervisorEnv

# Touches its heartbeat, and says so once.
BEATS = ["sh", "-c", 'while :; do touch "$0"; sleep 0.2; done']


def test_a_program_whose_heartbeat_stops_is_ended_and_started_again(env: SupervisorEnv) -> None:
    heartbeat = env.folder / "heart"
    child = env.run(
        "beating", [*BEATS, str(heartbeat)], is_ready=lambda: is_fresh(heartbeat), heartbeat=heartbeat, hung_after_s=3,
        stop_timeout_s=0.2,
    )  # fmt: skip
    env.step_until(lambda: child.state is ChildState.RUNNING, "its first heartbeat")
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGSTOP)  # it cannot even handle SIGTERM
    env.step_until(lambda: child.state is ChildState.RUNNING and child.pid != first, "another process that works")

    assert 1 == child.restarts
    assert any(line.startswith("beating has given no sign of life for ") for line in env.lines)
    assert "beating ended with signal SIGKILL, restart in 0.2 s" in env.lines


def test_a_program_that_no_longer_answers_is_ended_and_started_again(env: SupervisorEnv) -> None:
    silent: set[int | None] = set()
    child = env.run("server", SLEEPS, is_ready=lambda: child.pid not in silent, hung_after_s=3)
    env.step_until(lambda: child.state is ChildState.RUNNING, "readiness")
    silent.add(child.pid)
    env.step_until(lambda: child.state is ChildState.RUNNING and child.pid not in silent, "another process")

    assert 1 == child.restarts
    assert "server ended with signal SIGTERM, restart in 0.2 s" in env.lines


def test_a_program_that_hangs_is_unresponsive_and_not_starting_until_it_goes_on(env: SupervisorEnv) -> None:
    heartbeat = env.folder / "heart"
    child = env.run(
        "beating", [*BEATS, str(heartbeat)], is_ready=lambda: is_fresh(heartbeat), heartbeat=heartbeat, hung_after_s=60
    )
    env.step_until(lambda: child.state is ChildState.RUNNING, "its first heartbeat")
    assert child.pid is not None
    os.kill(child.pid, signal.SIGSTOP)
    env.step_until(lambda: child.state is not ChildState.RUNNING, "its readiness check, which fails")
    assert ChildState.UNRESPONSIVE == child.state
    os.kill(child.pid, signal.SIGCONT)
    env.step_until(lambda: child.state is not ChildState.UNRESPONSIVE, "its readiness check, which passes")

    assert (0, ChildState.RUNNING) == (child.restarts, child.state)


def test_a_program_that_ends_is_stopped_as_any_other(env: SupervisorEnv) -> None:
    deaf = ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]
    silent = False
    child = env.run("deaf", deaf, is_ready=lambda: not silent, hung_after_s=3, stop_timeout_s=0.5)
    env.step_until(lambda: child.state is ChildState.RUNNING, "readiness")
    silent = True
    env.step_until(lambda: child.state is ChildState.ENDING, "the signal to end")
    env.supervisor.stop(["deaf"])

    assert (None, ChildState.STOPPED, 0) == (child.pid, child.state, child.restarts)


def test_a_server_whose_silence_is_no_reason_to_end_it_stays(env: SupervisorEnv) -> None:
    server = env.run("server", SLEEPS, is_ready=lambda: False)
    silent = False
    other = env.run("other", SLEEPS, is_ready=lambda: not silent, hung_after_s=1)
    env.step_until(lambda: other.state is ChildState.RUNNING, "readiness")
    silent = True
    env.step_until(lambda: other.restarts == 1, "the other's restart")

    assert 0 == server.restarts


def test_a_program_that_waits_for_what_it_needs_lives(env: SupervisorEnv, tmp_path: Path) -> None:
    heartbeat = tmp_path / "heart"
    waits = ["sh", "-c", 'n=0; while :; do n=$((n+1)); touch -d "@$n" "$0"; sleep 0.2; done', str(heartbeat)]
    child = env.run("waiting", waits, is_ready=lambda: is_fresh(heartbeat), heartbeat=heartbeat, hung_after_s=1)
    silent = False
    other = env.run("other", SLEEPS, is_ready=lambda: not silent, hung_after_s=3)
    env.step_until(lambda: other.state is ChildState.RUNNING, "readiness")
    silent = True
    env.step_until(lambda: other.restarts == 1, "the other's restart")

    assert (0, ChildState.STARTING) == (child.restarts, child.state)
