"""Inserts new alerts with their jobs in one statement that commits by itself: one round trip."""

from collections.abc import Sequence
from typing import Any, LiteralString
from uuid import UUID

import msgspec
import psycopg

from shared.db.alerts import intake
from shared.db.alerts.intake import IF_NEW, INSERT_ROWS
from shared.ledger import batch_insert
from shared.ledger.batch_insert import IN_ORDER, INSERT_INPUT, IS_WANTED, JOBS_AS_INPUT, TAKE_KEYS

_INSERT_NEW: LiteralString = f"""
    WITH {JOBS_AS_INPUT},
    own AS ({TAKE_KEYS} WHERE parent_id IS NULL {IN_ORDER}),
    beside AS ({TAKE_KEYS} WHERE parent_id IN (SELECT job_id FROM own) AND {IS_WANTED} {IN_ORDER}),
    jobs AS ({INSERT_INPUT} WHERE id IN (SELECT job_id FROM own UNION ALL SELECT job_id FROM beside)),
    alerts AS ({INSERT_ROWS} WHERE job_id IS NULL OR job_id IN (SELECT job_id FROM own) {IF_NEW})
    -- Divides by zero, which undoes the statement, if a key was taken: to look for one would cost more than to fail.
    SELECT job_id, 1 / (SELECT (count(*) = (SELECT count(*) FROM input WHERE parent_id IS NULL))::integer FROM own)
    FROM own UNION ALL SELECT job_id, 1 FROM beside
"""  # noqa: S608  # no value enters the text


async def insert_new_alerts(
    connection: psycopg.AsyncConnection[Any], alerts: Sequence[msgspec.Raw], jobs: Sequence[msgspec.Raw]
) -> set[UUID] | None:
    """Insert alerts and their jobs, and return the jobs inserted; None, with none inserted, if a key is taken.

    `alerts` are rows of `intake.encode_alert`, `jobs` rows of `batch_insert.encode_job`: those of the alerts, and those
    beside them, of which each has the alert's job as its parent, and may not be wanted. Each alert has a key of its
    own. One with a known key may be another alert, whose job must not come after those of the alerts received later.
    The connection commits by itself.
    """
    values = intake.values_of(alerts) | batch_insert.values_of(jobs)
    try:
        rows = await (await connection.execute(_INSERT_NEW, values)).fetchall()
    except psycopg.errors.DivisionByZero:
        return None
    inserted = {job_id for job_id, _ in rows}
    return inserted if inserted or not jobs else None  # no key was free: the division is not evaluated
