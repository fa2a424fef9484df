"""Requests about alerts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, TypedDict
from uuid import UUID

from shared.domain.alerts.alert import Alert
from shared.domain.orders.order import Direction, OrderType, Side, direction_of
from shared.fleets import Queue
from shared.ledger.enqueue import EnqueueOptions
from shared.ledger.job import Job
from shared.ledger.jobs.orders import entries_key


@dataclass(frozen=True, kw_only=True)
class HandleAlert(Job):
    """Act on a stored alert for its hook's account: enter, exit, cancel or move stops; a test alert trades nothing."""

    queue: ClassVar = Queue.HIGH
    is_internal: ClassVar = True
    attempts: ClassVar = 5
    retry_for: ClassVar = timedelta(days=1)
    is_entry: ClassVar = True
    alert_id: UUID


@dataclass(frozen=True, kw_only=True)
class HandleFollowerAlert(Job):
    """Act on a stored alert for one follower account of its hook."""

    queue: ClassVar = Queue.HIGH
    is_internal: ClassVar = True
    attempts: ClassVar = 5
    retry_for: ClassVar = timedelta(days=1)
    is_entry: ClassVar = True
    alert_id: UUID
    account_id: int


@dataclass(frozen=True, kw_only=True)
class CloseReversed(Job):
    """Close what a market entry reverses on one account: an exit waits for no entry, as the alert's own job may.

    With `against`, the direction that it reverses, it is inserted only if that may be held in the root by then.
    """

    queue: ClassVar = Queue.CRITICAL
    is_internal: ClassVar = True
    attempts: ClassVar = 5
    retry_for: ClassVar = timedelta(days=1)
    alert_id: UUID
    account_id: int
    root: str
    against: Direction | None = None


class AlertJobOptions(TypedDict):
    """How the job of an alert is enqueued, beside its id and its key."""

    queue: Queue
    sequence_key: str | None
    expires_after: timedelta | None


def alert_job_options(alert: Alert, account_id: int, entry_ttl: timedelta) -> AlertJobOptions:
    """Return how the job of an alert is enqueued: an entry in the order of its account and root, until its TTL is over.

    Anything else opens nothing, and waits for no entry.
    """
    if not alert.action.is_entry:
        return {"queue": Queue.CRITICAL, "sequence_key": None, "expires_after": None}
    return {"queue": Queue.HIGH, "sequence_key": entries_key(account_id, alert.root), "expires_after": entry_ttl}


def jobs_beside(
    job_id: UUID, alert_id: UUID, alert: Alert, account_ids: Sequence[int], entry_ttl: timedelta
) -> Iterator[tuple[HandleFollowerAlert | CloseReversed, EnqueueOptions]]:
    """Yield the jobs of an alert beside its own, `job_id`, and how each is enqueued: all in one commit.

    `account_ids` are those of its hook, its own first. Each follower account has a job, with the place in the
    account's order that the alert has, so no account waits for the one before it. What a market entry or a target
    position reverses has a job for each account, which waits for no entry.
    """
    has_target = alert.target_position is not None
    if alert.action.is_entry and (has_target or alert.type is OrderType.MARKET):
        against = None if has_target else direction_of(-Side(alert.action).sign)
        for closed_id in account_ids:
            yield (
                CloseReversed(alert_id=alert_id, account_id=closed_id, root=alert.root.name, against=against),
                {"key": f"reversed:{alert_id}:{closed_id}", "correlation_id": job_id, "parent_id": job_id},
            )
    for follower_id in account_ids[1:]:
        options = alert_job_options(alert, follower_id, entry_ttl)
        yield (
            HandleFollowerAlert(alert_id=alert_id, account_id=follower_id),
            {
                "key": f"follower:{alert_id}:{follower_id}",
                "correlation_id": job_id,
                "parent_id": job_id,
                "sequence_id": job_id,
                "queue": options["queue"],
                "sequence_key": options["sequence_key"],
                "expires_after": options["expires_after"],
            },
        )
