"""The personal limits: rules that a trader sets beyond those of the firm, all off by default."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta

from shared.domain.counting import count_of
from shared.domain.market_data.calendar import trading_day_at, trading_week_ends, trading_week_of
from shared.domain.orders.order import Side
from shared.domain.risk.account_risk import AccountRisk, ClosedTrade, next_chicago_time, next_day_end
from shared.domain.risk.findings import Finding, RuleAction, chicago_time, dollars, limited_finding
from shared.domain.risk.rule_book import RuleBook
from shared.domain.years import YEARS, require_year
from shared.errors import RefusedError

_MINUTE = timedelta(minutes=1)
_CLOCK = re.compile(r"[0-9]{2}:[0-9]{2}")
# The rules whose findings also cancel the resting entries of the account.
ENTRY_STOPS = frozenset(
    {"daily_profit_target", "weekly_loss_limit", "max_consecutive_losses", "loss_pause", "lock_out", "reduce_only"}
)


def losses_in_row(trades: Iterable[ClosedTrade]) -> list[ClosedTrade]:
    """Return the losses since the last profit, oldest first; a trade that ended even is neither."""
    losses: list[ClosedTrade] = []
    for trade in trades:
        if trade.result > 0:
            losses = []
        elif trade.result < 0:
            losses.append(trade)
    return losses


def personal_findings(risk: AccountRisk, book: RuleBook, market_now: datetime) -> Iterator[Finding]:
    """Yield the findings of the personal limits on an account whose touched limits are marked."""
    if risk.reduce_only_reason is not None:
        yield Finding("reduce_only", RuleAction.BLOCK, describe_reduce_only(risk.reduce_only_reason))
    until = risk.locked_out_until_market_at
    if until is not None and market_now < until:
        yield Finding(
            "lock_out",
            RuleAction.BLOCK,
            f"locked out: a person lets the account enter nothing until {chicago_time(until)}, and nothing lifts it",
            until,
        )
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
    yield from _loss_row_findings(losses_in_row(risk.closed_trades), book, market_now)


def describe_reduce_only(reason: str) -> str:
    """Return what a reduce-only halt forbids, with its reason."""
    return f"reduce-only: {reason}; only an entry that makes a position smaller passes"


def parse_lock_out(text: str, market_now: datetime) -> datetime:
    """Return the instant until which an account is locked out: HH:MM is the next such time of Chicago's clock.

    Raise RefusedError for any other text that is not a later instant with its offset.
    """
    try:
        if _CLOCK.fullmatch(text):
            return next_chicago_time(time.fromisoformat(text), market_now)
        until = datetime.fromisoformat(text)
        require_year(until)
    except ValueError:
        until = None
    if until is None or until.tzinfo is None or until <= market_now:
        raise RefusedError(
            f"invalid end of a lock-out {text!r}: expected HH:MM of Chicago's clock, or an instant with its offset "
            f"such as 2026-12-01T08:30-06:00, later than now, {chicago_time(market_now)}, and {YEARS}"
        )
    return until.astimezone(UTC)


def root_findings(root: str, side: Side, quantity: int, risk: AccountRisk, book: RuleBook) -> Iterator[Finding]:
    """Yield a finding if an entry would exceed the most contracts of its root, positions and its own side included."""
    most = dict(book.max_by_root).get(root)
    held = sum(abs(holding.quantity) for holding in risk.holdings if holding.root == root)
    working = sum(order.quantity for order in risk.open_entries if order.root == root and order.side is side)
    if most is not None and held + working + quantity > most:
        yield Finding(
            "max_by_root",
            RuleAction.BLOCK,
            f"contracts of {root}: {held} held, {working} working to {side} and {quantity} requested are more than the "
            f"{most} of max_by_root",
        )


def _loss_row_findings(losses: Sequence[ClosedTrade], book: RuleBook, market_now: datetime) -> Iterator[Finding]:
    most, pause = book.max_consecutive_losses, book.loss_pause
    lost = f"{count_of(len(losses), 'trade')} lost in a row"
    if most is not None and len(losses) >= most:
        yield Finding(
            "max_consecutive_losses",
            RuleAction.BLOCK,
            f"consecutive losses: {lost} today, and max_consecutive_losses is {most}",
            next_day_end(market_now),
        )
    if pause is None or len(losses) < pause.after:
        return
    last = losses[-1].closed_market_at
    if market_now < last + pause.lasts:
        yield Finding(
            "loss_pause",
            RuleAction.BLOCK,
            f"loss pause: {lost}, the last at {chicago_time(last)}, and loss_pause allows no entry for "
            f"{count_of(pause.lasts // _MINUTE, 'minute')} after it",
            last + pause.lasts,
        )
