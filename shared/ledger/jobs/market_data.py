"""Requests about contracts and bars."""

from dataclasses import dataclass
from typing import ClassVar

from shared.fleets import Queue
from shared.ledger.job import Instant, Job


@dataclass(frozen=True, kw_only=True)
class RefreshContracts(Job):
    """Read the tradable contracts from the venue and mark those that we track."""

    queue: ClassVar = Queue.HIGH
    is_repeated: ClassVar = True


@dataclass(frozen=True, kw_only=True)
class FetchBars(Job):
    """Store the one-minute bars that every tracked contract lacks up to the minute that closed at `slot`."""

    queue: ClassVar = Queue.NORMAL
    is_repeated: ClassVar = True
    slot: Instant


@dataclass(frozen=True, kw_only=True)
class FetchContractBars(Job):
    """Store the one-minute bars that one contract lacks up to the minute that closed at `closed_until`."""

    queue: ClassVar = Queue.NORMAL
    is_repeated: ClassVar = True
    contract_id: str
    closed_until: Instant
