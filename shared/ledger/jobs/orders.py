"""Requests about orders, fills and positions."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from shared.domain.market_data.contract import Root
from shared.domain.orders.order import Direction, OrderType, Origin, Side
from shared.fleets import Queue
from shared.ledger.job import Instant, Job


def entries_key(account_id: int, root: Root) -> str:
    """Return the sequence_key that the entries of one account and root by alert share: one at a time, in order.

    One that waits, for a quote or a session, keeps no entry of another root waiting.
    """
    return f"entries:{account_id}:{root.name}"


def guard_key(account_id: int, contract_id: str) -> str:
    """Return the sequence_key of a position's guards: only one runs at a time."""
    return f"guard:{account_id}:{contract_id}"


def reconcile_key(account_id: int) -> str:
    """Return the sequence_key of an account's reconciles: only one runs at a time."""
    return f"account:{account_id}:reconcile"


@dataclass(frozen=True, kw_only=True)
class PlaceOrder(Job):
    """Submit a created order to the venue."""

    queue: ClassVar = Queue.HIGH
    is_internal: ClassVar = True
    attempts: ClassVar = 20
    retry_for: ClassVar = timedelta(days=1)
    is_entry: ClassVar = True
    order_id: UUID


@dataclass(frozen=True, kw_only=True)
class PollFills(Job):
    """Read from the venue the fills and the bracket legs of an order that it accepted."""

    queue: ClassVar = Queue.CRITICAL
    attempts: ClassVar = 10
    is_repeated: ClassVar = True
    order_id: UUID


@dataclass(frozen=True, kw_only=True)
class ResolveInDoubtOrder(Job):
    """Resolve an order in doubt: its submission had no clear answer."""

    queue: ClassVar = Queue.CRITICAL
    is_internal: ClassVar = True
    attempts: ClassVar = 50
    retry_for: ClassVar = timedelta(days=1)
    order_id: UUID


@dataclass(frozen=True, kw_only=True)
class EnterManually(Job):
    """Check an entry that a person typed and, unless it is a dry run, submit it.

    Either `quantity` or `risk` (dollars) is given. Prices are decimals as text; a stop or target is given in ticks from
    the entry or as a price.
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
class EnterApproved(Job):
    """Check an entry that a person has approved against every rule again, and submit it.

    `account_id` and `alert_id`, None for a strategy's, are those of the approval: a partial exit that an alert requests
    later waits for the entry.
    """

    queue: ClassVar = Queue.HIGH
    is_internal: ClassVar = True
    attempts: ClassVar = 5
    is_entry: ClassVar = True
    approval_id: UUID
    account_id: int
    alert_id: UUID | None


@dataclass(frozen=True, kw_only=True)
class LapseApproval(Job):
    """End an approval that was not decided in time."""

    queue: ClassVar = Queue.NORMAL
    is_internal: ClassVar = True
    attempts: ClassVar = 20
    retry_for: ClassVar = timedelta(days=1)
    approval_id: UUID


@dataclass(frozen=True, kw_only=True)
class ReducePosition(Job):
    """Close a part of a position with a market order: `quantity` contracts, at most as many as are held.

    With a `target_position`, negative for short, instead: close what is held beyond it; 0 closes all. One of the
    protector, by the rule reduce_at, closes at most half, rounded up. A position in
    another `direction`, or one that was opened after `requested_at` (by default when the job was enqueued), is left.
    Raise ValueError without either.
    """

    queue: ClassVar = Queue.CRITICAL
    attempts: ClassVar = 20
    retry_for: ClassVar = timedelta(days=1)
    account_id: int
    contract_id: str
    quantity: int = 0
    target_position: int | None = None
    direction: Direction | None = None
    requested_at: Instant | None = None
    origin: Origin = Origin.MANUAL
    is_dry_run: bool = False

    def __post_init__(self) -> None:
        if self.target_position is None and self.quantity < 1:
            raise ValueError(f"quantity is {self.quantity}: give 1 or more contracts to close, or target_position")


@dataclass(frozen=True, kw_only=True)
class ChangeOrder(Job):
    """Cancel or modify an order, until the venue reports that the change was made or came too late."""

    queue: ClassVar = Queue.CRITICAL
    is_internal: ClassVar = True
    attempts: ClassVar = 50
    retry_for: ClassVar = timedelta(days=1)
    change_id: UUID


@dataclass(frozen=True, kw_only=True)
class Flatten(Job):
    """Close positions and cancel orders, repeatedly, until the venue confirms flat."""

    queue: ClassVar = Queue.CRITICAL
    is_internal: ClassVar = True
    attempts: ClassVar = 1_000
    retry_for: ClassVar = timedelta(days=7)
    flatten_request_id: UUID


@dataclass(frozen=True, kw_only=True)
class GuardPosition(Job):
    """Prove that a working stop covers the position in one contract, else place one, else flatten.

    When the contract is flat, cancel the orders that are left over.
    """

    queue: ClassVar = Queue.CRITICAL
    attempts: ClassVar = 50
    retry_for: ClassVar = timedelta(days=1)
    account_id: int
    contract_id: str


@dataclass(frozen=True, kw_only=True)
class ReconcileAccounts(Job):
    """Compare every account with the venue, each in its own job; `only_exposed`: those with a position or an order."""

    queue: ClassVar = Queue.HIGH
    is_repeated: ClassVar = True
    only_exposed: bool = False


@dataclass(frozen=True, kw_only=True)
class ReconcileAccount(Job):
    """Compare one account's orders, fills and positions with the venue and repair ours."""

    queue: ClassVar = Queue.HIGH
    is_repeated: ClassVar = True
    account_id: int


@dataclass(frozen=True, kw_only=True)
class ApplyExecutionReports(Job):
    """Apply the execution reports of one account that arrived together, each kind in the order of arrival.

    `orders` are OrderModels, `fills` HalfTradeModels, `accounts` TradingAccountModels.
    """

    queue: ClassVar = Queue.CRITICAL
    is_internal: ClassVar = True
    attempts: ClassVar = 20
    retry_for: ClassVar = timedelta(days=1)
    account_id: int
    reported_at: Instant
    orders: list[dict[str, Any]] = field(default_factory=list)
    fills: list[dict[str, Any]] = field(default_factory=list)
    accounts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def count(self) -> int:
        """The number of reports."""
        return len(self.orders) + len(self.fills) + len(self.accounts)

    def split(self) -> Iterator["ApplyExecutionReports"]:
        """Yield a request for each report by itself."""
        for name in ("orders", "fills", "accounts"):
            for document in getattr(self, name):
                yield ApplyExecutionReports(
                    account_id=self.account_id, reported_at=self.reported_at, **{name: [document]}
                )
