"""A Celery beat whose tick inserts job rows instead of publishing: any number of beats keep one schedule."""

import logging
import signal
from datetime import datetime, timedelta
from typing import Any

import msgspec
from celery import Celery
from celery.beat import Scheduler, Service

from scheduler.timetable import TIMETABLE
from shared.clock import MarketClock
from shared.config import Settings
from shared.db.engine import DATABASE_ERRORS, limit_lock_wait, make_engine, suppress_lock_timeout
from shared.db.market_data import contracts, market_clock
from shared.db.upkeep import schedules
from shared.db.upkeep.schedules import ScheduleRow
from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.contract import ROOTS
from shared.domain.upkeep.slots import Missed, SlotPlan, plan, slot_at
from shared.errors import QueueFullError
from shared.heartbeat import touch, touch_waiting
from shared.ledger import start
from shared.ledger.ledger import Ledger
from shared.ledger.publisher import open_publisher
from shared.ledger.schedule_jobs import build_request, enqueue_slot

log = logging.getLogger(__name__)

LONGEST_SLEEP_S = 0.5
STATEMENT_TIMEOUT_S = 10.0
# At most one run of an entry per machine second, however fast the market clock runs and however many beats run.
MIN_RUN_INTERVAL = timedelta(seconds=0.95)
LOCK_WAIT = timedelta(seconds=0.2)  # for an entry that a person edits; the others go on


