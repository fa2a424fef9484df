"""The stand-alone simulator: its state folder, clock and key, and its process."""

import json
import secrets
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cli.local.home.lock import AlreadyRunningError, Lock
from cli.local.home.ports import is_free
from cli.local.market import MarketChoice, covered_time, next_tradable_time
from cli.local.processes.output import stream_output
from cli.local.processes.program import Program, kill_session, start_program
from cli.local.processes.readiness import answers_http
from cli.local.processes.terminal import Terminal
from shared.clock import MarketClock, live_clock, machine_now
from shared.config import environment
from shared.errors import SettingsError, TickworkError
from shared.private_file import write_private
from shared.settings_file import FILE_VARIABLE

_READY_WITHIN_S, _ENDS_WITHIN_S = 60.0, 8.0
_POLL_EVERY_S = 0.05
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A simulator to run. `state` is the folder of all markets, `folder` the folder of this one."""

    market: MarketChoice
    state: Path
    port: int
    control_port: int
    user: str
    key: str
    is_stepped: bool
    is_always_open: bool
    options: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """The folder of this market's journal and users; other trading hours or a stepped clock make another market."""
        kinds = ("around_the_clock" if self.is_always_open else "", "stepped" if self.is_stepped else "")
        return self.state / "_".join(filter(None, (self.market.name, *kinds)))

    @property
    def url(self) -> str:
        """The base of the venue's REST endpoints and hubs."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def control_url(self) -> str:
        """The base of the simulator's own endpoints."""
        return f"http://127.0.0.1:{self.control_port}/sim"

    def program(self, clock: MarketClock) -> Program:
        """Return the program; user and key go into its environment, never into its command line."""
        command = [
            *(sys.executable, "-m", "simulator", *self.market.simulator, "--state", str(self.folder)),
            *("--port", str(self.port), "--control-port", str(self.control_port)),
            *("--machine-origin", clock.machine_origin.isoformat(), "--market-origin", clock.market_origin.isoformat()),
            *("--speed", str(clock.speed), *(["--stepped"] if self.is_stepped else [])),
            *(["--always-open"] if self.is_always_open else []),
            *self.options,
        ]
        own = {
            "TICKWORK_VENUE_USER": self.user,
            "TICKWORK_VENUE_KEY": self.key,
            FILE_VARIABLE: "",
            "PYTHONUNBUFFERED": "1",
        }
        ready = f"{self.url}/api/Status/ping"
        return Program("simulator", command, environment() | own, lambda: answers_http(ready))


def load_key(file: Path) -> str:
    """Return the key in a private file; generate it if the file is missing or empty."""
    try:
        if key := file.read_text().strip():
            return key
    except FileNotFoundError:
        pass
    key = secrets.token_urlsafe(24)
    write_private(file, f"{key}\n")
    return key


def prepare_folder(folder: Path) -> None:
    """Create a private folder; raise SettingsError if that fails."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"cannot create {folder} ({error.strerror}): give another --state") from None


def run_sandbox(sandbox: Sandbox, *, is_fresh: bool, on_ready: Callable[[], None]) -> None:
    """Run the simulator until Ctrl-C; raise TickworkError when it does not start or dies."""
    for name, port in (("--port", sandbox.port), ("--control-port", sandbox.control_port)):
        if not is_free(port):
            raise SettingsError(
                f"port {port} is taken by another program: stop it (find it with lsof -i :{port}), or give another "
                f"{name}"
            )
    prepare_folder(sandbox.folder)
    lock = Lock(sandbox.folder)
    try:
        lock.acquire()
        if is_fresh:
            _archive_state(sandbox.folder)
        _keep_running(sandbox, sandbox.program(_load_clock(sandbox)), on_ready)
    except AlreadyRunningError as error:
        raise SettingsError(
            f"process {error.pid} already runs a simulator on {sandbox.folder}: stop it, or give another --state"
        ) from None
    finally:
        lock.close()


def _archive_state(folder: Path) -> None:
    """Move the files of a market into a subfolder, so that the next run begins without them."""
    archive = folder / f"until-{machine_now():%Y%m%d-%H%M%S-%f}"
    past = [file for file in folder.iterdir() if file.is_file() and file.name != "lock"]
    if past:
        archive.mkdir(mode=0o700)
    for file in past:
        file.rename(archive / file.name)


def _load_clock(sandbox: Sandbox) -> MarketClock:
    """Return the market's clock, which runs since its first start; raise SettingsError for another speed."""
    file, speed = sandbox.folder / "clock.json", sandbox.market.speed
    try:
        stored = json.loads(file.read_text())
        machine_origin, market_origin = (datetime.fromisoformat(stored[name]).astimezone(UTC) for name in _ORIGINS)
        clock = MarketClock(machine_origin, market_origin, int(stored["speed"]))
    except FileNotFoundError:
        clock = _create_clock(sandbox)
        origins = {name: getattr(clock, name).isoformat() for name in _ORIGINS}
        write_private(file, json.dumps(origins | {"speed": clock.speed}))
    except (ValueError, KeyError, TypeError):
        raise SettingsError(f"{file} is damaged: restart the market with --fresh") from None
    if speed is not None and speed != clock.speed:
        raise SettingsError(
            f"this market runs at speed {clock.speed} since its start: leave --speed {speed} out, or restart it "
            "with --fresh"
        )
    return clock


_ORIGINS = ("machine_origin", "market_origin")


def _create_clock(sandbox: Sandbox) -> MarketClock:
    now, market = machine_now(), sandbox.market
    starts = market.starts_market_at or covered_time(now)
    if sandbox.is_stepped and market.starts_market_at is None:
        starts = next_tradable_time(starts)
    return live_clock() if starts == now and market.speed in {None, 1} else MarketClock(now, starts, market.speed or 1)


def _keep_running(sandbox: Sandbox, program: Program, on_ready: Callable[[], None]) -> None:
    is_stopping = False

    def stop(*_: object) -> None:
        nonlocal is_stopping
        is_stopping = True

    for number in _STOPS:
        signal.signal(number, stop)
    terminal = Terminal(sandbox.folder)
    process = start_program(program)
    assert process.stdout is not None  # noqa: S101  # start_program opens a pipe
    output = stream_output(program.name, process.stdout, sandbox.folder, terminal.show)
    is_ready, until = False, time.monotonic() + _READY_WITHIN_S
    try:
        while not is_stopping and process.poll() is None:
            if not is_ready and program.is_ready():
                is_ready = True
                on_ready()
            if not is_ready and time.monotonic() > until:
                raise TickworkError(f"the simulator does not answer after {_READY_WITHIN_S:.0f} s")
            time.sleep(_POLL_EVERY_S)
        if not is_stopping:
            output.join(1)
            problem = "ended by itself" if is_ready else "did not start"
            raise TickworkError(f"the simulator {problem}: read its output above, or in {sandbox.folder}/simulator.log")
    finally:
        process.terminate()
        try:
            process.wait(_ENDS_WITHIN_S)
        finally:
            kill_session(process)
            terminal.flush()
