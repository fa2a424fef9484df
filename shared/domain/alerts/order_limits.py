"""The most contracts of one order on the accounts of a hook, and what becomes of an alert above it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from shared.domain.alerts.alert import Alert
from shared.domain.alerts.copy_ratio import SAME, scale_alert
from shared.domain.counting import count_of
from shared.domain.orders.order import OrderType


@dataclass(frozen=True, slots=True)
class OrderLimits:
    """The rule `max_quantity`: the setting's, or what a person gave an account; and the follower accounts of hooks."""

    default: int
    changed: Mapping[int, int] = field(default_factory=dict)
    followers: Mapping[UUID, Mapping[int, Decimal]] = field(default_factory=dict)

    def describe_excess(self, alert: Alert, hook_id: UUID | None, account_id: int | None) -> str | None:
        """Return what becomes of an entry above the limit on the hook's account or a follower; None if none is."""
        followers = {} if hook_id is None else self.followers.get(hook_id, {})
        ratios: list[tuple[int | None, Decimal]] = [(account_id, SAME), *followers.items()]
        found = [_describe(alert, one, ratio, self._most_of(one)) for one, ratio in ratios]
        return "; ".join(filter(None, found)) or None

    def _most_of(self, account_id: int | None) -> int:
        return self.default if account_id is None else self.changed.get(account_id, self.default)


def _describe(alert: Alert, account_id: int | None, ratio: Decimal, most: int) -> str | None:
    if not alert.action.is_entry or alert.quantity is None:
        return None
    if alert.target_position is None:
        quantity, name = int(alert.quantity * ratio), "quantity"
    else:
        quantity, name = abs(scale_alert(alert, ratio).target_position or 0), "the position wanted"
    if quantity <= most:
        return None
    where = "" if account_id is None else f" on account {account_id}"
    limit = f"{name} {quantity} is above the limit of {count_of(most, 'contract')} an order{where} (max_quantity)"
    if alert.target_position is None and alert.type is not OrderType.MARKET:
        return f"{limit}: it is denied"
    return f"{limit}: what it closes is closed, and if it would then open more than {most}, that is denied"
