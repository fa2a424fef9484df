"""The state of the venue: all rows, indexed for the requests, and changed only through the journal."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal

from shared.domain.orders.order import OrderState, Role
from simulator.market.script import Script
from simulator.venue.behaviour import Behaviour
from simulator.venue.journal import Journal
from simulator.venue.records import AccountRecord, Change, FillRecord, HoldingRecord, OrderRecord

_FIRST_ACCOUNT = AccountRecord(id=20001, name="PRAC-V2-20001-11071848", balance=Decimal(50_000))
_ALIVE = frozenset({OrderState.SUBMITTING, OrderState.WORKING, OrderState.SUSPENDED})


class VenueState:
    """All accounts, orders, fills and holdings. `commit` is the only way to change them.

    Ids follow market time, so the rows of an account are sorted by both.
    """

    def __init__(self, journal: Journal, now: datetime) -> None:
        self.accounts: dict[int, AccountRecord] = {}
        self.orders: dict[int, OrderRecord] = {}
        self.alive: dict[int, OrderRecord] = {}
        self.fills: list[FillRecord] = []
        self.scripts: list[Script] = []
        self.behaviour = Behaviour()
        self.changed_market_at = datetime.min.replace(tzinfo=UTC)
        self.listeners: list[Callable[[Change], None]] = []
        self._order_ids: defaultdict[int, list[int]] = defaultdict(list)
        self._fills_of: defaultdict[int, list[FillRecord]] = defaultdict(list)
        self._holdings: dict[tuple[int, str], HoldingRecord] = {}
        self._children: defaultdict[int, set[int]] = defaultdict(set)
        self._tags: set[tuple[int, str]] = set()
        self._order_id, self._fill_id, self._holding_id = 1_000_000, 5_000_000, 300_000
        self._journal = journal
        for change in journal.replay():
            self._apply(change)
        if not self.accounts:
            self.commit(Change(market_at=now, accounts=[_FIRST_ACCOUNT]))

    def commit(self, change: Change) -> None:
        """Write the change to the journal, apply it, then call the listeners."""
        self._journal.write(change)
        self._apply(change)
        for listener in self.listeners:
            listener(change)

    def has_tag(self, account_id: int, tag: str) -> bool:
        """Whether an order of the account ever used the tag, also a rejected order or a bracket child."""
        return (account_id, tag) in self._tags

    def orders_of(
        self, account_id: int, start: datetime | None = None, end: datetime | None = None
    ) -> list[OrderRecord]:
        """Return the account's orders created in [start, end], oldest first; None leaves that end open."""
        ids = self._order_ids.get(account_id, [])
        first = bisect_left(ids, start, key=self._creation_time) if start else 0
        last = bisect_right(ids, end, key=self._creation_time) if end else len(ids)
        return [self.orders[id_] for id_ in ids[first:last]]

    def list_alive(self, account_id: int, contract_id: str | None = None) -> list[OrderRecord]:
        """Return the account's orders that may still fill, oldest first, of one contract or of all."""
        return [
            row
            for row in self.alive.values()
            if row.account_id == account_id and contract_id in {None, row.contract_id}
        ]

    def fills_of(self, account_id: int, start: datetime | None = None, end: datetime | None = None) -> list[FillRecord]:
        """Return the account's fills of [start, end], oldest first; None leaves that end open."""
        rows = self._fills_of.get(account_id, [])
        first = bisect_left(rows, start, key=_fill_time) if start else 0
        last = bisect_right(rows, end, key=_fill_time) if end else len(rows)
        return rows[first:last]

    def holding(self, account_id: int, contract_id: str) -> HoldingRecord | None:
        """Return the open position, or None if the account is flat."""
        return self._holdings.get((account_id, contract_id))

    def holdings(self, account_id: int | None = None) -> list[HoldingRecord]:
        """Return the open positions of an account, or of all, oldest first."""
        found = (row for row in self._holdings.values() if account_id in {None, row.account_id})
        return sorted(found, key=lambda row: row.id)

    def children(self, parent_id: int) -> list[OrderRecord]:
        """Return the bracket children of an order that may still fill, the stop first."""
        return [self.alive[id_] for id_ in sorted(self._children.get(parent_id, ()))]

    def accepted_tags(self) -> list[str]:
        """Return the tags of all orders placed and not rejected, one for each acceptance."""
        return [
            order.tag
            for order in self.orders.values()
            if order.tag and order.parent_order_id is None and order.state is not OrderState.REJECTED
        ]

    def new_account_id(self) -> int:
        """Return the id of the next account."""
        return max(self.accounts) + 1

    def new_order_ids(self, count: int) -> list[int]:
        """Take the next order ids; once they are in a change they are never used again, even after a crash."""
        self._order_id += count
        return list(range(self._order_id - count + 1, self._order_id + 1))

    def new_fill_id(self) -> int:
        """Take the next fill id."""
        self._fill_id += 1
        return self._fill_id

    def new_holding_id(self) -> int:
        """Take the next position id."""
        self._holding_id += 1
        return self._holding_id

    def _apply(self, change: Change) -> None:
        self.changed_market_at = max(self.changed_market_at, change.market_at)
        self.accounts.update((row.id, row) for row in change.accounts)
        self.scripts.extend(change.scripts)
        self.behaviour = change.behaviour or self.behaviour
        self._index_orders(sorted(change.orders, key=lambda row: row.id))
        self.fills.extend(change.fills)
        for fill in change.fills:
            self._fills_of[fill.account_id].append(fill)
        self._fill_id = max([self._fill_id, *(row.id for row in change.fills)])
        for row in change.holdings:
            self._holding_id = max(self._holding_id, row.id)
            if row.quantity:
                self._holdings[row.account_id, row.contract_id] = row
            else:
                self._holdings.pop((row.account_id, row.contract_id), None)

    def _index_orders(self, orders: Iterable[OrderRecord]) -> None:
        for row in orders:
            self._order_id = max(self._order_id, row.id)
            if row.id not in self.orders:
                self._order_ids[row.account_id].append(row.id)
            self.orders[row.id] = row
            if row.tag:
                self._tags.add((row.account_id, row.tag))
            if row.state in _ALIVE:
                self.alive[row.id] = row
            else:
                self.alive.pop(row.id, None)
            if row.parent_order_id is not None:
                self._index_child(row.parent_order_id, row)

    def _index_child(self, parent_id: int, row: OrderRecord) -> None:
        if row.state in _ALIVE:
            self._children[parent_id].add(row.id)
        elif parent_id in self._children:
            self._children[parent_id].discard(row.id)
            if not self._children[parent_id]:
                del self._children[parent_id]

    def _creation_time(self, order_id: int) -> datetime:
        return self.orders[order_id].created_market_at


def _fill_time(fill: FillRecord) -> datetime:
    return fill.filled_market_at


def is_leg(order: OrderRecord) -> bool:
    """Whether the order is a bracket child."""
    return order.role in {Role.STOP_LOSS, Role.TAKE_PROFIT}
