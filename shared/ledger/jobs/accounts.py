"""Requests about trading accounts."""

from dataclasses import dataclass
from typing import ClassVar

from shared.fleets import Queue
from shared.ledger.job import Job


@dataclass(frozen=True, kw_only=True)
class SnapshotAccounts(Job):
    """Read the balance of every account from the venue and store it."""

    queue: ClassVar = Queue.HIGH
