"""A Celery beat whose tick inserts rows: two of it are one schedule, and it touches no broker."""

import dataclasses
import logging
import signal
from datetime import datetime, timedelta
from typing import Any

import msgspec
from celery import Celery
from celery.beat import Scheduler, Service

from scheduler.slots import Missed, SlotPlan, plan, slot_at
from scheduler.timetable import TIMETABLE
from shared.clock import MarketClock, machine_now
from shared.config import Settings
from shared.db.engine import DATABASE_ERRORS, make_engine
from shared.db.market_data import contracts, market_clock
from shared.db.upkeep import schedules
from shared.db.upkeep.schedules import ScheduleRow
from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.calendar import calendar_of
from shared.domain.market_data.contract import ROOTS
from shared.errors import QueueFullError, SettingsError
from shared.heartbeat import touch
from shared.ledger.job import Job, request_of, request_type
from shared.ledger.ledger import Ledger, Transaction
from shared.ledger.wake import open_wake

log = logging.getLogger(__name__)

LONGEST_SLEEP_S = 0.5
SHORTEST_EXPIRY = timedelta(seconds=10)
# At most one run of an entry per machine second, however fast the market's clock runs and however many beats there are.
ONE_RUN_IN = timedelta(seconds=0.95)


class Beat:
    """Turns due slots of the table `schedule` into jobs."""

    def __init__(self, ledger: Ledger, clock: MarketClock) -> None:
        self._ledger = ledger
        self._clock = clock

    def seed(self) -> None:
        """Add the timetable's entries that the table lacks."""
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
        with self._ledger.engine.begin() as connection:
            schedules.seed(connection, rows)

    def tick(self) -> float:
        """Enqueue what is due; return the seconds until it is worth looking again."""
        with self._ledger.engine.connect() as connection:
            entries = [entry for entry in schedules.entries(connection) if entry.is_enabled]
            roots = contracts.tracked_roots(connection)
        machine = machine_now()
        wait = LONGEST_SLEEP_S
        for entry in entries:
            if self._due(entry, machine) != SlotPlan(None):
                self._deal_with(entry.name, machine, roots)
            wait = min(wait, self._until_next(entry, machine))
        return max(wait, 0.01)

    def _due(self, entry: ScheduleRow, machine: datetime) -> SlotPlan:
        if entry.ran_at is not None and abs(machine - entry.ran_at) < ONE_RUN_IN:
            return SlotPlan(None)
        now = self._clock.to_market(machine) if entry.clock == "market" else machine
        return plan(now, entry.every, entry.last_slot, Missed(entry.missed))

    def _deal_with(self, name: str, machine: datetime, roots: list[str]) -> None:
        with self._ledger.transaction() as tx:
            entry = schedules.lock(tx.connection, name)
            if entry is None or not entry.is_enabled:
                return
            due = self._due(entry, machine)  # again: another beat may have dealt with it meanwhile
            newest = due.run or (due.skipped[-1] if due.skipped else None)
            if newest is None:
                return
            schedules.note_skipped(
                tx.connection, entry.name, (slot for slot in due.skipped if self._is_open(entry, slot, roots))
            )
            schedules.deal_with(tx.connection, entry.name, newest)
            if due.run is None or not self._is_open(entry, due.run, roots):
                return
            try:
                request = _request(entry, due.run)
            except (LookupError, msgspec.ValidationError) as error:  # of one line that a person wrote; the rest goes on
                log.error("schedule %s: %s; slot %s is skipped: mend its row", entry.name, error, due.run)  # noqa: TRY400  # the message says all
                schedules.note_skipped(tx.connection, entry.name, [due.run])
                return
            try:
                self._enqueue(tx, entry, due.run, request, machine)
            except QueueFullError as error:
                log.warning("schedule %s: slot %s is skipped: %s", entry.name, due.run, error)
                schedules.note_skipped(tx.connection, entry.name, [due.run])

    def _enqueue(self, tx: Transaction, entry: ScheduleRow, slot: datetime, request: Job, machine: datetime) -> None:
        period = entry.every / self._clock.speed if entry.clock == "market" else entry.every
        enqueued = tx.enqueue(
            request,
            key=f"schedule:{entry.name}:{slot.isoformat()}",
            expires_after=max(period, SHORTEST_EXPIRY),
            publish_on_commit=False,
        )
        schedules.note_run(tx.connection, entry.name, slot, enqueued.job_id, machine)

    def _is_open(self, entry: ScheduleRow, slot: datetime, roots: list[str]) -> bool:
        """Whether the minute that closed at `slot` belongs to a session of anything we track."""
        return not entry.only_when_open or any(calendar_of(ROOTS[root].group).is_open(slot - MINUTE) for root in roots)

    def _until_next(self, entry: ScheduleRow, machine: datetime) -> float:
        if entry.clock == "machine":
            return (slot_at(machine, entry.every) + entry.every - machine).total_seconds()
        now = self._clock.to_market(machine)
        return (slot_at(now, entry.every) + entry.every - now).total_seconds() / self._clock.speed


def _request(entry: ScheduleRow, slot: datetime) -> Job:
    wants_slot = "slot" in {field.name for field in dataclasses.fields(request_type(entry.job_name))}
    return request_of(entry.job_name, entry.arguments | ({"slot": slot.isoformat()} if wants_slot else {}))


class LedgerScheduler(Scheduler):
    """What Celery's beat service drives; Postgres being away costs a look, not the program."""

    def __init__(self, *args: Any, beat: Beat, **kwargs: Any) -> None:  # noqa: ANN401  # Celery's signature
        self._beat = beat
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Keep Celery's own entries out: the table is the schedule."""

    def tick(self, *_: Any, **__: Any) -> float:  # noqa: ANN401  # Celery's signature
        """Do one look; return the seconds to sleep."""
        try:
            wait = self._beat.tick()
            touch()
        except DATABASE_ERRORS as error:
            log.warning("the schedule cannot be read, trying again: %s", error)
            return LONGEST_SLEEP_S
        return wait


def run(settings: Settings) -> None:
    """Tick until SIGTERM or SIGINT."""
    ledger = Ledger(
        make_engine(settings.need_database(), program="beat", pool_size=2), open_wake(settings.need_broker())
    )
    with ledger.engine.connect() as connection:
        row = market_clock.read(connection)
    if row is None:
        raise SettingsError("this database has met no market yet: start the stack with `tickwork up`")
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
