"""Requests about alerts."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, TypedDict
from uuid import UUID

from shared.domain.alerts.alert import Alert
from shared.fleets import Queue
from shared.ledger.job import Job
from shared.ledger.jobs.orders import entries_key


@dataclass(frozen=True, kw_only=True)
class HandleAlert(Job):
    """Turn a stored alert into a signal, and the signal into an order or an exit."""

    queue: ClassVar = Queue.HIGH
    is_internal: ClassVar = True
    attempts: ClassVar = 5
    is_entry: ClassVar = True
    alert_id: UUID


@dataclass(frozen=True, kw_only=True)
class HandleFollowerAlert(Job):
    """Act on a stored alert for one follower account of its hook."""

    queue: ClassVar = Queue.HIGH
    is_internal: ClassVar = True
    attempts: ClassVar = 5
    is_entry: ClassVar = True
    alert_id: UUID
    account_id: int


class AlertJobOptions(TypedDict):
    """How the job of an alert is enqueued, beside its id and its key."""

    queue: Queue
    sequence_key: str | None
    expires_after: timedelta | None


def alert_job_options(alert: Alert, account_id: int, entry_ttl: timedelta) -> AlertJobOptions:
    """Return how the job of an alert is enqueued: an entry in the order of its account, until its TTL is over.

    Anything else opens nothing, and waits for no entry.
    """
    if not alert.action.is_entry:
        return {"queue": Queue.CRITICAL, "sequence_key": None, "expires_after": None}
    return {"queue": Queue.HIGH, "sequence_key": entries_key(account_id), "expires_after": entry_ttl}
