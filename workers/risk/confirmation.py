"""Confirms what the watch finds: a loss by the run before, and a price that is missing by its time.

A balance is written before its fills, and a quote can be false: the next run, a second later, tells.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.db.accounts.accounts import AccountRow
from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.contract import ROOTS
from shared.domain.risk.account_risk import AccountRisk
from shared.domain.risk.findings import Finding, RuleAction

CONFIRMED_AFTER = timedelta(seconds=0.5)
UNPRICED_FLAT_AFTER = timedelta(seconds=60)
_MARK = RuleAction.FLATTEN + 1  # the level of a loss that marks the account, for the day or for good
LOSS_RULES = frozenset({"max_loss_limit", "daily_loss_limit"})


@dataclass(frozen=True, slots=True)
class WatchResult:
    """The findings to act on, and the changes of the account's row."""

    findings: Sequence[Finding]
    changed: dict[str, object] = field(default_factory=dict)


def confirm_losses(account: AccountRow, risk: AccountRisk, found: WatchResult, now: datetime) -> WatchResult:
    """Return what was found, with no more done about a loss than two runs in a row agree on.

    `found.changed` are the marks of limits that are touched now. What follows from an earlier mark is done at once.
    """
    marked = {
        "max_loss_limit": risk.is_breached,
        "daily_loss_limit": risk.is_day_locked,
        "daily_profit_target": risk.is_profit_locked,
        "weekly_loss_limit": risk.is_week_locked,
    }
    seen = [one for one in found.findings if one.action >= RuleAction.BLOCK and not marked.get(one.rule, True)]
    level = _MARK if found.changed else max((int(one.action) for one in seen), default=None)
    before, since = account.loss_seen_level, account.loss_seen_at
    changed: dict[str, object] = {}
    if level != before:
        changed = {"loss_seen_level": level, "loss_seen_at": None if level is None else now}
    if level is None:
        return WatchResult(found.findings, changed)
    agreed = 0 if before is None or since is None or now - since < CONFIRMED_AFTER else min(level, before)
    findings = [
        one if one not in seen or one.action <= agreed else _limit_action(one, agreed) for one in found.findings
    ]
    return WatchResult(findings, changed | (found.changed if agreed == _MARK else {}))


def _limit_action(finding: Finding, level: int) -> Finding:
    return replace(finding, action=RuleAction(min(max(level, RuleAction.WARN), RuleAction.FLATTEN)))


def confirm_prices(account: AccountRow, risk: AccountRisk, market_now: datetime, now: datetime) -> WatchResult:
    """Return what follows from a position without a price that can be true: after a while everything is closed.

    Without a price no loss limit can be watched. While its market is closed no price is missing.
    """
    since = account.unpriced_since_at
    unpriced = [
        one.contract_id
        for one in risk.holdings
        if one.quantity and one.exit_price is None and assumed_calendar_of(ROOTS[one.root].group).is_open(market_now)
    ]
    if not unpriced:
        return WatchResult([], {} if since is None else {"unpriced_since_at": None})
    if since is None:
        return WatchResult([], {"unpriced_since_at": now})
    if now - since < UNPRICED_FLAT_AFTER:
        return WatchResult([])
    told = (
        f"no price of {', '.join(unpriced)} that can be true for {UNPRICED_FLAT_AFTER.seconds} s while it is held: no "
        "loss limit can be watched"
    )
    return WatchResult([Finding("price", RuleAction.FLATTEN, told)])
