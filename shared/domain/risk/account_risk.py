"""The risk state of an account: balances, positions, open entries, and the marks that last a day or for good."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from shared.domain.market_data.calendar import CHICAGO, DAY_BEGINS
from shared.domain.market_data.contract import ROOTS
from shared.domain.orders.order import Direction, Side
from shared.domain.risk.disk_space import DiskSpace
from shared.domain.risk.rule_book import RuleBook

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Holding:
    """A position: `quantity` is above zero when long; `exit_price` is the bid for a long and the ask for a short.

    `exit_price` is None without a fresh quote. `stop_risk` is the loss still possible down to its stops, in dollars;
    `unprotected` is how many of its contracts no stop covers.
    """

    contract_id: str
    root: str
    quantity: int
    average_price: Decimal
    exit_price: Decimal | None
    stop_risk: Decimal = Decimal(0)
    unprotected: int = 0


@dataclass(frozen=True, slots=True)
class OpenEntry:
    """An entry that is created, in flight or working, with its quantity that is not in the position yet.

    One that has filled counts until its fills are known; protective orders do not count.
    """

    contract_id: str
    root: str
    side: Side
    quantity: int
    stop_risk: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class ClosedTrade:
    """The result of one closing order after its costs, in dollars, and when its last fill was."""

    result: Decimal
    closed_market_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRisk:
    """The facts about an account that the rules need, at one instant; None is a missing fact.

    Balances are of closed trades, after fees. `days` are the results of the earlier trading days.
    """

    balance: Decimal | None
    day_opening_balance: Decimal | None
    moved_today: Decimal = Decimal(0)  # by the firm, without a trade: payouts below zero, deposits above
    high_water_mark: Decimal | None  # the highest balance at the end of a trading day, the first balance included
    is_breached: bool = False  # the equity touched the loss limit level: for good
    is_day_locked: bool = False  # the equity touched the daily loss limit: until 17:00 in Chicago
    is_profit_locked: bool = False  # the day's result reached the daily profit target: until 17:00 in Chicago
    is_week_locked: bool = False  # the week's result touched the weekly loss limit: until Friday 17:00 in Chicago
    locked_out_until_market_at: datetime | None = None  # a person lets it enter nothing before
    reduce_only_reason: str | None = None  # why nothing may be entered that does not only reduce
    is_reduced: bool = False  # half of each position was already closed today
    holdings: tuple[Holding, ...] = ()
    open_entries: tuple[OpenEntry, ...] = ()
    trade_count_today: int = 0  # entries of this trading day that are no longer among `open_entries`
    closed_trades: tuple[ClosedTrade, ...] = ()  # of this trading day, oldest first
    opening_costs: Decimal = Decimal(0)  # of this trading day's fills without a result
    order_count_last_minute: int = 0
    oldest_order_market_at: datetime | None = None  # of the orders in the last minute
    days: tuple[Decimal, ...] = ()
    days_since_payout: tuple[Decimal, ...] = ()  # those after an Express account's last payout
    earlier_week_result: Decimal = Decimal(0)  # of this week's trading days that have ended
    # The directions that the owner's other accounts hold or enter, by product family.
    other_directions: Mapping[str, frozenset[Direction]] = field(default_factory=dict)
    fullest_disk: DiskSpace | None = None  # of the disks of the stack with too little space

    @property
    def is_flat(self) -> bool:
        """Whether the account has no position and no open entry."""
        return not self.open_entries and not any(holding.quantity for holding in self.holdings)

    @property
    def equity(self) -> Decimal | None:
        """The balance and the open profit; None when a price or the balance is missing."""
        profit = open_profit(self.holdings)
        return None if self.balance is None or profit is None else self.balance + profit

    @property
    def unexplained_balance(self) -> Decimal | None:
        """The part of the day's result that its fills do not explain; None if a balance is missing.

        It is the result of unknown products and of fills from before the first sight; while a balance and its fills are
        not both recorded, or a payout is not known as one, it is theirs too.
        """
        result = day_result(self)
        if result is None:
            return None
        return result - sum((trade.result for trade in self.closed_trades), start=Decimal(0)) + self.opening_costs

    @property
    def day_basis(self) -> Decimal | None:
        """The balance from which the day's result counts: that at its opening, and what the firm has moved since."""
        return None if self.day_opening_balance is None else self.day_opening_balance + self.moved_today

    def quantity_of(self, contract_id: str) -> int:
        """Return the net quantity of a contract, above zero when long."""
        return sum(holding.quantity for holding in self.holdings if holding.contract_id == contract_id)


