"""Confirms what the watch finds: a loss by the run before, and a price that is missing by its time.

A quote can be false: the next run, a second later, tells. A balance and its fills are written apart: only both tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from shared.db.accounts.accounts import AccountRow
from shared.db.risk.risk_snapshots import RiskSnapshot
from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.contract import ROOTS
from shared.domain.risk.account_risk import AccountRisk
from shared.domain.risk.findings import Finding, RuleAction

CONFIRMED_AFTER = timedelta(seconds=0.5)
SETTLES_WITHIN = timedelta(seconds=15)  # while the hub is down all is read every ten
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
    is_settled, changed = confirm_balance(snapshot, now)
    may_confirm = is_later and is_settled
    blocked = {one.rule: int(RuleAction.BLOCK) for one in seen if before.get(_done(one.rule), 0) >= RuleAction.BLOCK}
    agreed = before if may_confirm else blocked
    findings = [_limit_action(one, agreed.get(one.rule, 0)) if one in seen else one for one in found.findings]
    changed |= {name: value for name, value in found.changed.items() if name in agreed}
    levels = {one.rule: int(one.action) for one in seen} | dict.fromkeys(found.changed, 1)
    levels |= {_done(one.rule): min(int(one.action), agreed.get(one.rule, 0)) for one in seen}
    is_unknown = risk.equity is None and since is not None and now - since <= UNPRICED_FLAT_AFTER
    if levels != before and not is_unknown:  # the quote after a gap confirms what the last one told
        changed |= {"losses_seen": levels or None, "losses_seen_at": now if levels else None}
    return WatchResult(findings, changed)


def _done(rule: str) -> str:
    """Return the name of what the last run did about a rule, beside what it saw."""
    return f"{rule}, done"


def confirm_balance(snapshot: RiskSnapshot, now: datetime) -> tuple[bool, dict[str, object]]:
    """Return whether the balance and the fills are of one moment, and the changes of the account's row.

    If not, a result counts twice or not at all: what the day's fills do not explain of the balance has changed. After
    SETTLES_WITHIN the new amount is accepted, as after a payout. The costs of open trades may be taken at either end.
    """
    account, risk, book = snapshot.account, snapshot.risk, snapshot.book
    unexplained, accepted, since = risk.unexplained_balance, account.unexplained_balance, account.unexplained_since_at
    costs = sum((book.costs_of(one.root, abs(one.quantity)) for one in risk.holdings), start=Decimal(0))
    if unexplained is None:
        return True, {}
    if accepted is not None and abs(unexplained - accepted) <= costs:
        return True, {} if since is None else {"unexplained_since_at": None}
    if accepted is not None and (since is None or now - since > 2 * SETTLES_WITHIN):  # the latter: nothing has watched
        return False, {"unexplained_since_at": now}
    if since is not None and now - since <= SETTLES_WITHIN:
        return False, {}
    return True, {"unexplained_balance": unexplained, "unexplained_since_at": None}


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
