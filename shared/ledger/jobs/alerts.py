"""Requests about alerts."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from shared.fleets import Queue
from shared.ledger.job import Job


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
