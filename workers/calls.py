"""Collects what a job asked of the venue and writes it down after the job, off its path."""

import logging
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from shared.db import metrics
from shared.gateway.ports import Call

log = logging.getLogger(__name__)


class BufferedCallLog:
    """The gateway's CallLog: one INSERT per job instead of one per call."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._calls: list[Call] = []

    def record(self, call: Call) -> None:
        """Remember one call until the job has ended."""
        self._calls.append(call)

    def flush(self, job_id: UUID) -> None:
        """Write down what `job_id` asked; losing these rows must not fail a job."""
        calls, self._calls = self._calls, []
        if not calls:
            return
        try:
            with self._engine.begin() as connection:
                metrics.record_calls(connection, calls, job_id)
        except SQLAlchemyError:
            log.exception("%s calls to the venue were not written down", len(calls))
