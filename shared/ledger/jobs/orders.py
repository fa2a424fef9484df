"""Requests about orders, fills and positions."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from shared.domain.orders.order import OrderType, Side
from shared.fleets import Queue
from shared.ledger.job import Job


@dataclass(frozen=True, kw_only=True)
class PlaceOrder(Job):
    """Send an intended order to the venue, once."""

    queue: ClassVar = Queue.HIGH
    attempts: ClassVar = 20
    is_entry: ClassVar = True
    order_id: UUID


@dataclass(frozen=True, kw_only=True)
class PollFills(Job):
    """Look up what the venue did with an order that it accepted: fills, stop, target, position."""

    queue: ClassVar = Queue.CRITICAL
    attempts: ClassVar = 10
    order_id: UUID


@dataclass(frozen=True, kw_only=True)
class ResolveInDoubtOrder(Job):
    """Find out what became of an order whose submission had no clear answer."""

    queue: ClassVar = Queue.CRITICAL
    attempts: ClassVar = 50
    order_id: UUID


@dataclass(frozen=True, kw_only=True)
class EnterManually(Job):
    """Judge, and unless it is a rehearsal send, an entry that a person typed; `quantity` or `risk` (dollars) is given.

    Prices are decimals as text; a level is given in ticks from the entry or as a price.
    """

    queue: ClassVar = Queue.HIGH
    attempts: ClassVar = 5
    is_entry: ClassVar = True
    account_id: int
    symbol: str
    side: Side
    type: OrderType = OrderType.MARKET
    quantity: int | None = None
    risk: str | None = None
    limit_price: str | None = None
    stop_price: str | None = None
    trail_price: str | None = None
    stop_loss_ticks: int | None = None
    take_profit_ticks: int | None = None
    stop_loss: str | None = None
    take_profit: str | None = None
    breakeven_ticks: int | None = None
    trail_ticks: int | None = None
    is_dry_run: bool = False


@dataclass(frozen=True, kw_only=True)
class ReducePosition(Job):
    """Close `quantity` contracts of a position with a market order, capped by what is held."""

    queue: ClassVar = Queue.CRITICAL
    attempts: ClassVar = 20
    account_id: int
    contract_id: str
    quantity: int
    is_dry_run: bool = False


@dataclass(frozen=True, kw_only=True)
class ChangeOrder(Job):
    """Cancel or modify an order as its change says, until the venue shows that it was done or came too late."""

    queue: ClassVar = Queue.CRITICAL
    attempts: ClassVar = 50
    change_id: UUID


@dataclass(frozen=True, kw_only=True)
class Flatten(Job):
    """Cancel and close, again and again, until the venue itself says flat."""

    queue: ClassVar = Queue.CRITICAL
    attempts: ClassVar = 1_000
    flatten_request_id: UUID


@dataclass(frozen=True, kw_only=True)
class GuardPosition(Job):
    """Prove that a working stop covers the position in one contract, or place one, or flatten; sweep when flat."""

    queue: ClassVar = Queue.CRITICAL
    attempts: ClassVar = 50
    account_id: int
    contract_id: str


@dataclass(frozen=True, kw_only=True)
class ReconcileAccounts(Job):
    """Compare every account with the venue, each in a job of its own."""

    queue: ClassVar = Queue.HIGH


@dataclass(frozen=True, kw_only=True)
class ReconcileAccount(Job):
    """Compare one account's orders, fills, positions and balance with the venue and repair ours."""

    queue: ClassVar = Queue.HIGH
    account_id: int


@dataclass(frozen=True, kw_only=True)
class ApplyExecutionReports(Job):
    """Write down what the venue told of one account within a moment, each kind in the order it was told.

    `orders` are OrderModels, `fills` HalfTradeModels, `accounts` TradingAccountModels.
    """

    queue: ClassVar = Queue.CRITICAL
    attempts: ClassVar = 20
    account_id: int
    reported_at: datetime
    orders: list[dict[str, Any]] = field(default_factory=list)
    fills: list[dict[str, Any]] = field(default_factory=list)
    accounts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many events these are."""
        return len(self.orders) + len(self.fills) + len(self.accounts)

    def one_by_one(self) -> Iterator["ApplyExecutionReports"]:
        """Yield each event by itself."""
        for name in ("orders", "fills", "accounts"):
            for document in getattr(self, name):
                yield ApplyExecutionReports(
                    account_id=self.account_id, reported_at=self.reported_at, **{name: [document]}
                )
