"""The relay of the outbox: publishes wake-ups of unclaimed due jobs, reclaims expired leases, ends expired jobs."""

import logging
import signal
import threading
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import psycopg
from sqlalchemy import Connection, Engine

from shared.clock import monotonic
from shared.config import Settings
from shared.db.connect import connect
from shared.db.engine import DATABASE_ERRORS, driver, limit_lock_wait, make_engine, suppress_lock_timeout
from shared.db.upkeep.session_ender import SessionEnder
from shared.fleets import BATCHED, LEASE, Queue, max_outstanding, slots_of
from shared.heartbeat import touch, touch_waiting
from shared.ledger import queues, recovery
from shared.ledger.claims import LedgerConnection
from shared.ledger.connection import LedgerUnavailableError
from shared.ledger.envelope import BATCH, WakeUp, batch_wake_up
from shared.ledger.jobs import job_names_with
from shared.ledger.jobs.upkeep import Canary
from shared.ledger.ledger import Ledger
from shared.ledger.publisher import Publisher, open_publisher

log = logging.getLogger(__name__)

POLL_S = 0.45  # a notification comes first
FULL_POLL_S = 0.2  # while a queue is full
BACKLOG_POLL_S = 0.02  # while the backlog exceeds the queue's capacity and workers use it up quickly
# A backlog of at least this many jobs per slot runs in batches, if the jobs are transactional.
BACKLOG_PER_SLOT = 4
BATCH_SIZE = 50
LEASES_EVERY_S = 1.0
QUEUES_EVERY_S = 3.0
CANARY_EVERY = timedelta(seconds=10)
# After a pause of the relay (Postgres was away), workers get time to renew before their leases are reclaimed; and after
# a lock on the whole table, which keeps them from it too. So a reclaim hardly waits: it would be first when that ends.
GRACE_AFTER_PAUSE_S = 5.0
CLOCK_STEP_S = 2.0
SHORT_LOCK_WAIT = timedelta(milliseconds=50)
# A lock that is in the way of one part of a step must not keep the others waiting for long.
LOCK_TIMEOUT_S = 1.0
STATEMENT_TIMEOUT_S = 10.0
FROZEN_AFTER_S = 4.0  # a relay that is frozen in a transaction keeps the jobs of it locked no longer


