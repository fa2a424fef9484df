"""The supervisor: starts programs, probes their readiness, restarts those that end or hang, and stops them."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from uuid import UUID, uuid4

from cli.local.processes.forked import IS_POSSIBLE, ForkedProcess
from cli.local.processes.hang import HangWatch
from cli.local.processes.output import stream_output
from cli.local.processes.program import Program, RunningProcess, kill_session, start_program
from shared.ledger.worker import ID_VARIABLE

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 3.0
_HEALTHY_AFTER_S = 10.0
_STEP_EVERY_S = 0.05
_PROBE_EVERY_S, _LOOK_EVERY_S = 0.1, 0.5  # while a program starts, and while every one runs
_PROBE_RUNNING_EVERY_S = 5.0  # each connects anew to Postgres, to Redis and to a port
# The system lacks memory, a process, a descriptor or a thread; SubprocessError: between fork and exec.
_FAILED_STARTS = (OSError, RuntimeError, subprocess.SubprocessError)


class ChildState(StrEnum):
    """The state of a program.

    `running` means that its readiness check passes, `unresponsive` that it did and fails now, as when the program
    hangs, `ending` that it is ended to start anew, `backoff` that it has ended and starts again after a pause.
    """

    STARTING = "starting"
    RUNNING = "running"
    UNRESPONSIVE = "unresponsive"
    ENDING = "ending"
    BACKOFF = "backoff"
    STOPPED = "stopped"


@dataclass
class Child:
    """One program and its current process."""

    program: Program
    state: ChildState = ChildState.STARTING
    process: RunningProcess | None = None
    worker_id: UUID = field(default_factory=uuid4)  # of this start, if the program runs jobs
    restarts: int = 0
    pause_s: float = _FIRST_PAUSE_S
    started_at: float = 0.0
    start_at: float = 0.0
    probed_at: float = field(default=0.0)
    kill_at: float = 0.0
    hang: HangWatch | None = None  # None: a program that is never ended for its silence

    @property
    def pid(self) -> int | None:
        """The process id, or None while there is none."""
        return self.process.pid if self.process else None


class Supervisor:
    """Runs programs. Call its methods from the main thread: Linux ends children with the thread that forked them."""

    def __init__(
        self,
        logs: Path,
        show: Callable[[str], None],
        changed: Callable[[], None],
        is_shown: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """`show` gets a line for what happens to a program, and those of its own lines that `is_shown` chooses."""
        self.children: list[Child] = []
        self._logs = logs
        self._show = show
        self._changed = changed
        self._is_shown = is_shown
        self._is_ending = threading.Event()
        self._states = threading.Lock()  # a late probe result must not undo an exit recorded meanwhile
        self._prober = threading.Thread(target=self._probe_all, name="prober", daemon=True)
        self._prober.start()

    def add(self, program: Program) -> Child:
        """Start a program and keep it running; raise OSError if there is no such program."""
        hang = None if program.hung_after_s is None else HangWatch(program.hung_after_s)
        child = Child(program, hang=hang)
        self.children.append(child)
        try:
            self._start(child)
        except (FileNotFoundError, PermissionError):
            raise
        except _FAILED_STARTS as error:
            self._record_failed_start(child, error)
        return child

    def step(self) -> None:
        """Record exits, end the programs that hang, and restart those whose pause is over; call it often."""
        now = time.monotonic()
        for child in self.children:
            if child.process is not None and child.process.poll() is not None:
                self._record_exit(child, now)
            elif child.process is None and child.state is ChildState.BACKOFF and now >= child.start_at:
                self._restart(child)
            elif child.state is ChildState.ENDING:
                if child.process is not None and now >= child.kill_at:
                    kill_session(child.process)
            elif child.hang is not None and child.hang.is_hung and _is_live(child):
                self._end_hung(child, child.hang, now)
            elif child.state is ChildState.RUNNING and now - child.started_at > _HEALTHY_AFTER_S:
                child.pause_s = _FIRST_PAUSE_S

    def restart(self, child: Child) -> None:
        """End a program, so that `step` starts it again; at once if it waits for its restart."""
        if child.state is ChildState.BACKOFF:
            child.start_at = 0.0
        elif child.process is not None and _is_live(child):
            self._end(child, time.monotonic())

    def wait_for(self, children: Sequence[Child], timeout_s: float, is_interrupted: Callable[[], bool]) -> bool:
        """Wait until all of `children` run; return False after the timeout or an interrupt."""
        until = time.monotonic() + timeout_s
        while any(child.state is not ChildState.RUNNING for child in children):
            if time.monotonic() > until or is_interrupted():
                return False
            self.step()
            time.sleep(_STEP_EVERY_S)
        return True

    def stop(self, names: Sequence[str], *, on_kill: Callable[[Child], None] | None = None) -> None:
        """Send these programs their stop signals at once, and kill those that outlast their stop timeouts."""
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
                    on_kill(child)
            kill_session(process)  # its remaining children
            child.process = None
            self._changed()

    def close(self) -> None:
        """Stop the probes."""
        self._is_ending.set()
        self._prober.join()

    def _restart(self, child: Child) -> None:
        child.restarts += 1
        try:
            self._start(child)
        except _FAILED_STARTS as error:
            self._record_failed_start(child, error)

    def _start(self, child: Child) -> None:
        child.worker_id = uuid4()
        environment = child.program.environment | {ID_VARIABLE: str(child.worker_id)}
        process = self._start_process(replace(child.program, environment=environment))
        if process.stdout is not None:
            try:
                stream_output(
                    child.program.name,
                    process.stdout,
                    self._logs,
                    self._show,
                    is_shown=self._is_shown,
                    is_noise=child.program.is_noise,
                )
            except RuntimeError:  # no thread: its output would fill the pipe, and then it would wait
                kill_session(process)
                process.wait()
                process.stdout.close()
                raise
        with self._states:
            if child.hang is not None:
                child.hang.begin()
            child.state, child.started_at, child.process = ChildState.STARTING, time.monotonic(), process
        self._changed()

    def _start_process(self, program: Program) -> RunningProcess:
        if program.is_forked and IS_POSSIBLE:
            try:
                return ForkedProcess(program)
            except (OSError, EOFError) as error:  # the process to fork from has ended
                self._show(f"{program.name} is started by itself, as it could not be forked: {error!r}")
        return start_program(program)

    def _end_hung(self, child: Child, hang: HangWatch, now: float) -> None:
        assert child.process is not None  # noqa: S101  # a live child has one
        self._show(f"{child.program.name} has given no sign of life for {hang.silent_s:.0f} s and is ended")
        hang.restarts += 1
        self._end(child, now)

    def _end(self, child: Child, now: float) -> None:
        assert child.process is not None  # noqa: S101  # as above
        child.process.send_signal(child.program.stop_signal)
        with self._states:
            child.state, child.kill_at = ChildState.ENDING, now + child.program.stop_timeout_s
        self._changed()

    def _record_exit(self, child: Child, now: float) -> None:
        assert child.process is not None  # noqa: S101  # the caller has checked
        kill_session(child.process)  # its children
        code = child.process.returncode
        cause = f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"
        self._back_off(child, f"ended with {cause}", now)

    def _record_failed_start(self, child: Child, error: Exception) -> None:
        self._back_off(child, f"could not be started ({error})", time.monotonic())

    def _back_off(self, child: Child, cause: str, now: float) -> None:
        self._show(f"{child.program.name} {cause}, restart in {child.pause_s:.1f} s")
        with self._states:
            child.process, child.state = None, ChildState.BACKOFF
        child.start_at, child.pause_s = now + child.pause_s, min(child.pause_s * 2, _LONGEST_PAUSE_S)
        self._changed()

    def _probe_all(self) -> None:
        while not self._is_ending.wait(_LOOK_EVERY_S if self._are_all_steady() else _PROBE_EVERY_S):
            for child in list(self.children):
                try:
                    self._probe(child, child.process)
                except Exception as error:  # noqa: BLE001  # one broken probe must not end those of the other programs
                    self._show(f"the probe of {child.program.name} failed: {error!r}")

    def _are_all_steady(self) -> bool:
        since = time.monotonic() - _HEALTHY_AFTER_S
        return bool(self.children) and all(
            child.state is ChildState.RUNNING and child.started_at < since for child in self.children
        )

    def _probe(self, child: Child, process: RunningProcess | None) -> None:
        now = time.monotonic()
        is_due = child.state is not ChildState.RUNNING or now - child.probed_at > _PROBE_RUNNING_EVERY_S
        if process is None or not is_due or not _is_live(child):
            return
        child.probed_at = now
        is_ready = self._is_ready(child.program)
        with self._states:
            was_ready = child.state is not ChildState.STARTING
            not_ready = ChildState.UNRESPONSIVE if was_ready else ChildState.STARTING
            state = ChildState.RUNNING if is_ready else not_ready
            is_current = child.process is process and _is_live(child)
            if is_current and child.hang is not None:
                child.hang.observe(_read_sign_of_life(child.program, now, is_ready=is_ready), now)
            is_change = is_current and child.state is not state
            if is_change:
                child.state = state
        if is_change:
            self._changed()

    def _is_ready(self, program: Program) -> bool:
        try:
            return program.is_ready()
        except Exception as error:  # noqa: BLE001  # one broken check must not end the probes of the other programs
            self._show(f"readiness check of {program.name} failed: {error!r}")
            return False


def _read_sign_of_life(program: Program, now: float, *, is_ready: bool) -> float | None:
    """Return what changes while the program lives: when it last touched its heartbeat, or answered its check."""
    if program.heartbeat is None:
        return now if is_ready else None
    try:
        return program.heartbeat.stat().st_mtime
    except FileNotFoundError:
        return None


def _is_live(child: Child) -> bool:
    return child.state in {ChildState.STARTING, ChildState.RUNNING, ChildState.UNRESPONSIVE}
