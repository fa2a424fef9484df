"""The findings of the rules on an account at one instant, from a warning to flattening at once."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal

from shared.domain.market_data.calendar import Session, assumed_calendar_of, trading_day_at
from shared.domain.market_data.contract import ROOTS
from shared.domain.market_data.holidays import LAST_DAY, is_covered
from shared.domain.risk.account_risk import AccountRisk, day_result, loss_limit_level, mark_touched_limits, next_day_end
from shared.domain.risk.findings import Finding, RuleAction, chicago_time, dollars, limited_finding
from shared.domain.risk.personal_limits import personal_findings
from shared.domain.risk.rule_book import RuleBook

# The firm begins to flatten about 10 s before its deadline; ours must be done by then. Source: venue.md section 9.
FLATTEN_AHEAD = timedelta(seconds=30)
_GROUP_OF_FLAT_ACCOUNTS = "equity"
_LIMIT_NAMES = {"max_loss_limit": "max loss limit", "daily_loss_limit": "daily loss limit"}


def check_account(risk: AccountRisk, book: RuleBook, market_now: datetime, session: Session | None) -> list[Finding]:
    """Return the findings of every rule on an account now.

    `session` is that of the contracts held at `market_now`; with several groups of contracts, the one that must be
    flat first: see `session_of`. While the account is flat no finding is stronger than BLOCK: nothing is left to close.
    """
    return [
        *limit_findings(risk, book, market_now),
        *disk_findings(risk),
        *_calendar_findings(market_now),
        *_clock_findings(risk, market_now, session),
        *_closed_market_findings(risk, market_now, session),
        *_goal_findings(risk, book),
        *_balance_findings(risk),
    ]


def limit_findings(risk: AccountRisk, book: RuleBook, market_now: datetime) -> Iterator[Finding]:
    """Yield the findings of the loss limits and the personal limits, and the missing facts that prevent a check."""
    risk = mark_touched_limits(risk, book)
    if book.invalid_changes is not None:
        yield Finding(
            "rules",
            RuleAction.BLOCK,
            f"a rule that you set does not apply, so nothing is entered: {book.invalid_changes}; "
            "`tickwork accounts rules ACCOUNT` shows the rules and what to do",
        )
    yield from _missing_facts(risk)
    if risk.is_breached:
        yield limited_finding(
            risk,
            "max_loss_limit",
            RuleAction.FLATTEN,
            f"max loss limit: equity {dollars(risk.equity)} touched the loss limit level "
            f"{dollars(loss_limit_level(risk, book))} now or earlier; the account is breached for good",
            None,
        )
    if risk.is_day_locked:
        yield limited_finding(
            risk,
            "daily_loss_limit",
            RuleAction.FLATTEN,
            f"daily loss limit: the day's result touched -{dollars(book.daily_loss_limit)} now or earlier; locked "
            f"until {chicago_time(next_day_end(market_now))}",
            next_day_end(market_now),
        )
    yield from personal_findings(risk, book, market_now)
    equity, basis, least = risk.equity, risk.day_basis, loss_limit_level(risk, book)
    if equity is None or basis is None:
        return
    if least is not None and not risk.is_breached:
        yield from _usage_findings(
            risk, book, market_now, rule="max_loss_limit", allowance=basis - least, used=basis - equity
        )
    if book.daily_loss_limit is not None and not risk.is_day_locked:
        yield from _usage_findings(
            risk, book, market_now, rule="daily_loss_limit", allowance=book.daily_loss_limit, used=basis - equity
        )


def disk_findings(risk: AccountRisk) -> Iterator[Finding]:
    """Yield a warning while a disk of the stack has little space, and a block of entries while it has hardly any."""
    disk = risk.fullest_disk
    if disk is not None:
        yield Finding("disk", RuleAction.BLOCK if disk.blocks_entries else RuleAction.WARN, disk.describe())


def first_to_be_flat(sessions: Iterable[Session | None]) -> Session | None:
    """Return the session that must be flat first; None if every market is closed.

    What is held in a closed market cannot be closed, and hides nothing of what is held in the others.
    """
    return min((one for one in sessions if one is not None), key=lambda session: session.flat_by, default=None)


def session_of(risk: AccountRisk, market_now: datetime) -> Session | None:
    """Return the session that must be flat first, of the positions and working entries; of share indexes if none."""
    groups = _groups_of(risk) or {_GROUP_OF_FLAT_ACCOUNTS}
    return first_to_be_flat([assumed_calendar_of(group).session_at(market_now) for group in sorted(groups)])


def quantity_for(
    budget: Decimal, stop_loss_ticks: int, tick_value: Decimal, costs_per_contract: Decimal = Decimal(0)
) -> int:
    """Return how many contracts a budget in dollars covers if the stop is hit, rounded down.

    Raise ValueError for a stop or a tick value that is not above zero, or for costs below zero.
    """
    if stop_loss_ticks < 1 or tick_value <= 0 or costs_per_contract < 0:
        raise ValueError(
            f"invalid stop of {stop_loss_ticks} ticks worth {tick_value} each, with costs of {costs_per_contract}: "
            "expected a stop of at least 1 tick, a tick value above 0, and costs of 0 or more"
        )
    loss = stop_loss_ticks * tick_value + costs_per_contract
    return max(0, int((budget / loss).to_integral_value(ROUND_FLOOR)))


def _missing_facts(risk: AccountRisk) -> Iterator[Finding]:
    facts = {
        "balance": risk.balance,
        "day_opening_balance": risk.day_opening_balance,
        "high_water_mark": risk.high_water_mark,
    }
    hints = {
        "high_water_mark": "set it from the firm's dashboard: `tickwork accounts high-water-mark ACCOUNT BALANCE`",
        "day_opening_balance": "it is computed from the fills of the day with the next snapshot, within a minute",
    }
    for name, value in facts.items():
        if value is None:
            hint = hints.get(name, "read it again")
            yield Finding(
                name, RuleAction.BLOCK, f"{name} of the account is missing, so no limit can be checked: {hint}"
            )
    if risk.balance is not None and risk.equity is None:
        missing = ", ".join(
            holding.contract_id for holding in risk.holdings if holding.quantity and holding.exit_price is None
        )
        yield Finding(
            "price",
            RuleAction.BLOCK,
            f"open profit is unknown while {missing or 'a contract of an unknown root'} is held without a fresh price",
        )


def _usage_findings(
    risk: AccountRisk, book: RuleBook, market_now: datetime, *, rule: str, allowance: Decimal, used: Decimal
) -> Iterator[Finding]:
    """Yield the action for the used share of a limit: `allowance` is the loss that was possible when the day opened."""
    steps = (
        (RuleAction.FLATTEN, "flatten_at", book.flatten_at),
        (RuleAction.REDUCE, "reduce_at", book.reduce_at),
        (RuleAction.BLOCK, "block_at", book.block_at),
        (RuleAction.WARN, "warn_at", book.warn_at),
    )
    for action, name, share in steps:
        if share is not None and used >= share * allowance:
            yield limited_finding(
                risk,
                rule,
                action,
                f"{_LIMIT_NAMES[rule]}: {dollars(used)} of the day's allowance of {dollars(allowance)} is used, and "
                f"{name} is {share:%}: equity {dollars(risk.equity)}",
                next_day_end(market_now),
            )
            return


def _calendar_findings(market_now: datetime) -> Iterator[Finding]:
    if not is_covered(trading_day_at(market_now)):
        yield Finding(
            "calendar",
            RuleAction.BLOCK,
            f"the holiday table ends on {LAST_DAY}: market hours are assumed to be regular for exits, and nothing is "
            "entered; update Tickwork",
        )


def _clock_findings(risk: AccountRisk, market_now: datetime, session: Session | None) -> Iterator[Finding]:
    if session is None or not session.opens <= market_now < session.closes:
        yield limited_finding(
            risk,
            "session",
            RuleAction.FLATTEN,
            f"the market is closed at {chicago_time(market_now)}, or its session is not known: no position may be held",
            None,
        )
    elif market_now >= session.flat_by - FLATTEN_AHEAD and not risk.is_flat:
        due = _groups_due(risk, market_now)
        what = "everything" if due is None else f"what is held in {', '.join(sorted(due))}"
        yield Finding(
            "flat_by",
            RuleAction.FLATTEN,
            f"{what} must be flat by {chicago_time(session.flat_by)}",
            next_day_end(market_now),
            due,
        )
    elif not session.takes_entries_at(market_now):
        yield Finding(
            "last_entry",
            RuleAction.BLOCK,
            f"no new position after {chicago_time(session.last_entry)}, flat by {chicago_time(session.flat_by)}",
            next_day_end(market_now),
        )


def _groups_due(risk: AccountRisk, market_now: datetime) -> frozenset[str] | None:
    """Return the groups whose own time to be flat has come, None if those are all that are held or entered."""
    groups = _groups_of(risk)
    due = {
        group
        for group in groups
        if (session := assumed_calendar_of(group).session_at(market_now)) is not None
        and market_now >= session.flat_by - FLATTEN_AHEAD
    }
    return None if due == groups or not due else frozenset(due)


def _groups_of(risk: AccountRisk) -> set[str]:
    """Return the groups of the positions and working entries."""
    return {ROOTS[root].group for root in {one.root for one in risk.holdings} | {one.root for one in risk.open_entries}}


def _closed_market_findings(risk: AccountRisk, market_now: datetime, session: Session | None) -> Iterator[Finding]:
    """Yield a finding for each contract held in a closed market while another one is open."""
    if session is None:
        return
    for holding in risk.holdings:
        if assumed_calendar_of(ROOTS[holding.root].group).session_at(market_now) is None:
            yield Finding(
                "session",
                RuleAction.BLOCK,
                f"{holding.contract_id} is held while its market is closed: close it when it opens",
            )


def _balance_findings(risk: AccountRisk) -> Iterator[Finding]:
    """Yield a finding if the firm has moved the balance today, with what it may have changed besides."""
    if risk.moved_today:
        kind = "payout" if risk.moved_today < 0 else "deposit"
        yield Finding(
            "balance_moves",
            RuleAction.WARN,
            f"the firm moved {dollars(risk.moved_today)} today ({kind}), which is no result of trading; compare the "
            "loss limit level with the firm's dashboard, and correct it by `tickwork accounts high-water-mark` or the "
            "rules has_been_paid and starting_balance",
        )


def _goal_findings(risk: AccountRisk, book: RuleBook) -> Iterator[Finding]:
    """Yield a finding if the profit target is reached, and one if the best day raises the target."""
    today = day_result(risk)
    if today is None or risk.balance is None:
        return
    target = book.profit_target
    profit = risk.balance - book.starting_balance
    if target is not None and profit >= target:
        yield Finding(
            "profit_target",
            RuleAction.WARN,
            f"profit {dollars(profit)} has reached the target {dollars(target)}",
        )
    results = (*risk.days, today)
    best, total = max(results), sum(results, start=Decimal(0))
    # Below the target, a best day within its share of the target can still become small enough: the target stays.
    if book.consistency_share is not None and best > book.consistency_share * max(total, target or Decimal(0)):
        yield Finding(
            "consistency_share",
            RuleAction.WARN,
            f"consistency: the best day {dollars(best)} is more than {book.consistency_share:%} of the total profit "
            f"{dollars(total)}; total profit must reach {dollars(best / book.consistency_share)}",
        )
