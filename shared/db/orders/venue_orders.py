"""Orders as the venue shows them: strangers adopted, ours refreshed, and what is no news left as it is."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Connection, and_, any_, bindparam, case, func, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.orders.orders import IS_GIVEN_UP, OPEN
from shared.db.tables.orders import IDS, orders
from shared.domain.orders.order import OrderState, Role

# Built once: these statements run for every order that the hub or an answer tells of.
# Quantity and filled_market_at may be left out.
_SHOWN = {
    name: bindparam(f"shown_{name}", type_=orders.c[name].type)
    for name in (
        "venue_order_id", "state", "filled_quantity", "average_fill_price", "limit_price", "stop_price",
        "changed_market_at", "quantity", "filled_market_at",
    )
}  # fmt: skip
_AS_SHOWN = _SHOWN | {name: func.coalesce(_SHOWN[name], orders.c[name]) for name in ("quantity", "filled_market_at")}
# What the venue says is news of an order that is not over: said later, or further on at the same instant. Two changes
# may carry one instant: an entry that is filled in the millisecond of its acceptance.
_IS_NEWS = and_(
    orders.c.state.in_(OPEN) | IS_GIVEN_UP,
    orders.c.changed_market_at.is_(None)
    | (orders.c.changed_market_at < _SHOWN["changed_market_at"])
    | (
        (orders.c.changed_market_at == _SHOWN["changed_market_at"])
        & (orders.c.filled_quantity <= _SHOWN["filled_quantity"])
        & ((orders.c.state != OrderState.WORKING.value) | (_SHOWN["state"] != OrderState.SUSPENDED.value))
    ),
)
_REFRESH = update(orders).where(orders.c.id == bindparam("order_id"), _IS_NEWS)
_REFRESH = _REFRESH.values(updated_at=func.now(), **_AS_SHOWN)
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
_ADOPT = insert(orders).values(**_SHOWN, **{name: bindparam(f"own_{name}", type_=orders.c[name].type) for name in _OWN})
_ADOPT = _ADOPT.on_conflict_do_update(
    index_elements=["account_id", "venue_order_id"],
    # A leg may be told of before its entry: later it finds its parent.
    set_={
        **_AS_SHOWN,
        **{name: _ADOPT.excluded[name] for name in ("client_order_id", "side", "type")},
        "parent_id": func.coalesce(_ADOPT.excluded.parent_id, orders.c.parent_id),
        "role": case((_ADOPT.excluded.parent_id.is_(None), orders.c.role), else_=_ADOPT.excluded.role),
        "updated_at": func.now(),
    },
    where=_IS_NEWS,
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the venue shows of one order; None where it says nothing."""

    venue_order_id: int
    state: OrderState
    filled_quantity: int
    average_fill_price: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    changed_market_at: datetime | None
    quantity: int | None
    filled_market_at: datetime | None

    def completed_by(self, other: "Shown") -> "Shown":
        """Return it with what it leaves out taken from `other`."""
        return replace(
            self,
            quantity=self.quantity or other.quantity,
            filled_market_at=self.filled_market_at or other.filled_market_at,
        )

    def values(self) -> dict[str, object]:
        """Return what the statements above bind."""
        return {f"shown_{name}": getattr(self, name) for name in _SHOWN}


def adopt(connection: Connection, shown: Shown, **own: object) -> bool:
    """Write or refresh an order the venue showed us and we did not place ourselves, as `refresh` does.

    `own` are the columns that the venue does not change.
    """
    return connection.execute(_ADOPT, shown.values() | {f"own_{name}": own[name] for name in _OWN}).rowcount == 1


def refresh(connection: Connection, order_id: UUID, shown: Shown) -> bool:
    """Write what the venue says of an order of ours, unless it is over or the venue has said something later."""
    return connection.execute(_REFRESH, shown.values() | {"order_id": order_id}).rowcount == 1


@dataclass(frozen=True, slots=True)
class Kept:
    """An order as it is written down; `is_stranger` when we hold it without the entry that it may belong to."""

    shown: Shown
    is_stranger: bool

    def knows(self, now: Shown, *, may_find_parent: bool) -> bool:
        """Whether nothing can be learnt from what is shown now: it is over here, or written down just so.

        A stranger whose tag may name its entry can still find it.
        """
        if self.is_stranger and may_find_parent:
            return False
        is_over = self.shown.state not in OPEN and not self.is_stranger
        return is_over or self.shown == now.completed_by(self.shown)


_KEPT = select(*(orders.c[name] for name in _SHOWN), orders.c.parent_id, orders.c.role).where(
    orders.c.account_id == bindparam("account"), orders.c.venue_order_id == any_(bindparam("ids", type_=IDS))
)


def kept(connection: Connection, account_id: int, venue_order_ids: Collection[int]) -> dict[int, Kept]:
    """Return what we hold of these orders, by the venue's id."""
    values = {"account": account_id, "ids": list(venue_order_ids)}
    return {
        row.venue_order_id: Kept(
            Shown(**{name: getattr(row, name) for name in _SHOWN}),
            is_stranger=row.parent_id is None and row.role == Role.OTHER.value,
        )
        for row in connection.execute(_KEPT, values)
    }
