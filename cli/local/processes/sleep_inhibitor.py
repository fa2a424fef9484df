"""Keeps the computer from sleeping while `up` runs, where the system allows that to an ordinary user."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import IO

from cli.local.processes.program import kill_session, tie_to_us
from shared.config import environment

_WHY = "a position may be open, and its account is watched each second"
_KEPT = ("PATH", "HOME", "DBUS_SYSTEM_BUS_ADDRESS")  # of the environment: the rest holds secrets
_WORD = b"held\n"
_STOP_TIMEOUT_S = 3.0
_LONGEST_REASON = 200


class SleepState(StrEnum):
    """Whether the computer is kept from sleeping: ASKED has no answer yet."""

    OFF = "off"
    ASKED = "asked"
    HELD = "held"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class SleepStatus:
    """The state, and for FAILED the reason."""

    state: SleepState
    reason: str = ""


class SleepInhibitor:
    """A child process that holds the system's lock against sleep, and that never outlives this process.

    Call `start` from the main thread: Linux ends the child with the thread that forked it.
    """

    def __init__(self, *, is_wanted: bool, platform: str = sys.platform) -> None:
        self._is_wanted = is_wanted
        self._platform = platform
        self._process: subprocess.Popen[bytes] | None = None
        self._status = SleepStatus(SleepState.OFF)
        self._output = b""

    def start(self) -> None:
        """Ask the system, and do not wait for the answer."""
        if not self._is_wanted:
            return
        command = find_command(self._platform)
        if command is None:
            self._status = SleepStatus(SleepState.FAILED, describe_missing(self._platform))
            return
        try:
            self._process = subprocess.Popen(
                command,
                env={name: value for name, value in environment().items() if name in _KEPT},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                start_new_session=True,
                preexec_fn=tie_to_us(signal.SIGKILL),  # noqa: PLW1509  # it only calls prctl
            )
        except OSError as error:
            self._status = SleepStatus(SleepState.FAILED, f"{command[0]}: {error.strerror}")
            return
        os.set_blocking(_pipe(self._process.stdout).fileno(), False)
        # caffeinate says nothing; `cat` repeats the word once systemd-inhibit has the lock and runs it.
        self._status = SleepStatus(SleepState.HELD if self._platform == "darwin" else SleepState.ASKED)
        with suppress(BrokenPipeError):  # it has ended, and the next check says why
            _pipe(self._process.stdin).write(_WORD)

    def check(self) -> SleepStatus:
        """Return the status now, without waiting."""
        process = self._process
        if process is None:
            return self._status
        has_ended = process.poll() is not None
        self._output += _pipe(process.stdout).read() or b""
        if has_ended:
            self._release()
            reason = self._output.replace(_WORD, b"").decode(errors="replace").strip().split("\n")[0]
            self._status = SleepStatus(SleepState.FAILED, reason[:_LONGEST_REASON] or "its program has ended")
        elif _WORD in self._output:
            self._status = SleepStatus(SleepState.HELD)
        return self._status

    def close(self) -> None:
        """Let the computer sleep again."""
        if self._process is not None:
            self._release()
            self._status = SleepStatus(SleepState.OFF)

    def _release(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        _pipe(process.stdin).close()  # which ends `cat`
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        kill_session(process)
        _pipe(process.stdout).close()


def find_command(platform: str) -> list[str] | None:
    """Return the command that holds the lock while it runs, or None if this system has none."""
    path = environment().get("PATH")
    if platform == "darwin":
        program = shutil.which("caffeinate", path=path)
        return None if program is None else [program, "-i", "-s", "-w", str(os.getpid())]
    program, cat = shutil.which("systemd-inhibit", path=path), shutil.which("cat", path=path)
    if program is None or cat is None:
        return None
    return [program, "--what=sleep:idle", "--who=Tickwork", f"--why={_WHY}", "--mode=block", cat]


def describe_failure(reason: str) -> str:
    """Return the sentence for a computer that may sleep while `up` runs."""
    return f"this computer may fall asleep while a position is open: sleep is not inhibited ({reason})"


def describe_missing(platform: str) -> str:
    """Return the words for a system without the program that holds the lock."""
    return f"{'caffeinate' if platform == 'darwin' else 'systemd-inhibit'} is not installed"


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # noqa: S101  # both ends were asked for
    return pipe
