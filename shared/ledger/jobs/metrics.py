"""Requests about metrics."""

from dataclasses import dataclass
from typing import ClassVar

from shared.fleets import Queue
from shared.ledger.job import Instant, Job


@dataclass(frozen=True, kw_only=True)
class RollUp(Job):
    """Sum up the calls and jobs of the period that ended at `slot`."""

    queue: ClassVar = Queue.LOW
    is_repeated: ClassVar = True
    is_transactional: ClassVar = True
    slot: Instant