class Relay:
    """One relay of any number: rows are locked with SKIP LOCKED, and a surplus wake-up does nothing."""

    def __init__(self, engine: Engine, publisher: Publisher) -> None:
        self._engine = engine
        self._publisher = publisher
        self._ledger = Ledger(engine, publisher)
        self._ran_at = monotonic()  # when something that it waited for last ended
        self._reclaim_from = self._ran_at + GRACE_AFTER_PAUSE_S
        self._check_queues_from = 0.0
        self._clock: tuple[datetime | None, float] = (None, 0.0)  # of Postgres and of this program, at the last step
        self._filled_at = dict.fromkeys(Queue, monotonic())  # when each queue was last full
        self._republished: Counter[Queue] = Counter()  # not yet recorded

    def close(self) -> None:
        """Close the connections to Postgres and the broker."""
        self._ledger.close()

    def step(self) -> float:
        """Run one step; return the seconds until the next. A part that meets a lock is left for a later step.

        Raise one of DATABASE_ERRORS or LedgerUnavailableError if Postgres does not answer.
        """
        self._note_pause()
        work = queues.Work(has_expired=True, has_old_leases=True, due=frozenset(Queue), next_due_in=None)
        with suppress_lock_timeout("the next job is found by polling"):
            work = queues.find_work(self._ledger.connection.open())
            self._note_pause()
            self._check_clock(work.read_at)
        if work.has_expired:
            with self._part("jobs expire later") as connection:
                recovery.expire(driver(connection))
        if work.has_old_leases and monotonic() >= self._reclaim_from:
            self._reclaim()
        waits = self._publish_all(work.due)
        if monotonic() >= self._check_queues_from:
            self._check_queues_from = monotonic() + QUEUES_EVERY_S
            self._check_queues()
            self._record_republished()
        if work.next_due_in is not None:
            waits.append(max(work.next_due_in.total_seconds(), 0.005))
        return min([*waits, POLL_S])

    def give_grace(self) -> None:
        """Give workers time to write their heartbeats, as Postgres did not answer, before leases are reclaimed."""
        self._reclaim_from = monotonic() + GRACE_AFTER_PAUSE_S

    def _note_pause(self) -> None:
        """Give workers grace if this program or Postgres has stood still since the last call: they may have too."""
        before, self._ran_at = self._ran_at, monotonic()
        if self._ran_at - before > LEASE.total_seconds() / 2:
            self.give_grace()

    def _check_clock(self, read_at: datetime | None) -> None:
        """Let workers renew their leases after the clock was set, or the computer slept, before any is reclaimed."""
        before, self._clock = self._clock, (read_at, monotonic())
        if read_at is None:
            return
        if before[0] is None:  # the clock may have been set back while no relay ran
            self._forget_future()
            return
        step_s = (read_at - before[0]).total_seconds() - (self._clock[1] - before[1])
        if abs(step_s) < CLOCK_STEP_S:
            return
        self.give_grace()
        log.warning(
            "the clock of Postgres went %+.0f s beside this program's: it was set, or the computer slept", step_s
        )
        if step_s < 0:
            self._forget_future()

    def _forget_future(self) -> None:
        with self._part("jobs of before a step back of the clock are due later") as connection:
            changed = recovery.forget_future(driver(connection))
        if changed:
            log.warning("the clock was set back: the times of %s queued job(s) are set back with it", changed)

    @contextmanager
    def _part(self, consequence: str) -> Iterator[Connection]:
        """Commit one part of a step, or leave it for later if it meets a lock."""
        with suppress_lock_timeout(consequence), self._engine.begin() as connection:
            yield connection
        self._note_pause()

    def _reclaim(self) -> None:
        self.give_grace()
        with self._part("expired leases are reclaimed later") as connection:
            limit_lock_wait(connection, SHORT_LOCK_WAIT)
            reclaimed = recovery.reclaim_expired_leases(driver(connection))
            self._reclaim_from = monotonic() + LEASES_EVERY_S
            if reclaimed:
                log.warning("%s job(s) with an expired lease reclaimed", reclaimed)

    def _check_queues(self) -> None:
        due: list[Queue] = []
        with self._part("queues are counted later") as connection:
            queues.count_queued(driver(connection))
            due = queues.request_canaries(driver(connection), CANARY_EVERY)
        with suppress_lock_timeout("canaries are sent later"):
            for queue in due:  # the next step publishes them
                self._ledger.enqueue(Canary(), queue=queue, expires_after=3 * CANARY_EVERY, publish_on_commit=False)

    def _record_republished(self) -> None:
        for queue, count in list(self._republished.items()):
            with self._part("wake-ups that were published again are counted later") as connection:
                limit_lock_wait(connection, SHORT_LOCK_WAIT)
                queues.record_republished(driver(connection), queue, count)
                del self._republished[queue]

    def _publish_all(self, due: Collection[Queue]) -> list[float]:
        """Fill the queues; a broker that does not answer is asked once in a step, as each question costs a second."""
        waits: list[float] = []
        for queue in Queue:
            if queue in due:
                capacity = self._publisher.capacity(queue)
                self._note_pause()
                if capacity is None:
                    return [*waits, POLL_S]
                waits.append(self._publish(queue, capacity))
                self._note_pause()
        return waits

    def _publish(self, queue: Queue, capacity: int) -> float:
        """Fill the queue with wake-ups; return the seconds until it may have capacity for the rest of the backlog."""
        if capacity == 0:
            self._filled_at[queue] = monotonic()
            return FULL_POLL_S
        wake_ups: list[WakeUp] = []
        with self._part(f"jobs of the queue {queue} are published later") as connection:
            raw = driver(connection)
            batches = self._plan_batches(raw, queue, capacity)
            batched = sorted({batch.name.removesuffix(BATCH) for batch in batches})
            wake_ups, again = queues.take_due(raw, queue, capacity - len(batches), batched)
            if again:
                self._republished[queue] += again
            wake_ups += batches
        if wake_ups:
            self._publisher.publish(wake_ups)
        if len(wake_ups) < capacity:
            return POLL_S
        # The backlog exceeds the capacity: return when, at this pace, workers have taken half of the wake-ups.
        elapsed, self._filled_at[queue] = monotonic() - self._filled_at[queue], monotonic()
        return min(max(elapsed * max_outstanding(queue) / (2 * capacity), BACKLOG_POLL_S), FULL_POLL_S)

    def _plan_batches(self, connection: LedgerConnection, queue: Queue, capacity: int) -> list[WakeUp]:
        """Return wake-ups for batches of jobs, if there is a backlog of transactional jobs."""
        names = job_names_with("is_transactional")
        if queue not in BATCHED or not names:
            return []
        slots = slots_of(queue)
        waiting = queues.backlog_by_name(connection, queue, names, BACKLOG_PER_SLOT * slots * BATCH_SIZE)
        return [
            batch_wake_up(name, queue, BATCH_SIZE)
            for name, count in waiting.items()
            if count >= BACKLOG_PER_SLOT * slots
            for _ in range(min(-(-count // BATCH_SIZE), slots, capacity // len(waiting)))
        ]


def listen(url: str, changed: threading.Event, stopping: threading.Event) -> None:
    """Set `changed` on each NOTIFY that a job is due; jobs whose NOTIFY is lost are found by polling."""
    while not stopping.is_set():
        try:
            with connect(url, program="relay") as connection:
                connection.execute("LISTEN job_due")
                while not stopping.is_set():
                    for _ in connection.notifies(timeout=1.0, stop_after=1):
                        changed.set()
        except psycopg.Error as error:
            log.warning("cannot listen for notifications, polling goes on: %s", error)
            stopping.wait(1)


def run(settings: Settings) -> None:
    """Relay until SIGTERM or SIGINT."""
    stopping, changed = threading.Event(), threading.Event()

    def stop(*_: object) -> None:
        stopping.set()
        changed.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    url = settings.require_database()
    engine = make_engine(
        url,
        program="relay",
        pool_size=2,
        statement_timeout_s=STATEMENT_TIMEOUT_S,
        lock_timeout_s=LOCK_TIMEOUT_S,
        idle_in_transaction_timeout_s=FROZEN_AFTER_S,
    )
    relay = Relay(engine, open_publisher(settings.require_broker()))
    threading.Thread(target=listen, args=(url, changed, stopping), name="listener", daemon=True).start()
    with SessionEnder(url, "relay"):  # an exit must not wait for a person's open transaction
        while not stopping.is_set():
            wait = 0.5
            try:
                wait = relay.step()
                touch()
            except (*DATABASE_ERRORS, LedgerUnavailableError) as error:
                relay.give_grace()
                log.warning("the ledger does not answer, trying again: %s", error)
                touch_waiting()
            changed.wait(wait)
            changed.clear()
    relay.close()
