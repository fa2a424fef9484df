"""Requests about trading accounts."""

from dataclasses import dataclass
from typing import ClassVar

from shared.fleets import Queue
from shared.ledger.job import Job


@dataclass(frozen=True, kw_only=True)
class SnapshotAccounts(Job):
    """Read every account's balance from the venue and keep it."""

    queue: ClassVar = Queue.HIGH


@dataclass(frozen=True, kw_only=True)
class BookRoundTrips(Job):
    """Book the fills that came or changed into round trips, of every account."""

    queue: ClassVar = Queue.LOW
    is_transactional: ClassVar = True
