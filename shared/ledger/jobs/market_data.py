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


@dataclass(frozen=True, kw_only=True)
class BackfillBars(Job):
    """Store the bars that one contract lacks from `since` to `until`, newest first, a page of the venue a job.

    This one begins at `before`, None at `until`. `is_second` asks once more for what the first pass had no bar of:
    minutes without one are complete after that.
    """

    queue: ClassVar = Queue.LOW
    contract_id: str
    since: Instant
    until: Instant
    before: Instant | None = None
    is_second: bool = False


@dataclass(frozen=True, kw_only=True)
class HealBars(Job):
    """Backfill what each contract that is tracked, or was until lately, lacks of the bars that no fetch looks at."""

    queue: ClassVar = Queue.BACKGROUND
    is_repeated: ClassVar = True


@dataclass(frozen=True, kw_only=True)
class PackBars(Job):
    """Pack the bars of trading days that are fetched no more: a row per contract and day."""

    queue: ClassVar = Queue.BACKGROUND
    is_repeated: ClassVar = True
