"""The request to enter, as an alert, a strategy or a person makes it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Connection

from shared.db.orders.entry_approvals import EntryApproval
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import Origin
from shared.domain.risk.preconditions import EntryTerms


@dataclass(frozen=True, slots=True)
class EntryRequest:
    """An entry that an alert, a strategy or a person asks for; `alert_id` or `strategy` names its source.

    With `risk`, in dollars, the quantity is the number of contracts whose loss at the stop it covers, rounded down.
    `target_position` is that of the alert, if the quantity is what it lacks. With an `approval`, a person has approved
    the entry, and no more than it says is entered.
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
    approval: EntryApproval | None = None
    find_obstacle: Callable[[Connection], str | None] | None = None  # asked once the account is locked
