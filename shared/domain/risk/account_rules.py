"""What the rules say of an account at one instant: from nothing, over a warning, to flatten at once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from enum import IntEnum

from shared.domain.market_data.calendar import CHICAGO, Session, calendar_of
from shared.domain.market_data.contract import ROOTS
from shared.domain.risk.account_risk import AccountRisk, day_ends, day_result, loss_limit_level, marked
from shared.domain.risk.rule_book import RuleBook

# The firm begins to flatten some 10 s before its time; ours has to be done by then. Source: venue.md section 9.
FLATTEN_AHEAD = timedelta(seconds=30)
_OF_FLAT_ACCOUNTS = "equity"


class RuleAction(IntEnum):
    """What has to be done, each more than the one before; REDUCE closes half, FLATTEN cancels and closes all."""

    NONE = 0
    WARN = 1
    BLOCK = 2
    REDUCE = 3
    FLATTEN = 4


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says, with its figures; `lifts_market_at` is when time alone lifts it, or None."""

    rule: str
    action: RuleAction
    message: str
    lifts_market_at: datetime | None = None


def strongest(findings: Iterable[Finding]) -> RuleAction:
    """Return the strongest action among findings; NONE without any."""
    return max((finding.action for finding in findings), default=RuleAction.NONE)


def watch(risk: AccountRisk, book: RuleBook, market_now: datetime, session: Session | None) -> list[Finding]:
    """Return what the rules say of an account right now, however it got there.

    `session` is the one at `market_now` of what is held; of several groups of contracts the one to be flat first, see
    `flat_first`. Nothing found stronger than BLOCK while the account is flat: there is nothing to close.
    """
    return [
        *limit_findings(risk, book, market_now),
        *_clock_findings(risk, market_now, session),
        *_goal_findings(risk, book),
    ]


def limit_findings(risk: AccountRisk, book: RuleBook, market_now: datetime) -> Iterator[Finding]:
    """Yield what the loss limits say, or what is missing to judge them."""
    risk = marked(risk, book)
    yield from _missing(risk)
    if risk.is_breached:
        yield _loss(
            risk,
            "max_loss_limit",
            RuleAction.FLATTEN,
            f"maximum loss: equity {_shown(risk.equity)} touched the floor {_shown(loss_limit_level(risk, book))} "
            "now or earlier; the account is breached for good",
            None,
        )
    if risk.is_day_locked:
        yield _loss(
            risk,
            "daily_loss_limit",
            RuleAction.FLATTEN,
            f"daily loss: the day's result touched -{_shown(book.daily_loss_limit)} now or earlier; locked "
            f"until {when(day_ends(market_now))}",
            day_ends(market_now),
        )
    equity, opening, least = risk.equity, risk.day_opening_balance, loss_limit_level(risk, book)
    if equity is None or opening is None:
        return
    if least is not None and not risk.is_breached:
        yield from _used(risk, book, market_now, rule="max_loss_limit", headroom=opening - least, used=opening - equity)
    if book.daily_loss_limit is not None and not risk.is_day_locked:
        yield from _used(
            risk, book, market_now, rule="daily_loss_limit", headroom=book.daily_loss_limit, used=opening - equity
        )


def flat_first(sessions: Iterable[Session | None]) -> Session | None:
    """Return the session that has to be flat first; None as soon as one of them is closed."""
    earliest: Session | None = None
    for session in sessions:
        if session is None:
            return None
        if earliest is None or session.flat_by < earliest.flat_by:
            earliest = session
    return earliest


def session_of(risk: AccountRisk, market_now: datetime) -> Session | None:
    """Return the session of what is held or on its way, first to be flat; of a flat account that of share indexes."""
    roots = {one.root for one in risk.holdings} | {one.root for one in risk.working}
    groups = {ROOTS[root].group for root in roots} or {_OF_FLAT_ACCOUNTS}
    return flat_first([calendar_of(group).session_at(market_now) for group in sorted(groups)])


def quantity_for(
    budget: Decimal, stop_loss_ticks: int, tick_value: Decimal, costs_per_contract: Decimal = Decimal(0)
) -> int:
    """Return how many contracts a budget pays for when the stop is hit: rounded down, and 0 if not even one.

    Raise ValueError for a stop or a tick value that is not above zero, or for costs below zero.
    """
    if stop_loss_ticks < 1 or tick_value <= 0 or costs_per_contract < 0:
        raise ValueError(
            f"a stop of {stop_loss_ticks} ticks worth {tick_value} each with costs of {costs_per_contract}: give a "
            "stop and a tick value above 0, and costs of 0 or more"
        )
    loss = stop_loss_ticks * tick_value + costs_per_contract
    return max(0, int((budget / loss).to_integral_value(ROUND_FLOOR)))


