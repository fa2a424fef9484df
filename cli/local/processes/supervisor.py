"""Keeps programs running: starts them, notices when they work, restarts those that die, stops them in order."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from cli.local.processes.output import stream_output
from cli.local.processes.program import Program, kill_session, start

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 3.0
_HEALTHY_AFTER_S = 10.0
_LOOK_EVERY_S = 0.05
_PROBE_EVERY_S = 0.1
_PROBE_RUNNING_EVERY_S = 2.0


class ChildState(StrEnum):
    """`running` means that the program's readiness check passed."""

    STARTING = "starting"
    RUNNING = "running"
    BACKOFF = "backoff"
    STOPPED = "stopped"


@dataclass
class Child:
    """One program and the process that is it now."""

    program: Program
    state: ChildState = ChildState.STARTING
    process: "subprocess.Popen[bytes] | None" = None
    restarts: int = 0
    pause_s: float = _FIRST_PAUSE_S
    started_at: float = 0.0
    start_at: float = 0.0
    probed_at: float = field(default=0.0)

    @property
    def pid(self) -> int | None:
        """The process id, or None while there is none."""
        return self.process.pid if self.process else None


class Supervisor:
    """Runs programs. Every method but the probing belongs to the main thread, which the children are tied to."""

    def __init__(self, logs: Path, show: Callable[[str], None], changed: Callable[[], None]) -> None:
        self.children: list[Child] = []
        self._logs = logs
        self._show = show
        self._changed = changed
        self._is_ending = threading.Event()
        self._states = threading.Lock()  # a probe's answer must not undo a death that was noted meanwhile
        self._prober = threading.Thread(target=self._probe_all, name="prober", daemon=True)
        self._prober.start()

    def add(self, program: Program) -> Child:
        """Start a program and keep it running."""
        child = Child(program)
        self.children.append(child)
        self._start(child)
        return child

    def step(self) -> None:
        """Restart what died and is due; call often."""
        now = time.monotonic()
        for child in self.children:
            if child.process is not None and child.process.poll() is not None:
                self._note_death(child, now)
            elif child.process is None and child.state is ChildState.BACKOFF and now >= child.start_at:
                child.restarts += 1
                self._start(child)
            elif child.state is ChildState.RUNNING and now - child.started_at > _HEALTHY_AFTER_S:
                child.pause_s = _FIRST_PAUSE_S

    def wait_for(self, children: Sequence[Child], timeout_s: float, is_interrupted: Callable[[], bool]) -> bool:
        """Look until all of `children` run; False after the timeout or when interrupted."""
        until = time.monotonic() + timeout_s
        while any(child.state is not ChildState.RUNNING for child in children):
            if time.monotonic() > until or is_interrupted():
                return False
            self.step()
            time.sleep(_LOOK_EVERY_S)
        return True

    def stop(self, names: Sequence[str], *, on_kill: Callable[[Child, int], None] | None = None) -> None:
        """Ask these programs to end, all at once, and kill those that do not within their patience."""
        ending = [
            child for child in self.children if child.program.name in names and child.state is not ChildState.STOPPED
        ]
        since = time.monotonic()
        for child in ending:
            if child.process is not None and child.process.poll() is None:
                child.process.send_signal(child.program.stop_signal)
        for child in ending:
            with self._states:
                process, child.state = child.process, ChildState.STOPPED
            if process is None:
                continue
            try:
                process.wait(max(0.0, since + child.program.stop_timeout_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._show(
                    f"{child.program.name} did not end within {child.program.stop_timeout_s:.0f} s and is killed"
                )
                kill_session(process)
                process.wait()
                if on_kill is not None:
                    on_kill(child, process.pid)
            kill_session(process)  # what it may have left behind
            child.process = None
            self._changed()

    def close(self) -> None:
        """Stop probing."""
        self._is_ending.set()
        self._prober.join()

    def _start(self, child: Child) -> None:
        process = start(child.program)
        with self._states:
            child.state, child.started_at, child.process = ChildState.STARTING, time.monotonic(), process
        if process.stdout is not None:
            stream_output(child.program.name, process.stdout, self._logs, self._show)
        self._changed()

    def _note_death(self, child: Child, now: float) -> None:
        assert child.process is not None  # noqa: S101  # the caller looked
        kill_session(child.process)  # its own children, where it had any
        code = child.process.returncode
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"
        self._show(f"{child.program.name} ended with {how}, it starts again in {child.pause_s:.1f} s")
        with self._states:
            child.process, child.state = None, ChildState.BACKOFF
        child.start_at, child.pause_s = now + child.pause_s, min(child.pause_s * 2, _LONGEST_PAUSE_S)
        self._changed()

    def _probe_all(self) -> None:
        while not self._is_ending.wait(_PROBE_EVERY_S):
            for child in list(self.children):
                self._probe(child, child.process)

    def _probe(self, child: Child, process: "subprocess.Popen[bytes] | None") -> None:
        now = time.monotonic()
        is_due = child.state is ChildState.STARTING or now - child.probed_at > _PROBE_RUNNING_EVERY_S
        if process is None or not is_due or not _is_live(child):
            return
        child.probed_at = now
        state = ChildState.RUNNING if self._is_ready(child.program) else ChildState.STARTING
        with self._states:
            is_news = child.process is process and _is_live(child) and child.state is not state
            if is_news:
                child.state = state
        if is_news:
            self._changed()

    def _is_ready(self, program: Program) -> bool:
        try:
            return program.is_ready()
        except Exception as error:  # noqa: BLE001  # one check's mistake must not end the watch over all the others
            self._show(f"{program.name} cannot be checked: {error!r}")
            return False


def _is_live(child: Child) -> bool:
    return child.state in {ChildState.STARTING, ChildState.RUNNING}
