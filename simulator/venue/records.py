"""The rows of the venue; prices are ticks, instants are market time.

A new field needs a default, because older journals lack it.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from shared.domain.orders.order import OrderState, OrderType, Role, Side
from shared.domain.orders.position import Position
from simulator.market.script import Script
from simulator.venue.behaviour import Behaviour


class BracketMode(StrEnum):
    """The bracket setting of an account: only AUTO_OCO accepts orders with brackets."""

    AUTO_OCO = "autoOCO"
    POSITION = "position"


class AccountStage(StrEnum):
    """The programme of an account; it decides the name and the rules."""

    PRACTICE = "practice"
    COMBINE = "combine"
    EXPRESS = "express"


@dataclass(frozen=True, slots=True, kw_only=True)
class LossState:
    """The state of an account's loss limits, in dollars.

    `loss_limit_level` is the equity at which trading ends (None: no loss limit), `day_balance` the balance at the start
    of the day (None: the current one). A lock lasts until the next trading day, a violation for ever.
    """

    loss_limit_level: Decimal | None = None
    day_balance: Decimal | None = None
    is_locked: bool = False
    is_violated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRecord:
    """One trading account. `user` is its owner's login name in lower case; "" means the user of the settings.

    `size` is 50000, 100000 or 150000 dollars. `can_trade` is the owner's setting; `may_trade` also respects the rules.
    """

    id: int
    name: str
    balance: Decimal
    can_trade: bool = True
    bracket_mode: BracketMode = BracketMode.AUTO_OCO
    user: str = ""
    stage: AccountStage = AccountStage.PRACTICE
    size: int = 150_000
    daily_loss_limit: Decimal | None = None
    is_follower: bool = False
    is_live: bool = False
    close_cancels_legs: bool = False
    loss_state: LossState = field(default_factory=LossState)

    @property
    def may_trade(self) -> bool:
        """Whether the account accepts orders: the owner allows it, and no loss limit forbids it."""
        return self.can_trade and not self.loss_state.is_locked and not self.loss_state.is_violated


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """The account settings that the owner or the firm can change; None keeps the current value."""

    bracket_mode: BracketMode | None = None
    can_trade: bool | None = None
    is_follower: bool | None = None
    is_live: bool | None = None
    close_cancels_legs: bool | None = None
    daily_loss_limit: Decimal | None = None
    balance: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRecord:
    """One order. `price` is the limit or stop price; `bracket_ticks` is a child's signed distance from the fill.

    SUBMITTING is a market order accepted and not filled yet, WORKING an order that rests, SUSPENDED a child before the
    fill of its entry. A trailing stop has its distance in `trail_ticks` and its current level in `price`. `joined` is
    the side of the quote that gave a JoinBid (BUY) or JoinAsk (SELL) its price. After a partial fill the rest waits
    until `resumes_market_at`; `fill_price` is the average of the fills.
    """

    id: int
    account_id: int
    contract_id: str
    state: OrderState
    type: OrderType
    side: Side
    quantity: int
    role: Role
    created_market_at: datetime
    updated_market_at: datetime
    price: int | None = None
    tag: str | None = None
    bracket_ticks: int | None = None
    parent_order_id: int | None = None
    linked_order_id: int | None = None
    filled_quantity: int = 0
    fill_price: Fraction | None = None
    trail_ticks: int | None = None
    joined: Side | None = None
    resumes_market_at: datetime | None = None

    @property
    def open_quantity(self) -> int:
        """The quantity that may still fill."""
        return self.quantity - self.filled_quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRecord:
    """One execution; `gross_pnl` is None for an opening fill."""

    id: int
    order_id: int
    account_id: int
    contract_id: str
    side: Side
    quantity: int
    price: int
    gross_pnl: Decimal | None
    fees: Decimal
    commissions: Decimal
    filled_market_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingRecord:
    """An account's position in a contract, from the fill that opened it to the one that closes it.

    A closed one has quantity 0 and keeps its average price.
    """

    id: int
    account_id: int
    contract_id: str
    opened_market_at: datetime
    quantity: int
    average_price: Fraction

    @property
    def position(self) -> Position:
        """The position as a domain object."""
        return Position(self.quantity, self.average_price)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Rows that change together, as one line of the journal; a row with a known id replaces the one before.

    Rows have the order of the hub events: on acceptance the stop, the entry, the target; on a fill the filled order,
    then its target and its stop as they become active, or its sibling as it ends.
    """

    market_at: datetime
    accounts: list[AccountRecord] = field(default_factory=list)
    orders: list[OrderRecord] = field(default_factory=list)
    fills: list[FillRecord] = field(default_factory=list)
    holdings: list[HoldingRecord] = field(default_factory=list)
    scripts: list[Script] = field(default_factory=list)
    behaviour: Behaviour | None = None  # None: as before
