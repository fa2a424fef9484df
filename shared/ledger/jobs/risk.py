"""Requests about the risk rules."""

from dataclasses import dataclass
from typing import ClassVar

from shared.fleets import Queue
from shared.ledger.job import Job


@dataclass(frozen=True, kw_only=True)
class WatchAccounts(Job):
    """Check every account against its rules and act: cancel entries, reduce or flatten.

    Also move stops that follow the price, and find missing stops.
    """

    queue: ClassVar = Queue.CRITICAL
    attempts: ClassVar = 1
    is_probe: ClassVar = True
