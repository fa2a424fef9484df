"""The rows the venue remembers; prices are ticks, instants market time."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from shared.domain.order import OrderState, OrderType, Role, Side
from shared.domain.position import Position


class BracketMode(StrEnum):
    """The account's risk setting: only AUTO_OCO lets an order carry brackets."""

    AUTO_OCO = "autoOCO"
    POSITION = "position"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One trading account."""

    id: int
    name: str
    balance: Decimal
    can_trade: bool = True
    bracket_mode: BracketMode = BracketMode.AUTO_OCO


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order. `price` is the limit or stop price; `bracket_ticks` is a child's signed distance from the fill.

    SUBMITTING is a market order accepted and not yet filled, WORKING one that rests, SUSPENDED a child before the fill.
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
    fill_price: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
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
class Holding:
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
    """Rows that change together, as one line of the journal; a row with a known id replaces the one before."""

    market_at: datetime
    accounts: list[Account] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    holdings: list[Holding] = field(default_factory=list)
