"""What an account has used of each rule that has a figure: its losses, its size and its counts beside the allowance."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from shared.domain.risk.account_risk import AccountRisk, loss_limit_level
from shared.domain.risk.personal_limits import losses_in_row
from shared.domain.risk.rule_book import RuleBook

DOLLARS = "dollars"
_CONTRACTS = "contracts"
_UNITS = {
    "max_loss_limit": DOLLARS,
    "daily_loss_limit": DOLLARS,
    "weekly_loss_limit": DOLLARS,
    "daily_profit_target": DOLLARS,
    "max_micros": "micros",
    "max_by_root": _CONTRACTS,
    "max_trades_per_day": "trades",
    "max_consecutive_losses": "losses",
    "max_orders_per_minute": "orders",
}


@dataclass(frozen=True, slots=True)
class RuleUsage:
    """A rule, what is used of it, and what it allows, in its unit; `root` is set for a rule of one root.

    `used` is not below zero, and None while a balance or a price is missing; so is `headroom`, which is below zero once
    more is used than allowed, and above the allowance after a profit.
    """

    rule: str
    root: str | None
    unit: str
    used: Decimal | None
    allowance: Decimal
    headroom: Decimal | None


def list_usage(risk: AccountRisk, book: RuleBook) -> Iterator[RuleUsage]:
    """Yield the usage of each rule of the book that has a figure, the loss limits first."""
    equity, basis, least = risk.equity, risk.day_basis, loss_limit_level(risk, book)
    lost = None if equity is None or basis is None else basis - equity
    if least is not None and basis is not None:
        yield _usage("max_loss_limit", lost, basis - least)
    if book.daily_loss_limit is not None:
        yield _usage("daily_loss_limit", lost, book.daily_loss_limit)
    if book.weekly_loss_limit is not None:
        lost_in_week = None if lost is None else lost - risk.earlier_week_result
        yield _usage("weekly_loss_limit", lost_in_week, book.weekly_loss_limit)
    if book.daily_profit_target is not None:
        yield _usage("daily_profit_target", None if lost is None else -lost, book.daily_profit_target)
    yield from _list_counts(risk, book)


def _list_counts(risk: AccountRisk, book: RuleBook) -> Iterator[RuleUsage]:
    if (opening := risk.day_opening_balance) is not None:
        held = sum(book.count_micros(one.root, abs(one.quantity)) for one in risk.holdings)
        working = sum(book.count_micros(one.root, one.quantity) for one in risk.open_entries)
        yield _usage("max_micros", Decimal(held + working), Decimal(book.max_micros(opening)))
    for root, most in book.max_by_root:
        held = sum(abs(one.quantity) for one in risk.holdings if one.root == root)
        working = sum(one.quantity for one in risk.open_entries if one.root == root)
        yield _usage("max_by_root", Decimal(held + working), Decimal(most), root=root)
    if book.max_trades_per_day is not None:
        trades = risk.trade_count_today + len(risk.open_entries)
        yield _usage("max_trades_per_day", Decimal(trades), Decimal(book.max_trades_per_day))
    if book.max_consecutive_losses is not None:
        losses = len(losses_in_row(risk.closed_trades))
        yield _usage("max_consecutive_losses", Decimal(losses), Decimal(book.max_consecutive_losses))
    yield _usage("max_orders_per_minute", Decimal(risk.order_count_last_minute), Decimal(book.max_orders_per_minute))


def _usage(rule: str, used: Decimal | None, allowance: Decimal, root: str | None = None) -> RuleUsage:
    """Return one rule's usage; a day's profit uses nothing and adds to the headroom."""
    headroom = None if used is None else allowance - used
    shown = None if used is None else max(Decimal(0), used)
    return RuleUsage(rule, root, _UNITS[rule], shown, allowance, headroom)
