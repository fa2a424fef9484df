"""Publishes due jobs that nobody claimed, takes back what silent workers ran, ends what expired."""

import logging
import signal
import threading

import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from shared.clock import monotonic
from shared.config import Settings
from shared.db.engine import make_engine
from shared.fleets import Queue
from shared.heartbeat import touch
from shared.ledger import rows
from shared.ledger.wake import Wake

log = logging.getLogger(__name__)

POLL_S = 0.2
LEASES_EVERY_S = 1.0
# After a silence of ours (Postgres was away), workers get time to renew before we call them silent.
GRACE_AFTER_SILENCE_S = 5.0


class Relay:
    """Any number may run: rows are locked with SKIP LOCKED, and a wake-up too many does nothing."""

    def __init__(self, engine: Engine, wake: Wake) -> None:
        self._engine = engine
        self._wake = wake
        self._looked_at = monotonic()
        self._leases_from = monotonic() + GRACE_AFTER_SILENCE_S

    def look(self) -> float:
        """Do one round; return the seconds until the next is worth it. Raise SQLAlchemyError when Postgres is away."""
        now = monotonic()
        if now - self._looked_at > rows.LEASE.total_seconds() / 2:
            self._leases_from = now + GRACE_AFTER_SILENCE_S
        if now >= self._leases_from:
            self._leases_from = now + LEASES_EVERY_S
            with self._engine.begin() as connection:
                taken_back = rows.take_back_expired_leases(connection)
            if taken_back:
                log.warning("%s job(s) taken back from silent workers", taken_back)
        with self._engine.begin() as connection:
            rows.expire(connection)
        for queue in Queue:
            self._publish(queue)
        with self._engine.connect() as connection:
            next_due_in = rows.next_due_in(connection)
        self._looked_at = monotonic()
        return POLL_S if next_due_in is None else min(max(next_due_in.total_seconds(), 0.005), POLL_S)

    def _publish(self, queue: Queue) -> None:
        room = self._wake.room(queue)
        if room == 0:
            return
        with self._engine.begin() as connection:
            wake_ups = rows.due(connection, queue, room)
        if wake_ups:
            self._wake.publish(wake_ups)


def listen(url: str, changed: threading.Event, stopping: threading.Event) -> None:
    """Set `changed` whenever a NOTIFY says that a job is due; polling remains the truth."""
    while not stopping.is_set():
        try:
            with psycopg.connect(
                url, autocommit=True, connect_timeout=5, application_name="tickwork relay"
            ) as connection:
                connection.execute("LISTEN job_due")
                while not stopping.is_set():
                    for _ in connection.notifies(timeout=1.0, stop_after=1):
                        changed.set()
        except psycopg.Error as error:
            log.warning("not listening, polling goes on: %s", error)
            stopping.wait(1)


def run(settings: Settings) -> None:
    """Relay until SIGTERM or SIGINT."""
    stopping, changed = threading.Event(), threading.Event()

    def stop(*_: object) -> None:
        stopping.set()
        changed.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    url = settings.need_database()
    relay = Relay(make_engine(url, program="relay", pool_size=2), Wake(settings.need_redis()))
    threading.Thread(target=listen, args=(url, changed, stopping), name="listener", daemon=True).start()
    while not stopping.is_set():
        wait = 0.5
        try:
            wait = relay.look()
            touch()
        except SQLAlchemyError as error:
            log.warning("the ledger does not answer, trying again: %s", error)
        changed.wait(wait)
        changed.clear()
