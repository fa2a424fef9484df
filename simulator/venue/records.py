"""The rows the venue remembers; prices are ticks, instants market time.

A new field has a default, because journals written before it lack it.
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
    """The account's risk setting: only AUTO_OCO lets an order carry brackets."""

    AUTO_OCO = "autoOCO"
    POSITION = "position"


class AccountStage(StrEnum):
    """Which programme an account is in; it decides the account's name and rules."""

    PRACTICE = "practice"
    COMBINE = "combine"
    EXPRESS = "express"


@dataclass(frozen=True, slots=True, kw_only=True)
class LossState:
    """Where an account stands with the rules, in dollars.

    `loss_limit_level` is the least equity it may have (None: no such rule), `day_balance` its balance as the day began
    (None: as it is now). Locked lasts until the next trading day, violated for ever.
    """

    loss_limit_level: Decimal | None = None
    day_balance: Decimal | None = None
    is_locked: bool = False
    is_violated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRecord:
    """One trading account. `user` is its owner's login name in lower case; "" means the user of the settings.

    `size` is the programme's: 50000, 100000 or 150000. `can_trade` is what its owner set; `may_trade` is what holds.
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
        """Whether the account takes orders: its owner lets it, and no rule forbids it."""
        return self.can_trade and not self.loss_state.is_locked and not self.loss_state.is_violated


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """What a person or the firm would change about an account; None keeps what it is."""

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

    SUBMITTING is a market order accepted and not yet filled, WORKING one that rests, SUSPENDED a child before the fill.
    A trailing stop has its distance in `trail_ticks` and its level of now in `price`. `joined` is the side of the quote
    a JoinBid (BUY) or JoinAsk (SELL) took its price from. After a partial fill the rest waits for `resumes_market_at`;
    `fill_price` is the average of its fills.
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
        """What may still fill."""
        return self.quantity - self.filled_quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRecord:
    """One execution; `gross_pnl` is None when it opens."""

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
    """An account's position in a contract, from the fill that opened it to the one that closes it."""

    id: int
    account_id: int
    contract_id: str
    opened_market_at: datetime
    quantity: int
    average_price: Fraction

    @property
    def position(self) -> Position:
        """The position in the words of the trading rules."""
        return Position(self.quantity, self.average_price)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Rows that change together, as one line of the journal; a row with a known id replaces the one before.

    Rows stand in the order they are told: on acceptance the stop, the entry, the target; on a fill the order that
    filled, then its target and its stop as they wake, or its sibling as it ends.
    """

    market_at: datetime
    accounts: list[AccountRecord] = field(default_factory=list)
    orders: list[OrderRecord] = field(default_factory=list)
    fills: list[FillRecord] = field(default_factory=list)
    holdings: list[HoldingRecord] = field(default_factory=list)
    scripts: list[Script] = field(default_factory=list)
    behaviour: Behaviour | None = None  # None: as before
