"""Requests to keep the rule book."""

from dataclasses import dataclass
from typing import ClassVar

from shared.fleets import Queue
from shared.ledger.job import Job


@dataclass(frozen=True, kw_only=True)
class WatchAccounts(Job):
    """Hold every account's equity against its rules, move stops that follow, and see that no stop is missing."""

    queue: ClassVar = Queue.CRITICAL
    attempts: ClassVar = 1
    is_probe: ClassVar = True
