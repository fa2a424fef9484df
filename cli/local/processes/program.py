"""A program that the supervisor runs, and how it is started so that it never outlives the supervisor."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.local.servers.unix_user import UnixUser

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


@dataclass(frozen=True)
class Program:
    """What to run, how to tell that it works, and how to stop it."""

    name: str
    command: Sequence[str | Path]
    environment: dict[str, str]
    is_ready: Callable[[], bool]
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL  # sent by the system when the supervisor is gone
    account: UnixUser | None = None
    heartbeat: Path | None = None
    stop_timeout_s: float = 3.0  # between the stop signal and SIGKILL
    niceness: int = 0  # above zero: gives way to the others


def start(program: Program) -> "subprocess.Popen[bytes]":
    """Start the program in a session of its own; its output comes through a pipe. Call from the main thread only.

    The thread matters: Linux ends the child with the thread that forked it.
    """
    if program.heartbeat is not None:
        program.heartbeat.unlink(missing_ok=True)
    return subprocess.Popen(
        program.command,
        env=program.environment,
        cwd="/" if program.account else None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=tied_to_us(program.death_signal, program.niceness),  # noqa: PLW1509  # runs after the change of user, which would undo it
        **(program.account.as_user() if program.account else {}),
    )


def tied_to_us(death_signal: signal.Signals, niceness: int = 0, parent: int | None = None) -> Callable[[], None]:
    """Return what a new process must run so that Linux sends it this signal when we are gone, and to give way.

    `parent` is the process that starts it, where that is another one than this.
    """
    parent = os.getpid() if parent is None else parent

    def tie() -> None:
        os.nice(niceness)
        if sys.platform == "linux":
            _libc.prctl(_PR_SET_PDEATHSIG, death_signal)
            if os.getppid() != parent:  # it died before the line above
                os._exit(1)

    return tie


def kill_session(process: "subprocess.Popen[bytes]") -> None:
    """Kill the program and everything it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
