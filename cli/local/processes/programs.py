"""The programs of a stack without its servers: their commands and readiness checks."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.local.home.folder import Home
from cli.local.market import MarketChoice
from cli.local.processes.program import Program
from cli.local.processes.readiness import answers_http
from shared.clock import MarketClock
from shared.config import Settings, environment
from shared.domain.notifications.channel import format_channels
from shared.fleets import FLEETS
from shared.heartbeat import is_fresh
from shared.ledger.jobs.notifications import SendNotifications
from shared.setting_keys import BY_VARIABLE
from shared.settings_file import FILE_VARIABLE

# `up` releases the jobs that still run this long after a worker's stop signal.
WORKER_STOP_TIMEOUT_S = 10.0
# A heartbeat is due every few seconds, an answer within two; a computer under heavy load is late with both.
_SILENT_HEART_S, _SILENT_HTTP_S = 30.0, 60.0
DIRECT_WORKER = "worker-direct"
RISK_MONITOR = "risk-monitor"
_SENDER = next(one for one in FLEETS if SendNotifications.queue in one.queues).program  # it alone needs the channels
EXPORTER = "exporter"
TRACE_EXPORTER = "trace-exporter"
TELEGRAM = "telegram"  # it alone needs the bot's token
_SECRETS = ("TICKWORK_VENUE_KEY", "TICKWORK_HEARTBEAT_URL", "TICKWORK_NOTIFY_CHANNELS")
_WITHOUT_SECRETS = {"receiver", "flower", EXPORTER, TRACE_EXPORTER, TELEGRAM, "beat", "relay", RISK_MONITOR}  # no need


@dataclass(frozen=True, slots=True)
class StackConfig:
    """The configuration shared by every program of a stack."""

    home: Home
    settings: Settings
    market: MarketChoice
    clock: MarketClock
    ports: dict[str, int]
    database: str
    database_url: str
    redis_url: str
    broker_url: str  # empty: Redis is the broker too
    cache_url: str
    venue_key: str
    limits: bool

    @property
    def urls(self) -> dict[str, str]:
        """The addresses of the stack by name; those of the servers contain passwords."""
        urls = {
            "receiver": f"http://127.0.0.1:{self.ports['receiver']}",
            "flower": f"http://127.0.0.1:{self.ports['flower']}",
        }
        if self.market.simulator:
            urls["simulator"] = f"http://127.0.0.1:{self.ports['simulator']}"
            urls["simulator-control"] = f"http://127.0.0.1:{self.ports['simulator-control']}/sim"
        if EXPORTER in self.ports:
            urls["prometheus"] = f"http://127.0.0.1:{self.ports[EXPORTER]}/metrics"
        return urls | {"database": self.database_url, "redis": self.redis_url, "cache": self.cache_url}

    def environment(self) -> dict[str, str]:
        """Return the environment variables of this stack; secrets go here, never into a command line.

        They have every setting, so that a program that is restarted does not depend on a file changed meanwhile.
        """
        venue = self.settings.venue
        is_simulated = bool(self.market.simulator)
        return {
            "TICKWORK_HOME": str(self.home.root),
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "BROKER_URL": self.broker_url,
            "TICKWORK_CACHE_URL": self.cache_url,
            "TICKWORK_VENUE_URL": self.urls["simulator"] if is_simulated else venue.url,
            "TICKWORK_VENUE_HUBS_URL": self.urls["simulator"] if is_simulated else venue.hubs_url,
            "TICKWORK_VENUE_USER": "simulator" if is_simulated else venue.user,
            "TICKWORK_VENUE_KEY": self.venue_key if is_simulated else venue.key,
            "TICKWORK_VENUE_IS_SIMULATOR": "on" if is_simulated else "off",
            "TICKWORK_MARKET": self.market.name,
            "TICKWORK_CONTRACTS": ",".join(self.market.contracts),
            "TICKWORK_LIMITS": "on" if self.limits else "off",
            "TICKWORK_RECEIVER_URL": self.urls["receiver"],
            "TICKWORK_PUBLIC_URL": self.settings.public_url,
            "TICKWORK_HEARTBEAT_URL": self.settings.heartbeat_url,
            "TICKWORK_NOTIFY_CHANNELS": format_channels(self.settings.notify_channels),
            "TICKWORK_TELEGRAM_TOKEN": self.settings.telegram_token,
            "TICKWORK_TELEGRAM_URL": self.settings.telegram_url,
            "TICKWORK_PROXIES": str(self.settings.proxy_count),
            # Every shell checks orders with these limits, whatever its own environment holds.
            "TICKWORK_BARS_LIMIT": str(self.settings.bars_limit),
            "TICKWORK_MAX_QUANTITY": str(self.settings.max_quantity),
            "TICKWORK_ENTRY_TTL": str(int(self.settings.entry_ttl.total_seconds())),
            "TICKWORK_SLOTS": ",".join(f"{fleet}={count}" for fleet, count in self.settings.slots.items()),
            "TICKWORK_APPROVAL_TTL": str(int(self.settings.approval_ttl.total_seconds())),
            "TICKWORK_FLOWER_HOSTS": ",".join(self.settings.flower_hosts),
            "TICKWORK_PROMETHEUS_PORT": str(self.settings.prometheus_port),
            "TICKWORK_TRACES_URL": self.settings.traces_url,
            "TICKWORK_INHIBIT_SLEEP": "on" if self.settings.inhibit_sleep else "off",
            "TICKWORK_LOG_LEVEL": self.settings.log_level,
            "TICKWORK_LOG_FORMAT": self.settings.log_format,
            FILE_VARIABLE: "",
        }


def receiver_program(stack: StackConfig) -> Program:
    """Return the receiver, which starts first: alerts must not wait for the other programs."""
    return _http_program(stack, "receiver", ["web.receiver", "--port", str(stack.ports["receiver"])], "/live")


def other_programs(stack: StackConfig) -> Iterator[Program]:
    """Yield the other programs in start order."""
    if stack.market.simulator:
        clock = stack.clock
        yield _http_program(
            stack,
            "simulator",
            [
                "simulator",
                *("--port", str(stack.ports["simulator"])),
                *("--control-port", str(stack.ports["simulator-control"])),
                *("--state", str(stack.home.root / "simulator" / stack.database)),
                *("--machine-origin", clock.machine_origin.isoformat()),
                *("--market-origin", clock.market_origin.isoformat()),
                *("--speed", str(clock.speed)),
                *("--limits", "on" if stack.limits else "off"),
                *stack.market.simulator,
            ],
            "/api/Status/ping",
        )
    yield _heartbeat_program(stack, "feed", ["workers.feed"])
    for fleet in FLEETS:
        yield _heartbeat_program(stack, fleet.program, ["workers", fleet.name], stop_timeout_s=WORKER_STOP_TIMEOUT_S)
    yield _heartbeat_program(stack, DIRECT_WORKER, ["workers.direct"], stop_timeout_s=WORKER_STOP_TIMEOUT_S)
    yield _heartbeat_program(stack, RISK_MONITOR, ["workers.risk"])
    yield _heartbeat_program(stack, "relay", ["scheduler", "relay"])
    yield _heartbeat_program(stack, "beat", ["scheduler", "beat"])
    port = stack.ports["flower"]
    flower = ["workers.flower", "--port", str(port)]
    yield _http_program(stack, "flower", flower, "/healthcheck", niceness=10)  # monitoring must not slow down trading
    if EXPORTER in stack.ports:
        exporter = ["web.exporter", "--port", str(stack.ports[EXPORTER])]
        yield _http_program(stack, EXPORTER, exporter, "/live", niceness=10)
    if stack.settings.traces_url:
        yield _heartbeat_program(stack, TRACE_EXPORTER, ["workers.tracing"], niceness=10)
    if stack.settings.telegram_token:
        yield _heartbeat_program(stack, TELEGRAM, ["workers.telegram"], niceness=10)


def _http_program(stack: StackConfig, name: str, module: list[str], path: str, *, niceness: int = 0) -> Program:
    url = f"http://127.0.0.1:{stack.ports[name]}{path}"
    return Program(
        name,
        _python_command(module),
        _program_environment(stack, name),
        lambda: answers_http(url),
        niceness=niceness,
        is_forked=True,
        hung_after_s=_SILENT_HTTP_S,
    )


def _heartbeat_program(
    stack: StackConfig, name: str, module: list[str], *, stop_timeout_s: float = 3.0, niceness: int = 0
) -> Program:
    heartbeat = stack.home.run / f"{name}.heartbeat"
    return Program(
        name,
        _python_command(module),
        _program_environment(stack, name) | {"TICKWORK_HEARTBEAT_FILE": str(heartbeat)},
        lambda: is_fresh(heartbeat),
        niceness=niceness,
        heartbeat=heartbeat,
        stop_timeout_s=stop_timeout_s,
        is_forked=True,
        hung_after_s=_SILENT_HEART_S,
    )


def _python_command(module: list[str]) -> list[str | Path]:
    return [sys.executable, "-m", *module]


def _program_environment(stack: StackConfig, name: str) -> dict[str, str]:
    without = dict.fromkeys(_SECRETS, "") if name in _WITHOUT_SECRETS else {}
    if name != _SENDER:
        without["TICKWORK_NOTIFY_CHANNELS"] = ""
    if name != TELEGRAM:
        without["TICKWORK_TELEGRAM_TOKEN"] = ""
    is_set = {
        "TICKWORK_HEARTBEAT_URL": bool(stack.settings.heartbeat_url),
        "TICKWORK_NOTIFY_CHANNELS": bool(stack.settings.notify_channels),
    }
    withheld = ",".join(BY_VARIABLE[one].key for one in without if is_set.get(one))
    more = {"TICKWORK_WITHHELD_SECRETS": withheld, "PYTHONUNBUFFERED": "1"}
    return environment() | stack.environment() | without | more
