"""Requests to evaluate strategies."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from shared.fleets import Queue
from shared.ledger.job import Instant, Job


@dataclass(frozen=True, kw_only=True)
class EvaluateStrategy(Job):
    """Evaluate one strategy on one contract with the bars closed at `closed_until`.

    Without `account_id` no account trades the decision: it is only shown.
    """

    queue: ClassVar = Queue.NORMAL
    is_entry: ClassVar = True
    retry_for: ClassVar = timedelta(minutes=1)  # the decision of a later price is another trade
    strategy: str
    contract_id: str
    closed_until: Instant
    account_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class EvaluateDue(Job):
    """Enqueue every evaluation that is due and that no closed bar has enqueued; `slot` tells the runs apart."""

    queue: ClassVar = Queue.NORMAL
    is_repeated: ClassVar = True
    slot: Instant
