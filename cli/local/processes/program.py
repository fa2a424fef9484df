"""A program of the supervisor, and its start as a process that never outlives the supervisor."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from cli.local.servers.unix_user import UnixUser

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


@dataclass(frozen=True)
class Program:
    """A command with its readiness check and its stop signals."""

    name: str
    command: Sequence[str | Path]
    environment: dict[str, str]
    is_ready: Callable[[], bool]
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL  # sent by Linux when the supervisor has died
    unix_user: UnixUser | None = None
    heartbeat: Path | None = None
    stop_timeout_s: float = 3.0  # between the stop signal and SIGKILL
    niceness: int = 0  # above zero: lower priority
    is_forked: bool = False  # `python -m` of ours, to be forked from the process that has imported it
    hung_after_s: float | None = None  # without a sign of life it is ended, to be started again; None: never
    is_noise: Callable[[str], bool] = lambda _: False  # whether a line of its output is left out, in order of the lines


def start_program(program: Program) -> "subprocess.Popen[bytes]":
    """Start the program in its own session, with its output in a pipe.

    Call it from the main thread only: Linux ends the child with the thread that forked it.
    """
    if program.heartbeat is not None:
        program.heartbeat.unlink(missing_ok=True)
    return subprocess.Popen(
        program.command,
        env=program.environment,
        cwd="/" if program.unix_user else None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=tie_to_us(program.death_signal, program.niceness),  # noqa: PLW1509  # runs after the change of user, which would reset the death signal
        **(program.unix_user.as_user() if program.unix_user else {}),
    )


def tie_to_us(death_signal: signal.Signals, niceness: int = 0, parent: int | None = None) -> Callable[[], None]:
    """Return a function for a new process: Linux then sends it `death_signal` when its parent dies.

    It also raises the niceness. `parent` is the process that starts the new one; default: this process.
    """
    parent = os.getpid() if parent is None else parent

    def tie() -> None:
        os.nice(niceness)
        if sys.platform == "linux":
            _libc.prctl(_PR_SET_PDEATHSIG, death_signal)
            if os.getppid() != parent:  # the parent died before the call to prctl
                os._exit(1)

    return tie


class RunningProcess(Protocol):
    """A process that was started, with the members of `subprocess.Popen` that the supervisor uses."""

    @property
    def pid(self) -> int:
        """Its process id, which is that of its session too."""

    @property
    def returncode(self) -> int | Any:  # noqa: ANN401  # as of Popen
        """The exit code, negative for a signal; None while it runs."""

    @property
    def stdout(self) -> IO[bytes] | None:
        """What it prints, also to stderr."""

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once it has ended; raise subprocess.TimeoutExpired if that takes longer."""

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it has ended."""

    def kill(self) -> None:
        """Send it SIGKILL, unless it has ended."""


def kill_session(process: RunningProcess) -> None:
    """Kill the program and the processes it started, which share its process group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        if process.poll() is None:  # a fork that has no session of its own yet
            process.send_signal(signal.SIGKILL)
