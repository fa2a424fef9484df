"""Requests about notifications."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from shared.fleets import Queue
from shared.ledger.job import Job


@dataclass(frozen=True, kw_only=True)
class SendNotifications(Job):
    """Find what there is to tell the trader, and send it to the channels."""

    queue: ClassVar = Queue.LOW
    attempts: ClassVar = 1
    retry_for: ClassVar = timedelta(0)
    is_repeated: ClassVar = True
    is_probe: ClassVar = True
