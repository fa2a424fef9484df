"""One run of `up`: it starts the servers and programs, keeps them running, and stops them in order."""

import os
import signal
import time

from sqlalchemy import Engine

from cli.console.addresses import ADDRESSES, list_addresses
from cli.local.home.credentials import Credentials, load_credentials
from cli.local.home.folder import Home
from cli.local.home.installation import load_installation
from cli.local.home.ports import choose_ports, require_port
from cli.local.home.state import Json, StateWriter
from cli.local.market import MarketChoice, check_speed, resolve_market_row
from cli.local.processes.bootstrap import bootstrap, read_market
from cli.local.processes.console import EventWatch, ProgramWatch
from cli.local.processes.forked import begin_to_load
from cli.local.processes.left_open import describe_left_open, start_reading
from cli.local.processes.program_lines import is_error
from cli.local.processes.programs import EXPORTER, StackConfig, other_programs, receiver_program
from cli.local.processes.restart_requests import take_restart_requests
from cli.local.processes.shutdown import shut_down
from cli.local.processes.sleep_inhibitor import SleepInhibitor, SleepState, SleepStatus, describe_failure
from cli.local.processes.stop_question import StopQuestion
from cli.local.processes.supervisor import Child, Supervisor
from cli.local.processes.terminal import Terminal
from cli.local.processes.usage_recorder import UsageRecorder
from cli.local.servers.broker import check_broker
from cli.local.servers.database import choose_database
from cli.local.servers.postgres import postgres_program, postgres_url
from cli.local.servers.roles import prepare_database
from cli.local.servers.unix_user import find_unprivileged_user
from cli.local.servers.valkey import check_cache, check_redis, valkey_program, valkey_url
from shared.config import Settings
from shared.db.engine import make_engine
from shared.db.migrate import upgrade
from shared.errors import SettingsError
from shared.fleets import count_slots
from shared.redis_urls import cache_beside

_SERVERS_WITHIN_S = 60.0
_RECEIVER_WITHIN_S = 5.0
_PROGRAMS_WITHIN_S = 60.0
_STEP_EVERY_S = 0.2
_STATEMENT_TIMEOUT_S = 2.0  # of what `up` reads and records


