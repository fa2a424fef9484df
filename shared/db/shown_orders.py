"""Orders as the venue shows them: strangers adopted, ours refreshed, and what is no news left as it is."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Connection, and_, bindparam, case, func, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.order_tables import orders
from shared.db.orders import IS_GIVEN_UP, OPEN
from shared.domain.order import OrderState, Role

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


def without_news(connection: Connection, account_id: int, shown: Mapping[int, tuple[Shown, bool]]) -> set[int]:
    """Return those of the venue's ids of which nothing can be learnt: over here, or written down as they are shown.

    Each comes with whether its tag may name a parent: one that we hold without its parent may still find it.
    """
    statement = select(*(orders.c[name] for name in _SHOWN), orders.c.parent_id, orders.c.role).where(
        orders.c.account_id == account_id, orders.c.venue_order_id.in_(shown)
    )
    found = set()
    for row in connection.execute(statement):
        now, may_find_parent = shown[row.venue_order_id]
        is_stranger = row.parent_id is None and row.role == Role.OTHER.value
        is_over = row.state not in OPEN and not is_stranger
        as_written = Shown(**{name: getattr(row, name) for name in _SHOWN})
        if is_over or (as_written == now.completed_by(as_written) and not (is_stranger and may_find_parent)):
            found.add(row.venue_order_id)
    return found
