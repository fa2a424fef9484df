"""Records what the programs of `up` and this computer use, every fifteen seconds, in a thread of its own."""

import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil
from sqlalchemy import Engine

from cli.local.processes.background import Background
from cli.local.processes.usage import MIB, UsageSampler
from shared.clock import machine_now
from shared.db.metrics import gauges
from shared.domain.metrics.gauge_sums import Gauge, GaugeSums

RECORD_EVERY_S: Final = 15.0


class UsageRecorder(Background):
    """Stores each sample at once; a sample that Postgres does not take is lost, and nothing waits for it."""

    def __init__(
        self, engine: Engine, folder: Path, list_pids: Callable[[], Mapping[str, int]], show: Callable[[str], None]
    ) -> None:
        """`list_pids` returns the process ids of the programs by name; `folder` is on the disk whose space counts."""
        self._engine = engine
        self._folder = folder
        self._list_pids = list_pids
        self._show = show
        self._host = socket.gethostname()
        self._sampler = UsageSampler()
        self._has_failed = False
        super().__init__("usage")

    def _run(self) -> None:
        psutil.cpu_percent()  # of the time from here on, as the sampler's
        with suppress(psutil.Error, OSError):
            self._sampler.sample(self._list_pids())
        while not self._is_ending.wait(RECORD_EVERY_S):
            try:
                self._record()
            except Exception as error:  # noqa: BLE001  # a figure must not end the others
                if not self._has_failed:
                    self._show(
                        f"figures of the programs are not recorded until Postgres takes them ({type(error).__name__})"
                    )
                self._has_failed = True
            else:
                self._has_failed = False

    def _record(self) -> None:
        at, sums = machine_now(), GaugeSums()
        for name, value in {
            "cpu_percent": psutil.cpu_percent(),
            "memory_percent": psutil.virtual_memory().percent,
            "load_1m": psutil.getloadavg()[0],
            "disk_free_mb": psutil.disk_usage(str(self._folder)).free / MIB,
        }.items():
            sums.add(Gauge("host", self._host, name), value, at)
        for one in self._sampler.sample(self._list_pids()):
            source = f"{self._host}/{one.name}"
            sums.add(Gauge("program", source, "cpu_percent"), one.cpu_percent, at)
            sums.add(Gauge("program", source, "memory_mb"), one.memory_mb, at)
            sums.add(Gauge("program", source, "processes"), one.processes, at)
            sums.add(Gauge("program", source, "uptime_s"), one.uptime_s, at)
        with self._engine.begin() as connection:
            gauges.store(connection, sums.take())
