"""The request to enter, as an alert, a strategy or a person makes it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Connection

from shared.db.orders.entry_approvals import EntryApproval
from shared.db.orders.reversals import RecordedReversal
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import Origin
from shared.domain.risk.preconditions import EntryTerms


@dataclass(frozen=True, slots=True)
class EntryRequest:
    """An entry that an alert, a strategy or a person asks for; `alert_id` or `strategy` names its source.

    With `risk`, in dollars, the quantity is the number of contracts whose loss at the stop it covers, rounded down.
    `target_position` is that of the alert, if the quantity is what it lacks. `closed_first` is how much was closed
    before it of the position that it reverses. With an `approval`, a person has approved the entry, and no more than it
    says is entered.
    """

    account_id: int
    contract: Contract
    entry: EntryTerms
    origin: Origin
    expires_at: datetime | None
    alert_id: UUID | None = None
    strategy: str | None = None
    reason: str | None = None
    risk: Decimal | None = None
    target_position: int | None = None
    closed_first: int = 0
    approval: EntryApproval | None = None
    find_obstacle: Callable[[Connection], str | None] | None = None  # asked once the account is locked

    def open_rest(self, reversal: RecordedReversal) -> "EntryRequest":
        """Return the request for what is left to open, now that what it reverses is closed."""
        entry = replace(self.entry, quantity=reversal.opening)
        return replace(self, entry=entry, risk=None, closed_first=reversal.closed)

    @property
    def closed_note(self) -> str | None:
        """The words for what was closed first, None if nothing was."""
        return f"{self.closed_first} of {self.contract.id} closed first" if self.closed_first else None