class Beat:
    """Enqueues a job for each due slot of the table `schedule`."""

    def __init__(self, ledger: Ledger, clock: MarketClock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._has_begun = False

    def seed(self) -> None:
        """Bring the timetable into the table; an entry that a person locks gets its changes at the next start."""
        rows = [
            {
                "name": entry.name,
                "job_name": entry.request.job_name(),
                "clock": entry.clock,
                "every": entry.every,
                "missed": entry.missed,
                "only_when_open": entry.only_when_open,
            }
            for entry in TIMETABLE
        ]
        consequence = "changes of the timetable are made at the next start"
        with suppress_lock_timeout(consequence), self._ledger.engine.begin() as connection:
            limit_lock_wait(connection, LOCK_WAIT)
            schedules.seed(connection, rows)

    def begin(self) -> None:
        """Begin a run of the installation, once, as each has a beat; the next tick tries again if accounts are locked.

        Docker starts the containers of a computer that was restarted without the command that prepares them.
        """
        if self._has_begun:
            return
        with suppress_lock_timeout("the accounts are compared with the venue at the next tick"):
            with self._ledger.transaction() as tx:
                limit_lock_wait(tx.connection, LOCK_WAIT)
                start.begin(tx)
            self._has_begun = True

    def tick(self) -> float:
        """Enqueue the jobs of due slots; return the seconds until the next tick."""
        with self._ledger.engine.connect() as connection:
            entries = [entry for entry in schedules.list_entries(connection) if entry.is_enabled]
            roots = contracts.list_tracked_roots(connection)
            machine = schedules.read_time(connection)  # after the rows, which another beat may just have written
        wait = LONGEST_SLEEP_S
        for entry in entries:
            if self._plan(entry, machine) != SlotPlan(None):
                self._process(entry.name, roots)
            wait = min(wait, self._seconds_to_next(entry, machine))
        return max(wait, 0.01)

    def _plan(self, entry: ScheduleRow, machine: datetime) -> SlotPlan:
        if entry.ran_at is not None and abs(machine - entry.ran_at) < MIN_RUN_INTERVAL:
            return SlotPlan(None)
        now = self._clock.to_market(machine) if entry.clock == "market" else machine
        return plan(now, entry.every, entry.last_slot, Missed(entry.missed))

    def _process(self, name: str, roots: list[str]) -> None:
        with suppress_lock_timeout(f"schedule {name} is processed later"), self._ledger.transaction() as tx:
            limit_lock_wait(tx.connection, LOCK_WAIT)
            entry = schedules.lock(tx.connection, name)
            if entry is None or not entry.is_enabled:
                return
            machine = schedules.read_time(tx.connection)
            due = self._plan(entry, machine)  # again: another beat may have processed the slot meanwhile
            if due.newest is None:
                return
            if due.stepped_back_by is not None:
                log.warning("schedule %s: the clock was set back by %s; it goes on from now", name, due.stepped_back_by)
                schedules.record_step_back(tx.connection, name, machine, due.stepped_back_by)
            schedules.record_skipped(
                tx.connection, entry.name, (slot for slot in due.skipped if self._is_open(entry, slot, roots))
            )
            schedules.set_last_slot(tx.connection, entry.name, due.newest)
            if due.run is None or not self._is_open(entry, due.run, roots):
                return
            try:
                request = build_request(entry, due.run)
            except (
                LookupError,
                msgspec.ValidationError,
            ) as error:  # a person may edit rows; the others go on
                log.error("schedule %s: %s; slot %s is skipped: correct its row", entry.name, error, due.run)  # noqa: TRY400  # the message says all
                schedules.record_skipped(tx.connection, entry.name, [due.run])
                return
            try:
                period = entry.every / self._clock.speed if entry.clock == "market" else entry.every
                enqueue_slot(tx, entry, due.run, request, period=period, now=machine)
            except QueueFullError as error:
                log.warning("schedule %s: slot %s is skipped: %s", entry.name, due.run, error)
                schedules.record_skipped(tx.connection, entry.name, [due.run])

    def _is_open(self, entry: ScheduleRow, slot: datetime, roots: list[str]) -> bool:
        """Whether the entry ignores sessions, or the minute that closed at `slot` is in one of a tracked contract."""
        return not entry.only_when_open or any(
            assumed_calendar_of(ROOTS[root].group).is_open(slot - MINUTE) for root in roots
        )

    def _seconds_to_next(self, entry: ScheduleRow, machine: datetime) -> float:
        if entry.clock == "machine":
            return (slot_at(machine, entry.every) + entry.every - machine).total_seconds()
        now = self._clock.to_market(machine)
        return (slot_at(now, entry.every) + entry.every - now).total_seconds() / self._clock.speed


class LedgerScheduler(Scheduler):
    """The scheduler that Celery's beat service runs; a tick that cannot reach Postgres is tried again."""

    def __init__(self, *args: Any, beat: Beat, **kwargs: Any) -> None:  # noqa: ANN401  # Celery's signature
        self._beat = beat
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Add none of Celery's own entries: the table is the schedule."""

    def tick(self, *_: Any, **__: Any) -> float:  # noqa: ANN401  # Celery's signature
        """Run one tick; return the seconds to sleep."""
        try:
            self._beat.begin()
            wait = self._beat.tick()
            touch()
        except DATABASE_ERRORS as error:
            log.warning("the schedule cannot be read, trying again: %s", error)
            touch_waiting()
            return LONGEST_SLEEP_S
        return wait


def run(settings: Settings) -> None:
    """Tick until SIGTERM or SIGINT."""
    engine = make_engine(
        settings.require_database(), program="beat", pool_size=2, statement_timeout_s=STATEMENT_TIMEOUT_S
    )
    ledger = Ledger(engine, open_publisher(settings.require_broker()))
    with ledger.engine.connect() as connection:
        row = market_clock.require(connection)
    beat = Beat(ledger, row.clock)
    beat.seed()
    app = Celery("tickwork", broker="memory://", set_as_current=False)

    class _Service(Service):
        def get_scheduler(self, *_: Any, **__: Any) -> Scheduler:  # noqa: ANN401  # Celery's signature
            return LedgerScheduler(app=app, beat=beat)

    service = _Service(app)
    signal.signal(signal.SIGTERM, lambda *_: service.stop())
    signal.signal(signal.SIGINT, lambda *_: service.stop())
    service.start()
