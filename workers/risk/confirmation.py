"""Confirms what the watch finds: a loss by the run before, and a price that is missing by its time.

A quote can be false: the next run, a second later, tells. A balance and its fills are written apart: only both tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from shared.db.accounts.accounts import AccountRow
from shared.db.risk.risk_snapshots import RiskSnapshot
from shared.domain.market_data.calendar import assumed_calendar_of, trading_day_at
from shared.domain.market_data.contract import ROOTS
from shared.domain.risk.account_risk import AccountRisk
from shared.domain.risk.findings import Finding, RuleAction

CONFIRMED_AFTER = timedelta(seconds=0.5)
SETTLING_RUNS = 15  # a second apart; while the hub is down all is read every ten seconds
NEXT_DAY_RUNS = 180  # the first report of a day comes within a minute, and a limit waits no longer without one
UNPRICED_RUNS = 60
LOSS_RULES = frozenset({"max_loss_limit", "daily_loss_limit"})


@dataclass(frozen=True, slots=True)
class WatchResult:
    """The findings to act on, and the changes of the account's row."""

    findings: Sequence[Finding]
    changed: dict[str, object] = field(default_factory=dict)
    asks_venue: bool = False  # why the balance has moved
    is_unexplained: bool = False  # the venue could not be asked, and the amount counts as a result


def confirm(
    snapshot: RiskSnapshot, found: WatchResult, quoted_at: datetime | None, now: datetime, market_now: datetime
) -> WatchResult:
    """Return what was found as `confirm_losses` and `confirm_prices` confirm it."""
    losses = confirm_losses(snapshot, found, quoted_at, now, market_now)
    prices = confirm_prices(snapshot.account, snapshot.risk, market_now)
    return replace(losses, findings=[*losses.findings, *prices.findings], changed={**losses.changed, **prices.changed})


def confirm_losses(
    snapshot: RiskSnapshot, found: WatchResult, quoted_at: datetime | None, now: datetime, market_now: datetime
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
    is_settled, changed = confirm_balance(snapshot, market_now)
    may_confirm = is_later and is_settled
    blocked = {one.rule: int(RuleAction.BLOCK) for one in seen if before.get(_done(one.rule), 0) >= RuleAction.BLOCK}
    agreed = before if may_confirm else blocked
    findings = [_limit_action(one, agreed.get(one.rule, 0)) if one in seen else one for one in found.findings]
    changed |= {name: value for name, value in found.changed.items() if name in agreed}
    levels = {one.rule: int(one.action) for one in seen} | dict.fromkeys(found.changed, 1)
    levels |= {_done(one.rule): min(int(one.action), agreed.get(one.rule, 0)) for one in seen}
    # The quote after a gap confirms what the last one told, and the run after an unsettled balance the run before it.
    is_known = is_settled and (risk.equity is not None or account.unpriced_runs >= UNPRICED_RUNS)
    if levels != before and is_known:
        changed |= {"losses_seen": levels or None, "losses_seen_at": now if levels else None}
    asks_venue = changed.get("pending_runs") == SETTLING_RUNS
    is_unexplained = account.unexplained_balance is not None and "unexplained_balance" in changed
    return WatchResult(findings, changed, asks_venue=asks_venue, is_unexplained=is_unexplained)


def _done(rule: str) -> str:
    """Return the name of what the last run did about a rule, beside what it saw."""
    return f"{rule}, done"


def confirm_balance(snapshot: RiskSnapshot, market_now: datetime) -> tuple[bool, dict[str, object]]:
    """Return whether the balance and the fills are of one moment, and the changes of the account's row.

    If not, a result counts twice or not at all: what the day's fills do not explain of it has changed. What
    SETTLING_RUNS have seen may be a payout, and CheckBalance tells; if it has not told after as many runs again, the
    amount counts as a result. The venue may take the costs of open trades later. What was pending as a day ended is
    left to the first report of the next day.
    """
    account, risk, book = snapshot.account, snapshot.risk, snapshot.book
    unexplained, accepted = risk.unexplained_balance, account.unexplained_balance
    if unexplained is None:
        return True, {}
    if account.trading_day != trading_day_at(market_now):  # no balance of the new day is known
        if account.pending_balance is None or account.pending_runs >= NEXT_DAY_RUNS:
            return True, {}
        return False, {"pending_runs": account.pending_runs + 1}
    is_pending = account.pending_balance is not None
    clear: dict[str, object] = {"pending_balance": None, "pending_runs": 0} if is_pending else {}
    costs = sum((book.costs_of(one.root, abs(one.quantity)) for one in risk.holdings), start=Decimal(0))
    if accepted is not None and 0 <= unexplained - accepted <= min(costs, risk.opening_costs):
        return True, clear
    runs = 1 + (account.pending_runs if unexplained == account.pending_balance else 0)
    if accepted is None or runs > 2 * SETTLING_RUNS:
        return True, {"unexplained_balance": unexplained, **clear}
    return False, {"pending_balance": unexplained, "pending_runs": runs}


def _limit_action(finding: Finding, level: int) -> Finding:
    return replace(finding, action=min(finding.action, RuleAction(max(level, RuleAction.WARN))))


def confirm_prices(account: AccountRow, risk: AccountRisk, market_now: datetime) -> WatchResult:
    """Return what follows from a position without a price that can be true: after a while everything is closed.

    Without a price no loss limit can be watched. While its market is closed no price is missing.
    """
    unpriced = [
        one.contract_id
        for one in risk.holdings
        if one.quantity and one.exit_price is None and assumed_calendar_of(ROOTS[one.root].group).is_open(market_now)
    ]
    if not unpriced:
        return WatchResult([], {"unpriced_runs": 0} if account.unpriced_runs else {})
    runs = account.unpriced_runs + 1
    if runs < UNPRICED_RUNS:
        return WatchResult([], {"unpriced_runs": runs})
    told = (
        f"no price of {', '.join(unpriced)} that can be true in {UNPRICED_RUNS} runs of the watch while it is held: no "
        "loss limit can be watched"
    )
    return WatchResult([Finding("price", RuleAction.FLATTEN, told)], {"unpriced_runs": runs})
