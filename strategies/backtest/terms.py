"""What a backtest is run with: the contract, the size, the account and its rules, the costs, and the path of prices."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Literal

from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.calendar import Calendar
from shared.domain.market_data.contract import Contract
from shared.domain.risk.rule_book import RuleBook
from shared.domain.trades.fees import fees_of
from shared.errors import RefusedError

SIMULATOR_LATENCY = timedelta(milliseconds=10)
Intrabar = Literal["path", "worst"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a fill costs: dollars per contract and side, and the ticks by which a market order or a stop fills worse.

    `latency` is from the close of the bar to the fill of a market order. Raise RefusedError for a negative figure, or a
    latency of a minute or more.
    """

    fees: Decimal
    commissions: Decimal
    slippage_ticks: int = 0
    latency: timedelta = SIMULATOR_LATENCY

    def __post_init__(self) -> None:
        if min(self.fees, self.commissions) < 0 or self.slippage_ticks < 0:
            raise RefusedError(f"invalid costs {self}: expected none below 0")
        if not timedelta() <= self.latency < MINUTE:
            raise RefusedError(f"invalid latency {self.latency}: expected less than a minute")


def usual_costs(root: str, slippage_ticks: int = 0) -> Costs:
    """Return the costs of a root at the simulator."""
    fees, commissions = fees_of(root, 1)
    return Costs(fees=fees, commissions=commissions, slippage_ticks=slippage_ticks)


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestTerms:
    """The terms of a backtest. Without a rule book the account has no loss limits and no limit of its size.

    `quantity` is that of an entry that names no size. `intrabar` is how the order of prices within a minute is taken:
    the path of the simulator, or whichever of both paths leaves less.
    """

    contract: Contract
    calendar: Calendar
    costs: Costs
    quantity: int = 1
    balance: Decimal = Decimal(50_000)
    rule_book: RuleBook | None = None
    intrabar: Intrabar = "path"
    name: str = ""  # that fills get as their strategy; "": the class

    def __post_init__(self) -> None:
        if self.quantity < 1:
            raise RefusedError(f"invalid quantity '{self.quantity}': expected a whole number of contracts, at least 1")
