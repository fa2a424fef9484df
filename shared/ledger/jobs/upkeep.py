"""Requests that keep the house tidy."""

from dataclasses import dataclass
from typing import ClassVar

from shared.fleets import Queue
from shared.ledger.job import Job


@dataclass(frozen=True, kw_only=True)
class DeleteOldRows(Job):
    """Delete what has outlived its keeping time."""

    queue: ClassVar = Queue.BACKGROUND


@dataclass(frozen=True, kw_only=True)
class Canary(Job):
    """Go through a queue and tell that it is served."""

    queue: ClassVar = Queue.NORMAL  # each queue gets its own
    attempts: ClassVar = 1
    is_probe: ClassVar = True


@dataclass(frozen=True, kw_only=True)
class DoNothing(Job):
    """Hold a slot for some seconds: proves that a queue is served, and gives a drill something to interrupt."""

    queue: ClassVar = Queue.NORMAL
    note: str = ""
    seconds: int = 0
