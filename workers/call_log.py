"""Collects the calls of a job to the venue, and records them after the job has ended, or each second of a long one."""

import logging
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import psycopg

from shared.clock import monotonic
from shared.db.metrics import metrics
from shared.db.metrics.metrics import ApiCall
from shared.fleets import ORDERING
from shared.gateway.ports import Call
from shared.ledger.connection import AutocommitConnection, LedgerUnavailableError

# A backfill of hours makes a few thousand calls: the memory of its process must not grow with them.
MAX_KEPT = 1_000

_RECORDED_EVERY_S = 1.0

log = logging.getLogger(__name__)


class CallBuffer:
    """The gateway's CallLog: one INSERT per job, or per second of a long job, instead of one per call.

    A job that may send orders never waits for that: its calls are recorded once it has ended.
    """

    def __init__(self, connection: AutocommitConnection) -> None:
        self._connection = connection
        self._calls: list[Call] = []
        self._omitted_count = 0
        self._job_id: UUID | None = None
        self._recorded_at = monotonic()

    def begin(self, job_id: UUID) -> None:
        """Let the calls from now on be those of this job."""
        self._job_id, self._recorded_at = job_id, monotonic()

    def record(self, call: Call) -> None:
        """Keep one call until they are recorded: the first MAX_KEPT calls, and failures up to twice as many."""
        is_due = self._calls and monotonic() - self._recorded_at >= _RECORDED_EVERY_S
        if is_due and self._job_id is not None and call.queue not in ORDERING:
            self.flush(self._job_id)
        if len(self._calls) < MAX_KEPT or (call.error is not None and len(self._calls) < 2 * MAX_KEPT):
            self._calls.append(call)
        else:
            self._omitted_count += 1

    def flush(self, job_id: UUID) -> None:
        """Record the calls of `job_id`; a database error here is logged and does not fail the job."""
        self._recorded_at = monotonic()
        calls, self._calls = self._calls, []
        omitted_count, self._omitted_count = self._omitted_count, 0
        if omitted_count:
            log.warning("job %s made too many calls: %s of them were not recorded", job_id, omitted_count)
        if not calls:
            return
        try:
            metrics.record_calls(self._connection.open(), [_row(call, job_id) for call in calls])
        except (psycopg.Error, LedgerUnavailableError):
            log.exception("%s calls to the venue were not recorded", len(calls))


def _row(call: Call, job_id: UUID) -> ApiCall:
    milliseconds = Decimal(call.duration // timedelta(microseconds=1)) / 1000
    return ApiCall(
        call.endpoint, call.method, call.started_at, milliseconds, call.status, call.error, job_id, call.queue
    )
