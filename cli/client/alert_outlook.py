"""What an account would make of an alert, as a forecast says it."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from shared.domain.alerts.copy_ratio import SAME


class AlertOutlook(StrEnum):
    """What an account would make of an alert; people are shown the value without its underscores."""

    TRADES = "trades"
    WAITS = "waits"  # for a fact that may still come, until the entry expires
    NOTHING = "nothing_to_do"
    EXPIRES = "expires"
    DENIED = "denied"
    UNKNOWN = "not_known"


@dataclass(frozen=True, slots=True)
class Forecast:
    """What one account would make of an alert; without an account only what holds for all."""

    account_id: int | None
    account: str | None
    outcome: AlertOutlook
    detail: str
    copy_ratio: Decimal = SAME

    @property
    def is_lost(self) -> bool:
        """Whether what the alert asks for would not be done."""
        return self.outcome in {AlertOutlook.DENIED, AlertOutlook.EXPIRES}
