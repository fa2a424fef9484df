"""Confirms what the watch finds: a loss by the run before, and a price that is missing by its time.

A quote can be false: the next run, a second later, tells. A balance is written before its fills, which tell more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.db.accounts.accounts import AccountRow
from shared.db.risk.risk_snapshots import RiskSnapshot
from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.contract import ROOTS
from shared.domain.risk.account_risk import AccountRisk
from shared.domain.risk.findings import Finding, RuleAction

CONFIRMED_AFTER = timedelta(seconds=0.5)
SETTLES_WITHIN = timedelta(seconds=15)  # while the hub is down all is read every ten
TOGETHER_WITHIN = timedelta(seconds=2)  # a fill and its balance, which come in either order
READS_WITHIN = timedelta(seconds=5)  # the requests of a reconcile before it is recorded
UNPRICED_FLAT_AFTER = timedelta(seconds=60)
UNPRICED_RUNS_WITHIN = timedelta(seconds=10)  # of each other: a computer that slept has not watched
LOSS_RULES = frozenset({"max_loss_limit", "daily_loss_limit"})


@dataclass(frozen=True, slots=True)
class WatchResult:
    """The findings to act on, and the changes of the account's row."""

    findings: Sequence[Finding]
    changed: dict[str, object] = field(default_factory=dict)


def confirm_losses(
    snapshot: RiskSnapshot, found: WatchResult, quoted_at: datetime | None, now: datetime
) -> WatchResult:
    """Return what was found, with no more done about each limit than two runs in a row agree on.

    `found.changed` are the marks of limits that are touched now. What follows from an earlier mark is done at once.
    `quoted_at` is when the oldest quote of a held contract was received, None without any: one quote confirms nothing
    twice.
    """
    account, risk = snapshot.account, snapshot.risk
    marked = {
        "max_loss_limit": risk.is_breached,
        "daily_loss_limit": risk.is_day_locked,
        "daily_profit_target": risk.is_profit_locked,
        "weekly_loss_limit": risk.is_week_locked,
    }
    seen = [one for one in found.findings if one.action >= RuleAction.BLOCK and not marked.get(one.rule, True)]
    before, since = account.losses_seen or {}, account.losses_seen_at
    is_later = since is not None and now - since >= CONFIRMED_AFTER and (quoted_at is None or quoted_at > since)
    may_confirm = is_later and not is_settling(snapshot, now)
    blocked = {one.rule: int(RuleAction.BLOCK) for one in seen if before.get(_done(one.rule), 0) >= RuleAction.BLOCK}
    agreed = before if may_confirm else blocked
    findings = [_limit_action(one, agreed.get(one.rule, 0)) if one in seen else one for one in found.findings]
    changed: dict[str, object] = {name: value for name, value in found.changed.items() if name in agreed}
    levels = {one.rule: int(one.action) for one in seen} | dict.fromkeys(found.changed, 1)
    levels |= {_done(one.rule): min(int(one.action), agreed.get(one.rule, 0)) for one in seen}
    is_unknown = risk.equity is None and since is not None and now - since <= UNPRICED_FLAT_AFTER
    if levels != before and not is_unknown:  # the quote after a gap confirms what the last one told
        changed |= {"losses_seen": levels or None, "losses_seen_at": now if levels else None}
    return WatchResult(findings, changed)


def _done(rule: str) -> str:
    """Return the name of what the last run did about a rule, beside what it saw."""
    return f"{rule}, done"


def is_settling(snapshot: RiskSnapshot, now: datetime) -> bool:
    """Whether balance and fills may not be of the same moment, so that a result counts twice or not at all.

    The balance has changed and no fill was recorded about then, nor were the fills read after it; or a fill with a
    result was recorded and no balance reported since. After SETTLES_WITHIN it counts as settled.
    """
    account, filled_at, closed_at = snapshot.account, snapshot.filled_at, snapshot.closed_at
    changed_at, reconciled_at, reported_at = account.balance_changed_at, account.reconciled_at, account.reported_at
    if changed_at is not None and snapshot.risk.holdings and now - changed_at <= SETTLES_WITHIN:
        was_filled = filled_at is not None and filled_at >= changed_at - TOGETHER_WITHIN
        was_read = reconciled_at is not None and reconciled_at - READS_WITHIN >= changed_at
        if not (was_filled or was_read):
            return True
    if closed_at is None or reported_at is None or now - closed_at > SETTLES_WITHIN:
        return False
    return closed_at - reported_at > TOGETHER_WITHIN


def _limit_action(finding: Finding, level: int) -> Finding:
    return replace(finding, action=min(finding.action, RuleAction(max(level, RuleAction.WARN))))


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
        return WatchResult([], {} if since is None else {"unpriced_since_at": None, "unpriced_seen_at": None})
    seen = account.unpriced_seen_at
    if since is None or seen is None or now - seen > UNPRICED_RUNS_WITHIN:
        return WatchResult([], {"unpriced_since_at": now, "unpriced_seen_at": now})
    if now - since < UNPRICED_FLAT_AFTER:
        return WatchResult([], {"unpriced_seen_at": now})
    told = (
        f"no price of {', '.join(unpriced)} that can be true for {UNPRICED_FLAT_AFTER.seconds} s while it is held: no "
        "loss limit can be watched"
    )
    return WatchResult([Finding("price", RuleAction.FLATTEN, told)], {"unpriced_seen_at": now})
