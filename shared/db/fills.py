"""Executions, one row per fill the venue reports, whoever asks how often."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables import fill, orders


def store(connection: Connection, fills: Sequence[dict[str, Any]]) -> int:
    """Store the fills we lack, tied to our order by the venue's order id; refresh what may still change."""
    if not fills:
        return 0
    statement = insert(fill)
    kept = statement.on_conflict_do_update(
        index_elements=["account_id", "venue_fill_id"],
        set_={
            "order_id": func.coalesce(statement.excluded.order_id, fill.c.order_id),
            "gross_pnl": func.coalesce(statement.excluded.gross_pnl, fill.c.gross_pnl),
            "is_voided": statement.excluded.is_voided,
        },
    )
    connection.execute(kept, fills)
    return len(fills)


def order_ids(connection: Connection, account_id: int, venue_order_ids: Sequence[int]) -> dict[int, Any]:
    """Return our order ids by the venue's."""
    statement = select(orders.c.venue_order_id, orders.c.id).where(
        orders.c.account_id == account_id, orders.c.venue_order_id.in_(venue_order_ids)
    )
    return {row.venue_order_id: row.id for row in connection.execute(statement)}


def tie(connection: Connection, account_id: int, venue_order_ids: Sequence[int]) -> None:
    """Tie fills that were told of before their orders to the orders we know by now."""
    statement = update(fill).values(order_id=orders.c.id)
    connection.execute(
        statement.where(
            fill.c.account_id == account_id,
            fill.c.venue_order_id.in_(venue_order_ids),
            fill.c.order_id.is_(None),
            orders.c.account_id == fill.c.account_id,
            orders.c.venue_order_id == fill.c.venue_order_id,
        )
    )


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
