"""Sends what has ended to the collector of the settings, from the rows: no other program does anything for it."""

import logging
import threading
from datetime import timedelta

from sqlalchemy import Engine

from shared.clock import machine_now
from shared.config import Settings
from shared.db.engine import DATABASE_ERRORS, make_engine
from shared.db.metrics import spans
from shared.errors import SettingsError
from shared.heartbeat import touch, touch_waiting
from shared.ledger.jobs import job_names_with
from workers.tracing.collector import Collector, CollectorError

log = logging.getLogger(__name__)

EVERY_S = 5.0
# Rows are read that late, so that those are there whose transaction began earlier, and calls that are recorded later.
LAG = timedelta(seconds=15)
KEPT_FOR = timedelta(hours=1)  # for a collector that does not answer
_MOST_AT_ONCE = timedelta(minutes=5)
_STATEMENT_TIMEOUT_S = 10.0


def run(settings: Settings, stopping: threading.Event) -> None:
    """Export every few seconds until `stopping` is set; a collector that does not answer is tried again.

    Raise SettingsError if no URL is set.
    """
    if not settings.traces_url:
        raise SettingsError("no traces_url is set: `tickwork config set traces_url URL` says where the collector is")
    engine = make_engine(
        settings.require_database(),
        program="trace-exporter",
        pool_size=1,
        statement_timeout_s=_STATEMENT_TIMEOUT_S,
        lock_timeout_s=1.0,
    )
    collector = Collector(settings.traces_url)
    is_failing = False
    try:
        while not stopping.is_set():
            try:
                export(engine, collector)
            except (*DATABASE_ERRORS, CollectorError) as error:
                touch_waiting() if isinstance(error, DATABASE_ERRORS) else touch()
                if not is_failing:
                    log.warning("traces wait, as they cannot be exported: %s", error)
                is_failing = True
            else:
                touch()
                is_failing = False
            stopping.wait(EVERY_S)
    finally:
        collector.close()
        engine.dispose()


def export(engine: Engine, collector: Collector) -> int:
    """Send the spans that have ended since the last call; return their number.

    What the collector took before this program died, or before it refused the rest, is sent again, under the same ids.
    Raise CollectorError, and one of DATABASE_ERRORS.
    """
    now = machine_now()
    with engine.begin() as connection:
        exported_until = spans.lock_progress(connection)
        if exported_until is None:
            return 0
        since = max(exported_until, now - KEPT_FOR)
        if since > exported_until:
            log.warning("traces from %s to %s are left out: the collector was away for too long", exported_until, since)
        until = min(now - LAG, since + _MOST_AT_ONCE)
        if until <= since:
            return 0
        count = 0
        for rows in spans.list_ended(connection, since, until, sorted(job_names_with("is_probe"))):
            collector.send(rows)
            count += len(rows)
        spans.record_progress(connection, until)
    return count
