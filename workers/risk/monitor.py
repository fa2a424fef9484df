"""The risk monitor: runs the watch once a second while its session holds the lease, and stands by otherwise."""

import logging
import os
import socket
import threading
from datetime import timedelta

from sqlalchemy import Connection

from shared.clock import monotonic
from shared.config import Settings
from shared.db.engine import DATABASE_ERRORS, driver, suppress_lock_timeout
from shared.db.market_data import market_clock
from shared.db.risk import monitor_runs
from shared.db.risk.monitor_lease import make_monitor_engine, try_acquire
from shared.db.risk.monitor_runs import ActiveMonitor
from shared.domain.risk.run_delays import RunDelays
from shared.errors import TickworkError
from shared.heartbeat import touch, touch_waiting
from shared.hot.positions import PositionReader
from shared.hot.quotes import QuoteReader
from workers.risk.delay_gauge import DelayGauge
from workers.risk.watch import watch_once
from workers.risk.watch_run import WatchRun

log = logging.getLogger(__name__)

RUN_EVERY = timedelta(seconds=1)
_ACQUIRE_EVERY_S = 0.5  # how often a standby tries; less than Postgres lets its session be idle


class RiskMonitor:
    """One of any number of monitors; an error ends a run and never the program."""

    def __init__(
        self, settings: Settings, quotes: QuoteReader, positions: PositionReader, stopping: threading.Event
    ) -> None:
        self._settings = settings
        self._quotes = quotes
        self._positions = positions
        self._stopping = stopping
        self._engine = make_monitor_engine(settings.require_database(), program="risk-monitor")

    def run(self) -> None:
        """Watch or stand by until `stopping` is set."""
        while not self._stopping.is_set():
            try:
                with self._engine.connect() as connection:
                    try:
                        self._run_in_session(connection)
                    finally:
                        connection.invalidate()  # the lease ends with the session
            except (*DATABASE_ERRORS, TickworkError) as error:
                touch_waiting()
                log.warning("the session of this risk-monitor has ended, it connects again: %s", error)
            except Exception:
                log.exception("this risk-monitor connects again after an error")
            self._stopping.wait(_ACQUIRE_EVERY_S)
        self._engine.dispose()

    def _run_in_session(self, connection: Connection) -> None:
        is_standby = False
        while not self._acquire(connection):
            if not is_standby:
                is_standby = True
                log.info("another risk-monitor is the active one, this one stands by")
            touch()
            if self._stopping.wait(_ACQUIRE_EVERY_S):
                return
        self._watch_while_active(connection)

    def _acquire(self, connection: Connection) -> bool:
        with connection.begin():
            return try_acquire(connection)

    def _watch_while_active(self, connection: Connection) -> None:
        session, delays, gauge = driver(connection), RunDelays(), DelayGauge()
        with connection.begin():
            clock = market_clock.require(connection).clock
            since, pause = monitor_runs.read_last_run(connection)
        log.info("this risk-monitor is the active one")
        active = ActiveMonitor(socket.gethostname(), os.getpid(), since)
        due = _read_clock() - max((pause or RUN_EVERY) - RUN_EVERY, timedelta(0))
        while not self._stopping.wait(max(due - _read_clock(), timedelta(0)).total_seconds()):
            began = _read_clock()
            figures, due = delays.add(began, began - due), began + RUN_EVERY
            gauge.add(figures.last)
            touch()
            run = WatchRun(self._settings, clock, self._quotes, self._positions, connection, session)
            try:
                watch_once(run)
                with suppress_lock_timeout("how late a run was is recorded by the next one"), run.begin():
                    monitor_runs.record(connection, active, figures)
                gauge.store(run)
            except Exception:
                if run.is_lost:
                    raise
                log.exception("a run of the watch failed, the next one follows")
        with suppress_lock_timeout("the row of this risk-monitor stays"), connection.begin():
            monitor_runs.end(connection)


def _read_clock() -> timedelta:
    """Return the reading of a clock that is never set."""
    return timedelta(seconds=monotonic())
