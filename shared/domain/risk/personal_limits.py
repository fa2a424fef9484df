"""The personal limits: rules that a trader sets beyond those of the firm, all off by default."""

from collections.abc import Iterator
from datetime import datetime

from shared.domain.market_data.calendar import trading_day_at, trading_week_ends, trading_week_of
from shared.domain.risk.account_risk import AccountRisk, next_day_end
from shared.domain.risk.findings import Finding, RuleAction, chicago_time, dollars, limited_finding
from shared.domain.risk.rule_book import RuleBook

# The rules whose findings also cancel the resting entries of the account.
ENTRY_STOPS = frozenset({"daily_profit_target", "weekly_loss_limit"})


def personal_findings(risk: AccountRisk, book: RuleBook, market_now: datetime) -> Iterator[Finding]:
    """Yield the findings of the personal limits on an account whose touched limits are marked."""
    if risk.is_profit_locked:
        yield limited_finding(
            risk,
            "daily_profit_target",
            RuleAction.FLATTEN,
            f"daily profit target: the day's result reached {dollars(book.daily_profit_target)} now or earlier; locked "
            f"until {chicago_time(next_day_end(market_now))}",
            next_day_end(market_now),
        )
    if risk.is_week_locked:
        lifts = trading_week_ends(trading_week_of(trading_day_at(market_now)))
        yield limited_finding(
            risk,
            "weekly_loss_limit",
            RuleAction.FLATTEN,
            f"weekly loss limit: the week's result touched -{dollars(book.weekly_loss_limit)} now or earlier; locked "
            f"until {chicago_time(lifts)}",
            lifts,
        )
