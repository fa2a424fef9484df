"""The jobs of the schedule: one for each slot of an entry, which supersedes those that are still queued."""

import dataclasses
from datetime import datetime, timedelta

from shared.db.engine import driver
from shared.db.upkeep import schedules
from shared.db.upkeep.schedules import ScheduleRow
from shared.domain.upkeep.slots import Missed
from shared.ledger import transitions
from shared.ledger.enqueue import Enqueued
from shared.ledger.job import Job, job_from_row, job_type
from shared.ledger.jobs import job_types  # noqa: F401  # registers every type
from shared.ledger.ledger import Transaction

_SHORTEST_EXPIRY = timedelta(seconds=10)
_PERIODS = 2  # a job expires only when no beat has superseded it


def takes_slot(job_name: str) -> bool:
    """Whether the job has an argument `slot`; raise LookupError for an unknown job."""
    return "slot" in {field.name for field in dataclasses.fields(job_type(job_name))}


def build_request(entry: ScheduleRow, slot: datetime) -> Job:
    """Return the request of an entry for a slot; raise LookupError or msgspec.ValidationError for an invalid entry."""
    more = {"slot": slot.isoformat()} if takes_slot(entry.job_name) else {}
    return job_from_row(entry.job_name, entry.arguments | more)


def enqueue_slot(
    tx: Transaction, entry: ScheduleRow, slot: datetime, request: Job, *, period: timedelta, now: datetime
) -> Enqueued:
    """Enqueue the job of a slot and record it; `period` is that of the entry in machine time.

    What is still queued of earlier slots ends as superseded, except for an entry that catches up: each of its slots
    runs. What runs is left. Raise QueueFullError if the queue is full.
    """
    is_each_needed = entry.missed == Missed.CATCH_UP
    enqueued = tx.enqueue(
        request,
        expires_after=None if is_each_needed else max(_PERIODS * period, _SHORTEST_EXPIRY),
        schedule=None if is_each_needed else entry.name,
        publish_on_commit=False,
    )
    if not is_each_needed:
        transitions.supersede_slots(driver(tx.connection), entry.name, enqueued.job_id)
    schedules.record_run(tx.connection, entry.name, slot, enqueued.job_id, now)
    return enqueued
