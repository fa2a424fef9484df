"""Executions, one row per fill the venue reports, whoever asks how often."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, any_, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables.orders import IDS, fill, orders

# Built once: these statements run with every event.
_IDS = any_(bindparam("ids", type_=IDS))
_KNOWN = select(fill.c.venue_fill_id, fill.c.is_voided).where(
    fill.c.account_id == bindparam("account"), fill.c.venue_fill_id == _IDS
)
_KEEP = insert(fill)
_KEEP = _KEEP.on_conflict_do_update(
    index_elements=["account_id", "venue_fill_id"],
    set_={
        "order_id": func.coalesce(_KEEP.excluded.order_id, fill.c.order_id),
        "gross_pnl": func.coalesce(_KEEP.excluded.gross_pnl, fill.c.gross_pnl),
        # The hub may tell of a fill before its costs are known.
        "fees": func.greatest(_KEEP.excluded.fees, fill.c.fees),
        "commissions": func.greatest(_KEEP.excluded.commissions, fill.c.commissions),
        "is_voided": _KEEP.excluded.is_voided,
    },
)
_ORDER_IDS = select(orders.c.venue_order_id, orders.c.id).where(
    orders.c.account_id == bindparam("account"), orders.c.venue_order_id == _IDS
)
_TIE = (
    update(fill)
    .where(
        fill.c.account_id == bindparam("account"),
        fill.c.venue_order_id == _IDS,
        fill.c.order_id.is_(None),
        orders.c.account_id == fill.c.account_id,
        orders.c.venue_order_id == fill.c.venue_order_id,
    )
    .values(order_id=orders.c.id)
)


def store(connection: Connection, fills: Sequence[dict[str, Any]]) -> list[tuple[int, str]]:
    """Store the fills we lack, tied to our order by the venue's order id; refresh what may still change.

    Return id and contract of those that change a position: the new ones, and those that have become void.
    """
    if not fills:
        return []
    values = {"account": fills[0]["account_id"], "ids": [row["venue_fill_id"] for row in fills]}
    before = {row.venue_fill_id: row.is_voided for row in connection.execute(_KNOWN, values)}
    connection.execute(_KEEP, fills)
    return [
        (row["venue_fill_id"], row["contract_id"])
        for row in fills
        if before.get(row["venue_fill_id"], True) != row["is_voided"]
    ]


def order_ids(connection: Connection, account_id: int, venue_order_ids: Sequence[int]) -> dict[int, Any]:
    """Return our order ids by the venue's."""
    found = connection.execute(_ORDER_IDS, {"account": account_id, "ids": list(venue_order_ids)})
    return {row.venue_order_id: row.id for row in found}


def tie(connection: Connection, account_id: int, venue_order_ids: Sequence[int]) -> None:
    """Tie fills that were told of before their orders to the orders we know by now."""
    connection.execute(_TIE, {"account": account_id, "ids": list(venue_order_ids)})


def newest_at(connection: Connection, account_id: int) -> datetime | None:
    """Return the market time of the account's newest fill."""
    found: datetime | None = connection.execute(
        select(func.max(fill.c.filled_market_at)).where(fill.c.account_id == account_id)
    ).scalar_one()
    return found


def quantity_of(connection: Connection, order_id: object) -> int:
    """Return how much of an order the fills we hold add up to."""
    total = func.coalesce(func.sum(fill.c.quantity), 0)
    return int(connection.execute(select(total).where(fill.c.order_id == order_id, ~fill.c.is_voided)).scalar_one())


def average_price(connection: Connection, order_id: object) -> Decimal | None:
    """Return the volume-weighted price of an order's fills, or None without any."""
    weighted = func.sum(fill.c.price * fill.c.quantity) / func.nullif(func.sum(fill.c.quantity), 0)
    found = connection.execute(select(weighted).where(fill.c.order_id == order_id, ~fill.c.is_voided)).scalar_one()
    return None if found is None else Decimal(found)


def note_guarded(connection: Connection, account_id: int, contract_id: str, how: str) -> int:
    """Note that what these fills made is guarded now, `how`; return how many waited for that."""
    statement = update(fill).where(
        fill.c.account_id == account_id, fill.c.contract_id == contract_id, fill.c.guarded_at.is_(None)
    )
    return connection.execute(statement.values(guarded_at=func.now(), guarded_by=how)).rowcount


def waiting(connection: Connection, account_id: int, contract_id: str) -> tuple[datetime | None, datetime | None]:
    """Return when the contract's newest fill that lacks the proof of a working stop was recorded, and its oldest."""
    statement = select(func.max(fill.c.recorded_at), func.min(fill.c.recorded_at)).where(
        fill.c.account_id == account_id, fill.c.contract_id == contract_id, fill.c.guarded_at.is_(None)
    )
    newest, oldest = connection.execute(statement).one()
    return newest, oldest


def unguarded(connection: Connection, longer_than: timedelta) -> list[tuple[int, str]]:
    """Return account and contract of fills that have waited for their proof for longer than that."""
    statement = select(fill.c.account_id, fill.c.contract_id).where(
        fill.c.guarded_at.is_(None), fill.c.recorded_at < func.now() - longer_than
    )
    return [(account_id, contract_id) for account_id, contract_id in connection.execute(statement.distinct())]
