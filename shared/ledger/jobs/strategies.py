"""Requests to evaluate strategies."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from shared.fleets import Queue
from shared.ledger.job import Job


@dataclass(frozen=True, kw_only=True)
class EvaluateStrategy(Job):
    """Let one strategy decide on one contract for one account, or for show, with bars closed at `closed_until`."""

    queue: ClassVar = Queue.NORMAL
    is_entry: ClassVar = True
    strategy: str
    contract_id: str
    closed_until: datetime
    account_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class EvaluateDue(Job):
    """Ask for every evaluation that a closed bar should have asked for by `slot` and did not."""

    queue: ClassVar = Queue.NORMAL
    slot: datetime
