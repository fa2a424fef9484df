"""The worst value of each limit since it is marked: it tells what an amount that no fill explains locked alone."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from shared.domain.risk.account_risk import AccountRisk, day_equity_result, week_equity_result
from shared.domain.risk.rule_book import RuleBook

_RISES = "daily_profit_target"  # the one limit that is reached from below


@dataclass(frozen=True, slots=True)
class LimitValue:
    """The worst value of a limit: by the fills, and the amount that counted beside them without a fill."""

    by_fills: Decimal
    unexplained: Decimal

    @property
    def total(self) -> Decimal:
        """The value as it counted."""
        return self.by_fills + self.unexplained


def parse_values(document: Mapping[str, Sequence[str]] | None) -> dict[str, LimitValue]:
    """Return the values of a row of `account`."""
    return {rule: LimitValue(*map(Decimal, parts)) for rule, parts in (document or {}).items()}


def to_document(values: Mapping[str, LimitValue]) -> dict[str, list[str]] | None:
    """Return values as a row of `account` has them; None without any."""
    return {rule: [str(one.by_fills), str(one.unexplained)] for rule, one in sorted(values.items())} or None


def measure_limits(risk: AccountRisk, unexplained: Decimal) -> dict[str, LimitValue]:
    """Return the value of each limit now, in dollars, of which `unexplained` counts without a fill.

    A limit whose value is unknown is left out.
    """
    totals = {
        "daily_loss_limit": day_equity_result(risk),
        _RISES: day_equity_result(risk),
        "weekly_loss_limit": week_equity_result(risk),
    }
    return {rule: LimitValue(total - unexplained, unexplained) for rule, total in totals.items() if total is not None}


def keep_worst(
    before: Mapping[str, LimitValue], now: Mapping[str, LimitValue], marked: Collection[str], new: Collection[str]
) -> dict[str, LimitValue]:
    """Return the worst values of the marked limits, the `new` ones as they are now.

    One that no unexplained amount has marked stays as it was, as nothing can lift it; so does one whose amount is no
    longer today's.
    """
    kept = {rule: now[rule] for rule in new if rule in now}
    for rule in set(marked) & set(before) - set(new):
        value, present = before[rule], now.get(rule)
        if value.unexplained and present is not None and present.unexplained == value.unexplained:
            worst = max if rule == _RISES else min
            value = replace(value, by_fills=worst(value.by_fills, present.by_fills))
        kept[rule] = value
    return kept


def is_locked_by(value: LimitValue, amount: Decimal, rule: str, book: RuleBook) -> bool:
    """Whether an `amount` that no fill explains made the mark of a limit alone: nothing touched it without."""
    if value.unexplained * amount <= 0 or abs(amount) > abs(value.unexplained):
        return False
    without = value.total - amount
    match rule:
        case "daily_loss_limit":
            return book.daily_loss_limit is None or without > -book.daily_loss_limit
        case "weekly_loss_limit":
            return book.weekly_loss_limit is None or without > -book.weekly_loss_limit
        case _:
            return book.daily_profit_target is None or without < book.daily_profit_target


def subtract(values: Mapping[str, LimitValue], amount: Decimal) -> dict[str, LimitValue]:
    """Return the values once an amount, if it counted in them, is a move by the firm."""
    return {
        rule: replace(value, unexplained=value.unexplained - amount) if value.unexplained * amount > 0 else value
        for rule, value in values.items()
    }
