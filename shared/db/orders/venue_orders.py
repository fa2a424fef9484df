"""Orders as the venue reports them: external orders are adopted, ours are refreshed, stale reports change nothing."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Connection, and_, any_, bindparam, case, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.orders.orders import IS_GIVEN_UP, OPEN
from shared.db.tables.orders import IDS, orders
from shared.domain.orders.order import OrderState, Role

# Built once: these statements run for every order that the hub or an answer reports.
# A report may leave out the quantity.
_REPORTED = {
    name: bindparam(f"reported_{name}", type_=orders.c[name].type)
    for name in (
        "venue_order_id", "state", "filled_quantity", "average_fill_price", "limit_price", "stop_price",
        "changed_market_at", "quantity",
    )
}  # fmt: skip
_AS_SHOWN = _REPORTED | {"quantity": func.coalesce(_REPORTED["quantity"], orders.c.quantity)}
# A report is news of an order that is not final if it is later, or further on at the same instant. Two changes may have
# one instant: an entry that is filled in the millisecond of its acceptance.
_IS_NEWS = and_(
    orders.c.state.in_(OPEN) | IS_GIVEN_UP,
    orders.c.changed_market_at.is_(None)
    | (orders.c.changed_market_at < _REPORTED["changed_market_at"])
    | (
        (orders.c.changed_market_at == _REPORTED["changed_market_at"])
        & (orders.c.filled_quantity <= _REPORTED["filled_quantity"])
        & ((orders.c.state != OrderState.WORKING.value) | (_REPORTED["state"] != OrderState.SUSPENDED.value))
    ),
)
# The time of our row's last change tells whether an order has just moved, so a report that says nothing new leaves it.
_DIFFERS = or_(*(orders.c[name].is_distinct_from(value) for name, value in _AS_SHOWN.items()))
_REFRESH = update(orders).where(orders.c.id == bindparam("order_id"), _IS_NEWS, _DIFFERS)
# The reason of a state that the venue shows to have ended, such as the doubt, is none of the new one.
_REASON = case((orders.c.state == _REPORTED["state"], orders.c.reason))
_REFRESH = _REFRESH.values(updated_at=func.now(), reason=_REASON, **_AS_SHOWN)
_OWN = (
    "id",
    "account_id",
    "contract_id",
    "client_order_id",
    "side",
    "type",
    "parent_id",
    "origin",
    "role",
    "correlation_id",
)
_ADOPT = insert(orders).values(
    **_REPORTED, **{name: bindparam(f"own_{name}", type_=orders.c[name].type) for name in _OWN}
)
_ADOPTED = {
    **_AS_SHOWN,
    **{name: _ADOPT.excluded[name] for name in ("client_order_id", "side", "type")},
    # A leg may be reported before its entry: a later report sets its parent.
    "parent_id": func.coalesce(_ADOPT.excluded.parent_id, orders.c.parent_id),
    "role": case((_ADOPT.excluded.parent_id.is_(None), orders.c.role), else_=_ADOPT.excluded.role),
}
_ADOPT = _ADOPT.on_conflict_do_update(
    index_elements=["account_id", "venue_order_id"],
    set_={**_ADOPTED, "updated_at": func.now(), "reason": _REASON},
    where=and_(_IS_NEWS, or_(*(orders.c[name].is_distinct_from(value) for name, value in _ADOPTED.items()))),
)


@dataclass(frozen=True, slots=True)
class ReportedOrder:
    """The venue's report of one order; None for what it leaves out."""

    venue_order_id: int
    state: OrderState
    filled_quantity: int
    average_fill_price: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    changed_market_at: datetime | None
    quantity: int | None

    def complete_with(self, other: "ReportedOrder") -> "ReportedOrder":
        """Return the report, completed with what `other` has and it leaves out."""
        return replace(self, quantity=self.quantity or other.quantity)

    def values(self) -> dict[str, object]:
        """Return the values that the statements bind."""
        return {f"reported_{name}": getattr(self, name) for name in _REPORTED}


def adopt(connection: Connection, reported: ReportedOrder, **own: object) -> bool:
    """Insert or refresh an external order, which the venue reports and we did not submit; False if it is no news.

    `own` are the columns that the venue does not change.
    """
    return connection.execute(_ADOPT, reported.values() | {f"own_{name}": own[name] for name in _OWN}).rowcount == 1


def refresh(connection: Connection, order_id: UUID, reported: ReportedOrder) -> bool:
    """Write the venue's report of an order of ours, unless the order is final or a stored report is later."""
    return connection.execute(_REFRESH, reported.values() | {"order_id": order_id}).rowcount == 1


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """The stored report of an order; `is_external` if it is stored without the entry that it may belong to."""

    reported: ReportedOrder
    is_external: bool

    def has_no_news(self, now: ReportedOrder, *, may_find_parent: bool) -> bool:
        """Whether the report `now` adds nothing: the order is final here, or stored just so.

        An external order whose tag may name its entry can still find it.
        """
        if self.is_external and may_find_parent:
            return False
        is_over = self.reported.state not in OPEN and not self.is_external
        return is_over or self.reported == now.complete_with(self.reported)


_STORED = select(*(orders.c[name] for name in _REPORTED), orders.c.parent_id, orders.c.role).where(
    orders.c.account_id == bindparam("account"), orders.c.venue_order_id == any_(bindparam("ids", type_=IDS))
)


def find_stored(connection: Connection, account_id: int, venue_order_ids: Collection[int]) -> dict[int, StoredOrder]:
    """Return the stored reports of these orders, by the venue's id."""
    values = {"account": account_id, "ids": list(venue_order_ids)}
    return {
        row.venue_order_id: StoredOrder(
            ReportedOrder(**{name: getattr(row, name) for name in _REPORTED}),
            is_external=row.parent_id is None and row.role == Role.OTHER.value,
        )
        for row in connection.execute(_STORED, values)
    }