class StackRun:
    """One run of `up`: `run` returns when it has been told to stop, and every program has ended."""

    def __init__(
        self,
        home: Home,
        settings: Settings,
        market: MarketChoice,
        wanted_market: str | None,
        *,
        is_fresh: bool,
        limits: bool,
        is_verbose: bool,
    ) -> None:
        self._home = home
        self._settings = settings
        self._market = market
        self._wanted_market = wanted_market
        self._is_fresh = is_fresh
        self._limits = limits
        self._stack: StackConfig | None = None
        self._is_stopping = False
        self._is_interrupted = False  # by Ctrl-C, which may ask before it stops
        self._inhibitor = SleepInhibitor(is_wanted=settings.inhibit_sleep)
        self._sleep = SleepStatus(SleepState.OFF)
        self._terminal = Terminal(home.logs)
        self._state = StateWriter(home, self._terminal.show)
        is_shown = (lambda _: True) if is_verbose else is_error
        self._supervisor = Supervisor(home.logs, self._terminal.show, self._state.mark_changed, is_shown)
        self._programs = ProgramWatch(self._terminal.show)
        self._engine: Engine | None = None
        self._watches: list[UsageRecorder | EventWatch] = []
        self._question = StopQuestion(self._terminal.show)
        signal.signal(signal.SIGINT, self._interrupt)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)

    def run(self) -> None:
        """Start the programs, supervise them until a signal, and stop them."""
        try:
            self._inhibitor.start()
            self._start()
            while not self._is_stopping:
                self._step()
                time.sleep(_STEP_EVERY_S)  # the supervisor's main loop
        finally:
            self._terminal.say("Stopping: running jobs have 10 s to finish, then they are released.")
            for watch in self._watches:
                watch.close()
            if self._engine is not None:
                self._engine.dispose()
            left_open = shut_down(self._supervisor, self._stack, self._terminal.show)
            self._inhibitor.close()
            self._supervisor.close()
            self._state.mark_changed()
            self._write_state(left_open=left_open, environment={})  # which has the venue's key
            self._terminal.say("Stopped.")
            if self._stack is not None and (warning := describe_left_open(left_open)) is not None:
                self._terminal.show(warning)
            self._terminal.flush()

    def _step(self) -> None:
        self._supervisor.step()
        for name in take_restart_requests(self._home):
            for child in self._supervisor.children:
                if child.program.name == name:
                    self._terminal.show(f"{name} is restarted, as `tickwork restart` asks")
                    self._supervisor.restart(child)
        self._programs.report(self._supervisor.children)
        self._check_sleep()
        self._write_state()
        if self._is_interrupted:
            self._is_interrupted = False
            self._is_stopping |= self._question.interrupt(self._read_open)
        self._is_stopping |= self._question.is_answered()

    def _read_open(self) -> list[Json] | None:
        return None if self._stack is None else start_reading(self._stack.database_url)()

    def _start(self) -> None:
        began, market = time.monotonic(), self._market
        take_restart_requests(self._home)  # those that an `up` that was killed has left
        self._terminal.say(f"Tickwork on {market.title}")
        begin_to_load()
        credentials = load_credentials(self._home)
        wanted = ["receiver", *(["simulator", "simulator-control"] if market.simulator else []), "flower"]
        wanted += [] if self._settings.database_url else ["postgres"]
        wanted += [] if self._settings.redis_url else ["valkey"]
        ports, notes = choose_ports(self._home, wanted)
        if self._settings.prometheus_port:
            ports[EXPORTER] = require_port(self._settings.prometheus_port, ports)
        for note in notes:
            self._terminal.say(f"Note: {note}")
        self._start_servers(ports, credentials.postgres, credentials.valkey)
        if self._is_stopping:
            return
        redis_url = self._settings.redis_url or valkey_url(ports["valkey"], credentials.valkey)
        check_redis(redis_url)
        if self._settings.broker_url:
            check_broker(self._settings.broker_url)
        broker_url = self._settings.broker_url or redis_url
        cache_url = self._settings.cache_url or cache_beside(redis_url, broker_url)
        check_cache(cache_url, broker_url)
        database, database_url = self._choose_database(ports, credentials, market.name)
        row = resolve_market_row(market, read_market(database_url))
        check_speed(market, row.clock.speed, limits=self._limits)
        bootstrap(database_url, broker_url, row, load_installation(self._home))
        self._stack = StackConfig(
            home=self._home,
            settings=self._settings,
            market=market,
            clock=row.clock,
            ports=ports,
            database=database,
            database_url=database_url,
            redis_url=redis_url,
            broker_url=self._settings.broker_url,
            cache_url=cache_url,
            venue_key=credentials.venue,
            limits=self._limits,
        )
        show = self._terminal.show
        self._engine = make_engine(database_url, program="up", pool_size=1, statement_timeout_s=_STATEMENT_TIMEOUT_S)
        self._watches.append(UsageRecorder(self._engine, self._home.root, self._list_pids, show))
        self._watches.append(EventWatch(self._engine, show))
        for watch in self._watches:
            watch.start()
        # The receiver starts first: alerts must not wait until twenty workers have been loaded.
        children = [self._supervisor.add(receiver_program(self._stack))]
        self._supervisor.wait_for(children, _RECEIVER_WITHIN_S, self._is_told_to_stop)
        children += [self._supervisor.add(program) for program in other_programs(self._stack)]
        is_up = self._supervisor.wait_for(children, _PROGRAMS_WITHIN_S, self._is_told_to_stop)
        self._programs.report(children)
        self._write_state()
        if not self._is_stopping:
            self._print_addresses(children, time.monotonic() - began, is_up=is_up)

    def _start_servers(self, ports: dict[str, int], postgres_password: str, valkey_password: str) -> None:
        servers = []
        unix_user = None if self._settings.database_url and self._settings.redis_url else find_unprivileged_user()
        if not self._settings.redis_url:
            program = valkey_program(self._home, unix_user, ports["valkey"], valkey_password)
            servers.append(self._supervisor.add(program))
        if not self._settings.database_url:
            slots = count_slots(self._settings.slots)
            program = postgres_program(self._home, unix_user, ports["postgres"], postgres_password, slots)
            servers.append(self._supervisor.add(program))
        if not self._supervisor.wait_for(servers, _SERVERS_WITHIN_S, self._is_told_to_stop) and not self._is_stopping:
            raise SettingsError(f"the servers did not start: read the logs in {self._home.logs}")

    def _choose_database(self, ports: dict[str, int], credentials: Credentials, market: str) -> tuple[str, str]:
        """Return the name of the upgraded database, and its URL for the programs."""
        if not self._settings.database_url:
            server = postgres_url(ports["postgres"], credentials.postgres, "postgres")
            name = choose_database(server, market, is_fresh=self._is_fresh, wanted_market=self._wanted_market)
            return name, prepare_database(self._home, ports["postgres"], credentials, name)
        upgrade(self._settings.database_url)
        return f"tickwork_{market}", self._settings.database_url

    def _is_told_to_stop(self) -> bool:
        """Whether the start is over, also by Ctrl-C, which then asks nothing."""
        self._programs.report(self._supervisor.children)
        self._write_state()
        self._is_stopping |= self._is_interrupted
        return self._is_stopping

    def _stop(self, *_: object) -> None:
        self._is_stopping = True

    def _interrupt(self, *_: object) -> None:
        self._is_interrupted = True

    def _check_sleep(self) -> None:
        status = self._inhibitor.check()
        if status == self._sleep:
            return
        self._sleep = status
        self._state.mark_changed()
        if status.state is SleepState.FAILED:
            self._terminal.say(f"Note: {describe_failure(status.reason)}. `tickwork doctor` says what to do.")

    def _list_pids(self) -> dict[str, int]:
        found = [(child.program.name, child.pid) for child in list(self._supervisor.children)]
        return {name: pid for name, pid in found if pid is not None}

    def _write_state(self, **more: object) -> None:
        self._state.write(lambda: self._compose_state() | more)

    def _compose_state(self) -> Json:
        return {
            "pid": os.getpid(),
            "programs": [
                {
                    "name": child.program.name,
                    "pid": child.pid,
                    "state": child.state.value,
                    "restarts": child.restarts,
                }
                for child in self._supervisor.children
            ],
            "urls": self._stack.urls if self._stack else {},
            "sleep": {"state": self._sleep.state.value, "reason": self._sleep.reason},
            "environment": self._stack.environment() if self._stack else {},
        }

    def _print_addresses(self, children: list[Child], seconds: float, *, is_up: bool) -> None:
        assert self._stack is not None  # noqa: S101  # the caller has made it
        rows = list_addresses(self._stack.urls | {"state, logs": str(self._home.root)})
        self._terminal.say(ADDRESSES.draw(rows))
        market_now = self._stack.clock.now()
        self._terminal.say(
            f"Market time {market_now:%Y-%m-%d %H:%M} UTC, speed {self._stack.clock.speed}; the lines below have the "
            f"time of this computer. Next: `tickwork hooks add NAME`, `tickwork status`. Stop with Ctrl-C."
        )
        if is_up:
            self._terminal.say(f"Every program runs after {seconds:.1f} s.")
        else:
            late = ", ".join(child.program.name for child in children if child.state.value != "running")
            self._terminal.say(f"Not ready after {seconds:.0f} s: {late}. Read their logs in {self._home.logs}.")