def when(instant: datetime) -> str:
    """Return an instant as a person at the firm reads it."""
    return f"{instant.astimezone(CHICAGO):%Y-%m-%d %H:%M:%S} Chicago"


def _missing(risk: AccountRisk) -> Iterator[Finding]:
    facts = {
        "balance": risk.balance,
        "day_opening_balance": risk.day_opening_balance,
        "high_water_mark": risk.high_water_mark,
    }
    hints = {"high_water_mark": "`tickwork accounts high ACCOUNT BALANCE` says it, from the firm's own dashboard"}
    for name, value in facts.items():
        if value is None:
            hint = hints.get(name, "read it anew")
            yield Finding(
                name, RuleAction.BLOCK, f"{name} of the account is missing, so no limit can be judged: {hint}"
            )
    if risk.balance is not None and risk.equity is None:
        missing = ", ".join(
            holding.contract_id for holding in risk.holdings if holding.quantity and holding.exit_price is None
        )
        yield Finding(
            "price",
            RuleAction.BLOCK,
            f"open profit is unknown while {missing or 'a contract of no root we know'} is held without a fresh price",
        )


def _used(
    risk: AccountRisk, book: RuleBook, market_now: datetime, *, rule: str, headroom: Decimal, used: Decimal
) -> Iterator[Finding]:
    """Yield what to do about a limit of which part is used up: `headroom` is what the day could lose at its opening."""
    steps = (
        (RuleAction.FLATTEN, "flatten_at", book.flatten_at),
        (RuleAction.REDUCE, "reduce_at", book.reduce_at),
        (RuleAction.BLOCK, "block_at", book.block_at),
        (RuleAction.WARN, "warn_at", book.warn_at),
    )
    for action, name, share in steps:
        if share is not None and used >= share * headroom:
            yield _loss(
                risk,
                rule,
                action,
                f"{rule.replace('_', ' ')}: {_shown(used)} of the day's {_shown(headroom)} is used, and {name} is "
                f"{share:%}: equity {_shown(risk.equity)}",
                day_ends(market_now),
            )
            return


def _loss(risk: AccountRisk, rule: str, action: RuleAction, message: str, lifts: datetime | None) -> Finding:
    """Return a finding that asks for no more than there is to do: one cut a day, and nothing to close when flat."""
    if risk.is_flat or (action is RuleAction.REDUCE and risk.is_reduced):
        action = min(action, RuleAction.BLOCK)
    return Finding(rule, action, message, lifts)


def _clock_findings(risk: AccountRisk, market_now: datetime, session: Session | None) -> Iterator[Finding]:
    if session is None or not session.opens <= market_now < session.closes:
        yield _loss(
            risk,
            "session",
            RuleAction.FLATTEN,
            f"the market is closed at {when(market_now)}, or its session is not known: nothing may be held over it",
            None,
        )
    elif market_now >= session.flat_by - FLATTEN_AHEAD and not risk.is_flat:
        yield Finding(
            "flat_by", RuleAction.FLATTEN, f"everything must be flat by {when(session.flat_by)}", day_ends(market_now)
        )
    elif market_now >= session.last_entry:
        yield Finding(
            "last_entry",
            RuleAction.BLOCK,
            f"no new position after {when(session.last_entry)}, flat by {when(session.flat_by)}",
            day_ends(market_now),
        )


def _goal_findings(risk: AccountRisk, book: RuleBook) -> Iterator[Finding]:
    """Yield that the target is reached, and that one day is so good that it raises the target."""
    today = day_result(risk)
    if today is None or risk.balance is None:
        return
    target = book.profit_target
    profit = risk.balance - book.starting_balance
    if target is not None and profit >= target:
        yield Finding(
            "profit_target", RuleAction.WARN, f"profit {_shown(profit)} has reached the target {_shown(target)}"
        )
    results = (*risk.days, today)
    best, total = max(results), sum(results, start=Decimal(0))
    # Below the target a best day within its share of the target can still become small enough: nothing is raised.
    if book.consistency_share is not None and best > book.consistency_share * max(total, target or Decimal(0)):
        yield Finding(
            "consistency_share",
            RuleAction.WARN,
            f"consistency: the best day {_shown(best)} is more than {book.consistency_share:%} of the total profit "
            f"{_shown(total)}; total profit must reach {_shown(best / book.consistency_share)}",
        )


def _shown(money: Decimal | None) -> str:
    return "unknown" if money is None else f"{money:,.2f}"
