"""Requests about trading accounts."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import ClassVar

from shared.fleets import Queue
from shared.ledger.job import Job


@dataclass(frozen=True, kw_only=True)
class SnapshotAccounts(Job):
    """Read the balance of every account from the venue and store it."""

    queue: ClassVar = Queue.HIGH
    is_repeated: ClassVar = True


@dataclass(frozen=True, kw_only=True)
class CheckBalance(Job):
    """Ask the venue whether a fill explains why a balance has moved; if none does, it is a payout or a deposit.

    `pending_balance` is what was unexplained of the day's result, in dollars, when the watch asked, and `amount` how
    much of that is new.
    """

    queue: ClassVar = Queue.HIGH
    retry_for: ClassVar = timedelta(days=1)
    is_internal: ClassVar = True
    account_id: int
    pending_balance: Decimal
    amount: Decimal

    def concerns(self, pending_balance: Decimal | None) -> bool:
        """Whether what is unexplained of the account's result now is what it was when the watch asked."""
        return pending_balance is not None and pending_balance == self.pending_balance
