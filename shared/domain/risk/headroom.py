"""The loss that a position may still make before the equity touches a loss limit."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal

from shared.domain.market_data.contract import ROOTS
from shared.domain.risk.account_risk import AccountRisk, Holding, OpenEntry, loss_limit_level
from shared.domain.risk.rule_book import RuleBook

MAX_LOSS_LIMIT = "max loss limit"


def headroom_of_position(risk: AccountRisk, book: RuleBook, contract_id: str) -> Decimal | None:
    """Return the dollars that a position may lose from its average price until the equity touches a loss limit.

    The nearest of the max, daily and weekly loss limits counts, less the losses at the stops of all other positions and
    open entries, and less the assumed fees of everything. It is not above zero once nothing is left, and None if the
    account has no limit, or a balance is missing.
    """
    if risk.balance is None:
        return None
    others = [one for one in risk.holdings if one.contract_id != contract_id]
    worst = risk.balance + sum((_profit_at_stop(one) for one in others), start=Decimal(0))
    worst -= sum((entry.stop_risk for entry in risk.open_entries), start=Decimal(0))
    worst -= _costs_of_all(risk, book)
    return min((worst - level for _, level in _list_levels(risk, book)), default=None)


def list_headroom(risk: AccountRisk, book: RuleBook, *, closed: str | None = None) -> list[tuple[str, Decimal]]:
    """Return, for each loss limit, its name and the dollars left until it once every stop is hit.

    That is the equity less the losses at the stops of all positions and open entries, and less the assumed fees of
    everything; the position in the contract `closed` counts as closed. None are returned while the equity is unknown.
    """
    if risk.equity is None:
        return []
    equity, risk = risk.equity, replace(risk, holdings=tuple(one for one in risk.holdings if one.contract_id != closed))
    parts: tuple[Holding | OpenEntry, ...] = (*risk.holdings, *risk.open_entries)
    worst = equity - sum((part.stop_risk for part in parts), start=Decimal(0)) - _costs_of_all(risk, book)
    return [(rule, worst - level) for rule, level in _list_levels(risk, book)]


def _costs_of_all(risk: AccountRisk, book: RuleBook) -> Decimal:
    parts: tuple[Holding | OpenEntry, ...] = (*risk.holdings, *risk.open_entries)
    return sum((book.costs_of(part.root, abs(part.quantity)) for part in parts), start=Decimal(0))


def _list_levels(risk: AccountRisk, book: RuleBook) -> Iterator[tuple[str, Decimal]]:
    """Yield name and equity of each loss limit that applies."""
    least, basis = loss_limit_level(risk, book), risk.day_basis
    if least is not None:
        yield MAX_LOSS_LIMIT, least
    if book.daily_loss_limit is not None and basis is not None:
        yield "daily loss limit", basis - book.daily_loss_limit
    if book.weekly_loss_limit is not None and basis is not None:
        yield "weekly loss limit", basis - risk.earlier_week_result - book.weekly_loss_limit


def most_stop_ticks(headroom: Decimal, tick_value: Decimal, quantity: int) -> int:
    """Return the widest stop, in ticks, whose loss stays below the headroom; zero or less if none does."""
    return int((headroom / (tick_value * quantity)).to_integral_value(ROUND_CEILING)) - 1


def _profit_at_stop(holding: Holding) -> Decimal:
    """Return the result of a position at its stop, in dollars, without the part of a profit that needs a price."""
    root = ROOTS[holding.root]
    if holding.exit_price is None:
        return -holding.stop_risk
    profit = (holding.exit_price - holding.average_price) * holding.quantity * root.tick_value / root.tick_size
    return profit - holding.stop_risk
