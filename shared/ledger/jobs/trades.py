"""Requests about round trips."""

from dataclasses import dataclass
from typing import ClassVar

from shared.fleets import Queue
from shared.ledger.job import Job


@dataclass(frozen=True, kw_only=True)
class BookRoundTrips(Job):
    """Book new and changed fills of every account into round trips."""

    queue: ClassVar = Queue.LOW
    is_repeated: ClassVar = True
    is_transactional: ClassVar = True
