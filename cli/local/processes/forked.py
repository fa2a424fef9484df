"""Our programs as forks of one process that has imported them all: they start at once, and share its memory.

Linux only: elsewhere the libraries of the system do not survive a fork.
"""

import ctypes
import multiprocessing
import os
import runpy
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import TextIOWrapper
from multiprocessing.connection import Connection, wait
from typing import Final

from cli.local.processes import fork_server
from cli.local.processes.program import Program
from shared.config import replace_environment


def _can_follow() -> bool:
    """Whether the kernel gives handles of processes, without which an orphaned program could not be supervised."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


IS_POSSIBLE: Final = sys.platform == "linux" and _can_follow()
_PR_SET_NAME = 15
_REPORTED_WITHIN_S = 2.0  # by the process it was forked from, which may hang
_UNKNOWN_CODE = 255  # as multiprocessing has it


def begin_to_load() -> None:
    """Start the process that imports the programs, if this system lets it; call it from the main thread."""
    if IS_POSSIBLE:
        fork_server.begin_to_load()


class ForkedProcess:
    """A program that runs, with what the supervisor uses of `subprocess.Popen`."""

    def __init__(self, program: Program) -> None:
        if program.heartbeat is not None:
            program.heartbeat.unlink(missing_ok=True)
        reader, writer = fork_server.context.Pipe(duplex=False)
        module = [str(part) for part in program.command[2:]]  # after `python -m`
        arguments = (program.name, module, program.environment, writer, program.niceness)
        self._process = fork_server.context.Process(target=_run, args=arguments, daemon=True)
        self._code: int | None = None
        with fork_server.limited_fork():
            self._process.start()
        try:
            writer.close()
            self.stdout = os.fdopen(os.dup(reader.fileno()), "rb")
            reader.close()
            assert self._process.pid is not None  # noqa: S101  # it has started
            self.pid = self._process.pid
            self._handle = os.pidfd_open(self.pid)
        except OSError:
            self._process.kill()  # nothing would supervise it
            raise

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while it runs.

        Of a program that outlives the process it was forked from it is not known, and 255. One that hangs is ended.
        """
        if self._code is None and self._has_ended(0):
            self._process.join(_REPORTED_WITHIN_S)
            if self._process.exitcode is None:
                fork_server.end()
            self._code = _UNKNOWN_CODE if self._process.exitcode is None else self._process.exitcode
        return self._code

    def poll(self) -> int | None:
        """Return the exit code, as `returncode`."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once it has ended; raise subprocess.TimeoutExpired if that takes longer."""
        if not self._has_ended(timeout):
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        code = self.returncode
        return _UNKNOWN_CODE if code is None else code

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it has ended."""
        with suppress(ProcessLookupError):  # its parent has read its end, at any moment
            signal.pidfd_send_signal(self._handle, sig)

    def kill(self) -> None:
        """Send it SIGKILL, unless it has ended."""
        self.send_signal(signal.SIGKILL)

    def _has_ended(self, timeout: float | None) -> bool:
        """Whether it has ended within `timeout`; by the kernel, as the process that it was forked from may be gone."""
        return bool(select.select([self._handle], [], [], timeout)[0])

    def __del__(self) -> None:
        """Close the handle with which the kernel is asked."""
        with suppress(AttributeError, OSError):
            os.close(self._handle)


def _run(
    name: str,
    module: Sequence[str],
    environment: Mapping[str, str],
    output: Connection,
    niceness: int,
) -> None:
    """Become the program `python -m MODULE`, in a session of its own, with its output in the pipe."""
    os.nice(niceness)
    threading.Thread(target=_die_with_up, name="die with up", daemon=True).start()
    os.setsid()
    for stream in (sys.stdout, sys.stderr):
        os.dup2(output.fileno(), stream.fileno())
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    output.close()
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name[:15].encode())  # `ps` and `top` would show `python` for each
    replace_environment(environment)
    sys.argv = list(module)
    if not hasattr(sys.modules.get(module[0]), "__path__"):  # runpy warns of a module that a preload has imported
        sys.modules.pop(module[0], None)
    runpy.run_module(module[0], run_name="__main__", alter_sys=True)


def _die_with_up() -> None:
    """End this program when `up` ends; it outlives the process that it was forked from, which may fail by itself."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101  # every fork has one: `up`
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGKILL)
