"""Sends what has ended to the collector of the settings, from the rows: no other program does anything for it."""

import logging
import threading
from contextlib import closing
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from shared.clock import machine_now
from shared.config import Settings
from shared.db.engine import DATABASE_ERRORS, make_engine
from shared.db.metrics import spans
from shared.errors import SettingsError
from shared.heartbeat import touch, touch_waiting
from shared.ledger.jobs import job_names_with
from shared.trace_collector import Collector, CollectorError

log = logging.getLogger(__name__)

EVERY_S = 5.0
_LONGEST_PAUSE_S = 300.0  # for a collector that does not answer: what it took all the same comes again
# Rows are read that late, so that those are there whose transaction began earlier, and calls that are recorded later.
LAG = timedelta(seconds=15)
KEPT_FOR = timedelta(hours=1)  # for a collector that does not answer
_MOST_AT_ONCE = timedelta(minutes=5)
_STATEMENT_TIMEOUT_S = 10.0
_INSTANT = timedelta(microseconds=1)


def run(settings: Settings, stopping: threading.Event) -> None:
    """Export every few seconds until `stopping` is set; a collector that does not answer is tried ever less often.

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
    pause_s, retry_s, is_behind = EVERY_S, 0.0, True
    try:
        while not stopping.wait(0 if is_behind else EVERY_S):
            touch()
            is_behind = False
            retry_s -= EVERY_S
            if retry_s > 0:
                continue
            try:
                before = _read_progress(engine)
                export(engine, collector)
                is_behind = _is_behind(before, _read_progress(engine))
            except (*DATABASE_ERRORS, CollectorError) as error:
                if isinstance(error, DATABASE_ERRORS):
                    touch_waiting()
                if pause_s == EVERY_S:
                    log.warning("traces wait, as they cannot be exported: %s", error)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                retry_s = pause_s
            else:
                pause_s, retry_s = EVERY_S, 0.0
    finally:
        collector.close()
        engine.dispose()


def export(engine: Engine, collector: Collector) -> int:
    """Send the spans that have ended since the last call; return their number.

    What the collector took before this program died, or before it answered no more, may be sent again, under the same
    ids. Raise CollectorError, and one of DATABASE_ERRORS.
    """
    with engine.begin() as connection:
        window = _find_window(connection)
        if window is None:
            return 0
        since, until, left_out_since = window
        count, reached, failure = 0, since, None
        with closing(spans.list_ended(connection, since, until, sorted(job_names_with("is_probe")))) as parts:
            for rows in parts:
                try:
                    collector.send(rows)
                except CollectorError as error:
                    failure = error
                    break
                touch()
                count, reached = count + len(rows), rows[-1].ended_at - _INSTANT
        if failure is None:
            spans.record_progress(connection, until)
        elif count:
            spans.record_progress(connection, max(reached, since))
    if failure is not None:
        raise failure
    if left_out_since is not None:
        log.warning("traces from %s to %s are left out: the collector was away for too long", left_out_since, since)
    return count


def _read_progress(engine: Engine) -> datetime | None:
    with engine.begin() as connection:
        return spans.read_progress(connection)


def _is_behind(before: datetime | None, until: datetime | None) -> bool:
    """Whether a part was sent and minutes are still to be, as after a night: the next part follows at once."""
    return until is not None and until != before and until < machine_now() - LAG - _MOST_AT_ONCE / 5


def _find_window(connection: Connection) -> tuple[datetime, datetime, datetime | None] | None:
    """Return since when and until when spans are to be sent, and since when some are left out, if any are.

    None if there is nothing to send yet, or if another program sends.
    """
    exported_until, now = spans.lock_progress(connection), machine_now()
    if exported_until is None:
        return None
    if exported_until > now:
        log.warning("the clock was set back by %s; traces go on from now", exported_until - now)
        exported_until = now - LAG
        spans.record_progress(connection, exported_until)
    since = max(exported_until, now - KEPT_FOR)
    until = min(now - LAG, since + _MOST_AT_ONCE)
    return (since, until, exported_until if since > exported_until else None) if until > since else None