def open_profit(holdings: Iterable[Holding]) -> Decimal | None:
    """Return the result of closing everything now, before fees, half-even to the cent; None if a price is missing."""
    total = Decimal(0)
    for holding in holdings:
        root = ROOTS.get(holding.root)
        if holding.quantity == 0:
            continue
        if root is None or holding.exit_price is None:
            return None
        gain = (holding.exit_price - holding.average_price) * holding.quantity
        total += gain * root.tick_value / root.tick_size
    return total.quantize(_CENT, ROUND_HALF_EVEN)


def loss_limit_level_for(book: RuleBook, high_water_mark: Decimal) -> Decimal | None:
    """Return the equity at which an account is breached, or None without a max loss limit.

    It follows the high-water mark, never falls, and stops rising at the starting balance; after an Express account's
    first payout it is the starting balance.
    """
    if book.max_loss_limit is None:
        return None
    if book.has_been_paid:
        return book.starting_balance
    highest = max(high_water_mark, book.starting_balance)
    return min(highest - book.max_loss_limit, book.starting_balance)


def loss_limit_level(risk: AccountRisk, book: RuleBook) -> Decimal | None:
    """Return the loss limit level of an account; None without a max loss limit or high-water mark."""
    highest, opening, basis = risk.high_water_mark, risk.day_opening_balance, risk.day_basis
    if highest is None:
        return None
    # The opening balance of a day is an end-of-day balance, so it counts even if it was not recorded as the mark; what
    # the firm has taken off since, as by a reset, does not.
    return loss_limit_level_for(
        book, highest if opening is None or basis is None else max(highest, min(opening, basis))
    )


def day_result(risk: AccountRisk) -> Decimal | None:
    """Return the result of the day's closed trades until now, after fees; None if a balance is missing."""
    basis = risk.day_basis
    return None if risk.balance is None or basis is None else risk.balance - basis


def day_equity_result(risk: AccountRisk) -> Decimal | None:
    """Return the result of the day until now with the open profit; None if a balance or a price is missing."""
    basis = risk.day_basis
    return None if risk.equity is None or basis is None else risk.equity - basis


def week_equity_result(risk: AccountRisk) -> Decimal | None:
    """Return the result of the trading week as `day_equity_result` does that of the day."""
    today = day_equity_result(risk)
    return None if today is None else risk.earlier_week_result + today


def opening_balance_from(balance: Decimal, fills: Iterable[tuple[Decimal | None, Decimal]]) -> Decimal:
    """Return the balance at which the trading day opened: the present one without the day's fills.

    A fill is its result before costs (None when it opened a position), and its costs.
    """
    return balance - sum(((gross or Decimal(0)) - costs for gross, costs in fills), start=Decimal(0))


def mark_touched_limits(risk: AccountRisk, book: RuleBook) -> AccountRisk:
    """Return the risk with `is_breached` and the locks set if its equity touches a limit, or the profit target, now.

    Store the result before you decide anything else: a later, other price does not undo a touch.
    """
    equity, basis, least = risk.equity, risk.day_basis, loss_limit_level(risk, book)
    if equity is None:
        return risk
    is_breached = least is not None and equity <= least
    is_locked = basis is not None and book.daily_loss_limit is not None and equity <= basis - book.daily_loss_limit
    result, target = day_equity_result(risk), book.daily_profit_target
    week_result, most = week_equity_result(risk), book.weekly_loss_limit
    return replace(
        risk,
        is_breached=risk.is_breached or is_breached,
        is_day_locked=risk.is_day_locked or is_locked,
        is_profit_locked=risk.is_profit_locked or (target is not None and result is not None and result >= target),
        is_week_locked=risk.is_week_locked or (most is not None and week_result is not None and week_result <= -most),
    )


def next_day_end(after: datetime) -> datetime:
    """Return the first end of a trading day, 17:00 in Chicago, after an instant."""
    return next_chicago_time(DAY_BEGINS, after)


def next_chicago_time(clock: time, after: datetime) -> datetime:
    """Return the next instant after `after` at which it is `clock` in Chicago."""
    today = after.astimezone(CHICAGO).date()
    instants = (datetime.combine(today + timedelta(days=days), clock, CHICAGO).astimezone(UTC) for days in range(3))
    return next(instant for instant in instants if instant > after)
