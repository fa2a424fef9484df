"""The loss limits of a backtest's account: the level that ends it, and the one that ends its day."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from shared.domain.risk.account_risk import loss_limit_level_for
from shared.domain.risk.rule_book import RuleBook


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitTouch:
    """An equity that touches a limit at an instant; `is_final` if it is the max loss limit."""

    at: datetime
    is_final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LossLimits:
    """The state of the limits: balances are of closed trades, and the high-water mark of ends of days."""

    rules: RuleBook
    high_water_mark: Decimal
    day_balance: Decimal
    is_day_locked: bool = False
    breached_at: datetime | None = None

    @property
    def is_breached(self) -> bool:
        """Whether the account has touched its max loss limit, which ends it."""
        return self.breached_at is not None

    def least_equity(self) -> tuple[Decimal, bool] | None:
        """Return the equity that ends trading, and whether for good; None without a limit that still applies."""
        if self.is_breached:
            return None
        level = loss_limit_level_for(self.rules, self.high_water_mark)
        limits = [] if level is None else [(level, True)]
        if self.rules.daily_loss_limit is not None and not self.is_day_locked:
            limits.append((self.day_balance - self.rules.daily_loss_limit, False))
        return max(limits, default=None)

    def apply(self, breach: LimitTouch) -> "LossLimits":
        """Return the limits after a touch."""
        if breach.is_final:
            return replace(self, breached_at=breach.at)
        return replace(self, is_day_locked=True)

    def begin_day(self, balance: Decimal) -> "LossLimits":
        """Return the limits of the next trading day; the level follows the balance upwards and never falls."""
        return replace(
            self,
            day_balance=balance,
            high_water_mark=max(self.high_water_mark, balance),
            is_day_locked=False,
        )
