"""Requests about orders, fills and positions."""

from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from shared.fleets import Queue
from shared.ledger.job import Job


@dataclass(frozen=True, kw_only=True)
class PlaceOrder(Job):
    """Send an intended order to the venue, once."""

    queue: ClassVar = Queue.HIGH
    attempts: ClassVar = 20
    order_id: UUID


@dataclass(frozen=True, kw_only=True)
class FindFills(Job):
    """Look up what the venue did with an order that it accepted: fills, stop, target, position."""

    queue: ClassVar = Queue.CRITICAL
    attempts: ClassVar = 10
    order_id: UUID


@dataclass(frozen=True, kw_only=True)
class SettleOrder(Job):
    """Find out what became of an order whose submission had no clear answer."""

    queue: ClassVar = Queue.CRITICAL
    attempts: ClassVar = 50
    order_id: UUID


@dataclass(frozen=True, kw_only=True)
class CloseContract(Job):
    """Cancel the working orders of one contract and close its position, until the venue says flat."""

    queue: ClassVar = Queue.CRITICAL
    attempts: ClassVar = 20
    account_id: int
    contract_id: str


@dataclass(frozen=True, kw_only=True)
class ReconcileAccounts(Job):
    """Compare every account's orders, fills and positions with the venue and repair ours."""

    queue: ClassVar = Queue.HIGH


@dataclass(frozen=True, kw_only=True)
class RecordOrderUpdate(Job):
    """Write down what the venue told of an order; `document` is its OrderModel."""

    queue: ClassVar = Queue.CRITICAL
    attempts: ClassVar = 20
    document: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class RecordFill(Job):
    """Write down an execution that the venue told of; `document` is its HalfTradeModel."""

    queue: ClassVar = Queue.CRITICAL
    attempts: ClassVar = 20
    document: dict[str, Any]
