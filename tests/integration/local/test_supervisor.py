"""The supervisor with real programs: exits, restarts and readiness probes."""

import os
import signal
import socket
import threading
import time

import pytest

from cli.local.processes.readiness import answers_http
from cli.local.processes.supervisor import ChildState
from tests.fixtures.processes import until
from tests.integration.local.supervisor_env import DIES, SLEEPS, SupervisorEnv


def test_a_killed_program_is_restarted_as_a_new_process(env: SupervisorEnv) -> None:
    child = env.run("sleeper", SLEEPS)
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    env.step_until(lambda: child.pid not in {first, None}, "another process")

    assert 1 == child.restarts
    assert "sleeper ended with signal SIGKILL, restart in 0.2 s" in env.lines
    env.step_until(lambda: child.state is ChildState.RUNNING, "readiness")


def test_the_restart_pause_doubles_up_to_three_seconds(env: SupervisorEnv) -> None:
    pauses: list[float] = []
    starts_too_early: list[int] = []
    child = env.run("weak", DIES)

    def has_seen_six_exits() -> bool:
        before = time.monotonic()
        env.supervisor.step()
        if len(env.lines) > len(pauses):
            pauses.append(child.start_at - before)
            restarts, due_at = child.restarts, child.start_at
            env.supervisor.step()
            if child.restarts > restarts and time.monotonic() < due_at:
                starts_too_early.append(child.restarts)
            child.start_at = time.monotonic()  # ends the pause
        return len(pauses) == 6

    until(has_seen_six_exits, 60, "six exits")

    least = [0.2, 0.4, 0.8, 1.6, 3.0, 3.0]
    assert [f"weak ended with status 3, restart in {pause} s" for pause in least] == env.lines
    assert all(pause >= expected for pause, expected in zip(pauses, least, strict=True))
    assert [] == starts_too_early


def test_a_program_is_not_restarted_before_its_pause_is_over(env: SupervisorEnv) -> None:
    child = env.run("weak", DIES)
    env.step_until(lambda: child.state is ChildState.BACKOFF, "its exit")

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
    env.step_until(lambda: child.state is ChildState.BACKOFF, "its exit")
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
    until(lambda: len(probes) > 2, what="probes of the next process")

    assert ChildState.STARTING == child.state


def test_a_failed_probe_changes_the_state_without_a_restart(env: SupervisorEnv) -> None:
    is_healthy = threading.Event()
    is_healthy.set()
    child = env.run("unsteady", SLEEPS, is_ready=is_healthy.is_set)
    pid = child.pid
    env.step_until(lambda: child.state is ChildState.RUNNING, "readiness")
    is_healthy.clear()
    env.step_until(lambda: child.state is ChildState.UNRESPONSIVE, "the failed probe")
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
    assert any("readiness check of broken failed: OSError" in line for line in env.lines)


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-other\r\n", b"HTTP/1.1 503 Away\r\n\r\n", b"HTTP/1.1 200" + b"0" * 99]
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
        assert not answers_http(f"http://127.0.0.1:{listener.getsockname()[1]}/live")
        other_program.join()


def test_wait_for_ends_on_readiness_timeout_or_interrupt(env: SupervisorEnv) -> None:
    never = env.run("never", SLEEPS, is_ready=lambda: False)
    good = env.run("good", SLEEPS)

    assert env.supervisor.wait_for([good], 30, lambda: False)
    assert not env.supervisor.wait_for([good, never], 0.1, lambda: False)
    assert not env.supervisor.wait_for([never], 600, lambda: True)


def test_a_program_is_restarted_when_asked_and_at_once_if_it_waits_for_that(env: SupervisorEnv) -> None:
    child = env.run("sleeper", SLEEPS)
    pid = child.pid
    env.supervisor.restart(child)
    assert ChildState.ENDING is child.state
    env.step_until(lambda: child.restarts == 1 and child.pid not in {None, pid}, "another process")

    os.kill(child.pid or 0, signal.SIGKILL)
    env.step_until(lambda: child.state is ChildState.BACKOFF, "its exit")
    child.start_at = time.monotonic() + 600
    env.supervisor.restart(child)
    env.supervisor.step()

    assert 2 == child.restarts
