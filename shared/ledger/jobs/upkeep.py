"""Requests for upkeep."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from shared.fleets import Queue
from shared.ledger.job import Job


@dataclass(frozen=True, kw_only=True)
class DeleteOldRows(Job):
    """Delete rows that are past their retention time."""

    queue: ClassVar = Queue.BACKGROUND
    is_repeated: ClassVar = True


@dataclass(frozen=True, kw_only=True)
class Canary(Job):
    """Pass through a queue and record that workers serve it."""

    queue: ClassVar = Queue.NORMAL  # one is enqueued to each queue
    attempts: ClassVar = 1
    retry_for: ClassVar = timedelta(0)
    is_repeated: ClassVar = True
    is_probe: ClassVar = True


@dataclass(frozen=True, kw_only=True)
class ProbeReceiver(Job):
    """Post a test alert through the public URL, if there is one."""

    queue: ClassVar = Queue.LOW
    attempts: ClassVar = 1
    retry_for: ClassVar = timedelta(0)
    is_repeated: ClassVar = True
    is_probe: ClassVar = True


@dataclass(frozen=True, kw_only=True)
class SendHeartbeat(Job):
    """Request the heartbeat URL, if there is one, unless something that watches has stopped."""

    queue: ClassVar = Queue.NORMAL
    attempts: ClassVar = 1
    retry_for: ClassVar = timedelta(0)
    is_repeated: ClassVar = True
    is_probe: ClassVar = True


@dataclass(frozen=True, kw_only=True)
class CheckDisk(Job):
    """Record the free space of the disks that the computer of this worker writes to."""

    queue: ClassVar = Queue.HIGH  # while it waits, entries pass on a disk that fills
    attempts: ClassVar = 1
    retry_for: ClassVar = timedelta(0)
    is_repeated: ClassVar = True
    is_probe: ClassVar = True


@dataclass(frozen=True, kw_only=True)
class DoNothing(Job):
    """Occupy a slot for `seconds`: shows that a queue is served, and gives a drill something to interrupt."""

    queue: ClassVar = Queue.NORMAL
    note: str = ""
    seconds: int = 0
