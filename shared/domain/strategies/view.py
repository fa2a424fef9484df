"""What a strategy sees when a bar has closed: bars, its position and orders, the session and its account."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from shared.domain.market_data.bar_columns import BarColumns
from shared.domain.market_data.calendar import Session
from shared.domain.market_data.contract import Contract
from shared.domain.market_data.timeframe import Timeframe
from shared.domain.orders.order import OrderType, Role, Side
from shared.domain.strategies.strategy_error import StrategyError, TooFewBarsError

ReadBars = Callable[[Timeframe, int], BarColumns]
ReadSince = Callable[[Timeframe, datetime], BarColumns]


@dataclass(frozen=True, slots=True)
class PositionFacts:
    """The position of the account in the contract: contracts, below 0 for short, and the average price in ticks.

    `best` and `worst` are the prices in ticks, of closed bars, that were most for and most against it since it was
    opened; all but the quantity are None while flat.
    """

    quantity: int = 0
    average_price: Fraction | None = None
    opened_at: datetime | None = None
    best: int | None = None
    worst: int | None = None

    @property
    def sign(self) -> int:
        """+1 for a long position, -1 for a short one, 0 while flat."""
        return (self.quantity > 0) - (self.quantity < 0)

    @property
    def is_flat(self) -> bool:
        """Whether nothing is held."""
        return self.quantity == 0


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """A working order of the strategy: its role (ENTRY, STOP_LOSS, TAKE_PROFIT), and its price in ticks."""

    role: Role
    side: Side
    type: OrderType
    price: int
    quantity: int


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What the account may still do today, in dollars; None is no limit, or not known.

    `day_result` is since the trading day began, open positions included. `loss_left` is the least that is left of the
    loss limits. `entry_count_today` counts the strategy's filled entries of the trading day.
    """

    balance: Decimal | None = None
    day_result: Decimal | None = None
    loss_left: Decimal | None = None
    max_quantity: int | None = None
    entry_count_today: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """All that a strategy may know at `now`, the close of its bar. Nothing in it changes or reads a clock."""

    now: datetime
    contract: Contract
    timeframe: Timeframe
    session: Session
    position: PositionFacts
    orders: tuple[OrderFacts, ...]
    account: AccountFacts
    read_bars: ReadBars
    read_since: ReadSince

    def bars(self, count: int, timeframe: str | None = None) -> BarColumns:
        """Return the newest `count` bars that have closed, oldest first, of the strategy's timeframe or of another.

        The columns are arrays of whole ticks. Raise TooFewBarsError if there are fewer, and StrategyError for a count
        below 1 or an unknown timeframe.
        """
        if count < 1:
            raise StrategyError(f"invalid count {count} of bars: expected 1 or more")
        wanted = self._parse(timeframe)
        found = self.read_bars(wanted, count)
        if len(found) < count:
            raise TooFewBarsError(f"it has {len(found)} of the {count} bars of {wanted} that it needs")
        return found

    def bars_since(self, start: datetime, timeframe: str | None = None) -> BarColumns:
        """Return the closed bars that start at `start` or later, oldest first; there may be none."""
        return self.read_since(self._parse(timeframe), start)

    def local(self, zone: str) -> datetime:
        """Return `now` by the clocks of a time zone, such as America/New_York."""
        return self.now.astimezone(ZoneInfo(zone))

    @property
    def stop_price(self) -> int | None:
        """The price in ticks of the stop that protects the position; None without one."""
        return next((one.price for one in self.orders if one.role is Role.STOP_LOSS), None)

    @property
    def has_entries(self) -> bool:
        """Whether an entry of the strategy has not filled yet."""
        return any(one.role is Role.ENTRY for one in self.orders)

    def price(self, ticks: int) -> Decimal:
        """Return a price in ticks as the exchange quotes it."""
        return ticks * self.contract.tick_size

    def ticks(self, points: Decimal | float) -> int:
        """Return a distance in points, such as 0.25, as whole ticks, rounded up."""
        exact = Decimal(str(points)) / self.contract.tick_size
        return int(exact.to_integral_value(ROUND_CEILING))

    def _parse(self, timeframe: str | None) -> Timeframe:
        if timeframe is None:
            return self.timeframe
        try:
            return Timeframe.parse(timeframe)
        except ValueError as error:
            raise StrategyError(str(error)) from None
