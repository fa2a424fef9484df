"""Collects calls to the venue, and records those of a job once it has ended, or within a second of a long one."""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal
from threading import Event, Lock, Thread
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Engine

from shared.db.engine import DATABASE_ERRORS, autocommit, driver
from shared.db.metrics import metrics
from shared.db.metrics.metrics import ApiCall
from shared.gateway.ports import Call
from shared.ledger.connection import AutocommitConnection, LedgerUnavailableError

# A backfill of hours makes a few thousand calls: the memory of its process must not grow with them.
MAX_KEPT = 1_000

_REFUSED_ERRORS = (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError)  # so would be the next try
_RECORDED_AFTER_S = 0.8  # a kill loses the calls since then, with the INSERT those of a second

log = logging.getLogger(__name__)


class CallBuffer:
    """The gateway's CallLog: one INSERT per job, or per second, instead of one per call.

    What takes longer than a second is recorded by a thread of its own, so that no job waits for that. It begins with
    the first call and sleeps while there is none. `connection` is that of the claims of jobs, whose end records the
    rest: a statement costs a third there.
    """

    def __init__(self, engine: Engine, connection: AutocommitConnection | None = None) -> None:
        self._engine = engine
        self._connection = connection
        self._calls: list[tuple[Call, UUID | None]] = []
        self._omitted_count = 0
        self._taken_count = 0  # that are being recorded now
        self._is_away = False
        self._job_id: UUID | None = None
        self._lock = Lock()  # calls may be made, and recorded, in several threads
        self._has_calls = Event()
        self._thread: Thread | None = None

    def begin(self, job_id: UUID) -> None:
        """Let the calls from now on be those of this job; before the first one they are of no job."""
        self._job_id = job_id

    def record(self, call: Call) -> None:
        """Keep one call until they are recorded: the first MAX_KEPT calls, and failures up to twice as many."""
        with self._lock:
            if len(self._calls) < MAX_KEPT or (call.error is not None and len(self._calls) < 2 * MAX_KEPT):
                self._calls.append((call, self._job_id))
            else:
                self._omitted_count += 1
            if self._thread is None:
                self._thread = Thread(target=self._record_late_ones, name="calls", daemon=True)
                self._thread.start()
        self._has_calls.set()

    def flush(self) -> None:
        """Record the calls that are kept; a database error here is logged and does not fail the job.

        While Postgres is away the thread tries again each second, with the calls that follow.
        """
        if self._connection is None:
            self._flush_by_engine()
        else:
            self._flush(self._connection.open)

    def end(self) -> None:
        """Record the calls that are kept, and log how many are lost, before this process ends."""
        self.flush()
        with self._lock:
            lost_count = len(self._calls) + self._taken_count + self._omitted_count
        if lost_count:
            log.warning("%s calls to the venue are lost, as this process ends while Postgres is away", lost_count)

    def _flush_by_engine(self) -> None:
        with ExitStack() as stack:
            self._flush(lambda: driver(stack.enter_context(autocommit(self._engine))))

    def _flush(self, connect: Callable[[], psycopg.Connection[Any]]) -> None:
        self._has_calls.clear()
        with self._lock:
            calls, self._calls = self._calls, []
            self._taken_count += len(calls)
            omitted_count, self._omitted_count = self._omitted_count, 0
        if omitted_count and not self._is_away:
            log.warning("job %s made too many calls: %s of them were not recorded", self._job_id, omitted_count)
            omitted_count = 0
        if not calls:
            return
        try:
            metrics.record_calls(connect(), [_row(call, job_id) for call, job_id in calls])
        except _REFUSED_ERRORS:
            log.exception("%s calls to the venue were not recorded", len(calls))
        except (*DATABASE_ERRORS, LedgerUnavailableError) as error:
            if not self._is_away:
                log.warning("calls to the venue are recorded later: %s", error)
            self._is_away = True
            self._keep(calls, omitted_count)
        else:
            if self._is_away:
                log.warning("calls to the venue are recorded again; %s were too many to keep", omitted_count)
            self._is_away = False
        finally:
            with self._lock:
                self._taken_count -= len(calls)

    def _keep(self, calls: list[tuple[Call, UUID | None]], omitted_count: int) -> None:
        """Keep the calls that Postgres did not take, the oldest first, up to the number that `record` keeps.

        Those of an INSERT whose answer was lost may be recorded twice.
        """
        with self._lock:
            kept = [*calls, *self._calls]
            self._calls = kept[: 2 * MAX_KEPT]
            self._omitted_count += omitted_count + len(kept) - len(self._calls)
        self._has_calls.set()

    def _record_late_ones(self) -> None:
        pause = Event()
        while True:
            self._has_calls.wait()
            pause.wait(_RECORDED_AFTER_S)
            self._flush_by_engine()


def _row(call: Call, job_id: UUID | None) -> ApiCall:
    milliseconds = Decimal(call.duration // timedelta(microseconds=1)) / 1000
    return ApiCall(
        call.endpoint, call.method, call.started_at, milliseconds, call.status, call.error, job_id, call.queue
    )
