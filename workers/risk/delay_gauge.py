"""The gauge of the risk monitor: how late each run of the watch began, stored with it."""

from datetime import timedelta
from typing import Final

from shared.clock import machine_now, monotonic
from shared.db.engine import suppress_lock_timeout
from shared.db.metrics import gauges
from shared.domain.metrics.gauge_sums import Gauge, GaugeSums
from workers.risk.watch_run import WatchRun

PAUSE_S: Final = 10.0  # after another session kept it from storing them: that may last
_ROUND_DELAY: Final = Gauge("monitor", "risk-monitor", "round_delay_ms")
_MILLISECOND = timedelta(milliseconds=1)


class DelayGauge:
    """The delays of the runs that are not stored yet, which end with the session of the lease."""

    def __init__(self) -> None:
        self._sums = GaugeSums()
        self._store_at = monotonic()

    def add(self, delay: timedelta) -> None:
        """Add the delay of a run that begins now."""
        self._sums.add(_ROUND_DELAY, delay / _MILLISECOND, machine_now())

    def store(self, run: WatchRun) -> None:
        """Store them in the session of a run; what Postgres does not take is lost, and then nothing is for PAUSE_S."""
        if monotonic() < self._store_at:
            return
        self._store_at = monotonic() + PAUSE_S
        sums = self._sums.take()
        with suppress_lock_timeout("the delays of some runs are not in the metrics"), run.begin() as connection:
            gauges.store(connection, sums)
            self._store_at = monotonic()
