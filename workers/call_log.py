"""Collects what a job asked of the venue and writes it down after the job, off its path."""

import logging
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Engine

from shared.db.engine import DATABASE_ERRORS
from shared.db.metrics import metrics
from shared.db.metrics.metrics import ApiCall
from shared.gateway.ports import Call

# A job that backfills for hours asks a few thousand times: its memory must not grow with it.
MOST_KEPT = 1_000

log = logging.getLogger(__name__)


class CallBuffer:
    """The gateway's CallLog: one INSERT per job instead of one per call."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._calls: list[Call] = []
        self._left_out_count = 0

    def record(self, call: Call) -> None:
        """Remember one call until the job has ended; of a job that makes too many the first, and failures longer."""
        if len(self._calls) < MOST_KEPT or (call.error is not None and len(self._calls) < 2 * MOST_KEPT):
            self._calls.append(call)
        else:
            self._left_out_count += 1

    def flush(self, job_id: UUID) -> None:
        """Write down what `job_id` asked; losing these rows must not fail a job."""
        calls, self._calls = self._calls, []
        left_out_count, self._left_out_count = self._left_out_count, 0
        if left_out_count:
            log.warning("job %s made %s calls too many to write them all down", job_id, left_out_count)
        if not calls:
            return
        try:
            with self._engine.begin() as connection:
                metrics.record_calls(connection, [_row(call, job_id) for call in calls])
        except DATABASE_ERRORS:
            log.exception("%s calls to the venue were not written down", len(calls))


def _row(call: Call, job_id: UUID) -> ApiCall:
    milliseconds = Decimal(call.duration // timedelta(microseconds=1)) / 1000
    return ApiCall(
        call.endpoint, call.method, call.started_at, milliseconds, call.status, call.error, job_id, call.queue
    )
