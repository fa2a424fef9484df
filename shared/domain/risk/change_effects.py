"""The effects that a change of an account's rules or marks would have at once."""

from collections.abc import Iterator
from datetime import datetime

from shared.domain.risk.account_risk import AccountRisk, mark_touched_limits
from shared.domain.risk.account_rules import limit_findings
from shared.domain.risk.findings import RuleAction
from shared.domain.risk.rule_book import RuleBook


def immediate_effects(
    before: tuple[AccountRisk, RuleBook] | None, after: tuple[AccountRisk, RuleBook], market_now: datetime
) -> list[str]:
    """Return each harm that the watch would do within a second after a change, with its figures.

    That is a breach, a locked day or week, a day that losses in a row have ended, and positions reduced or flattened.
    Other rules that only block entries do none.
    `before` is None for an account that had no rules. While the open profit is unknown, that is the one effect.
    """
    risk, book = after
    if risk.equity is None:
        return ["the equity is unknown without fresh prices, so what this does at once cannot be foreseen"]
    had = set() if before is None else set(_harms(*before, market_now))
    return [message for rule, message in _harms(risk, book, market_now).items() if rule not in had]


def _harms(risk: AccountRisk, book: RuleBook, market_now: datetime) -> dict[str, str]:
    marked = mark_touched_limits(risk, book)
    touched = {
        "max_loss_limit": marked.is_breached,
        "daily_loss_limit": marked.is_day_locked,
        "daily_profit_target": marked.is_profit_locked,
        "weekly_loss_limit": marked.is_week_locked,
        "max_consecutive_losses": True,
    }
    return dict(_list_harms(marked, book, market_now, {rule for rule, is_touched in touched.items() if is_touched}))


def _list_harms(
    marked: AccountRisk, book: RuleBook, market_now: datetime, touched: set[str]
) -> Iterator[tuple[str, str]]:
    for finding in limit_findings(marked, book, market_now):
        if finding.rule in touched or finding.action >= RuleAction.REDUCE:
            yield f"{finding.rule} {finding.rule in touched}", finding.message
