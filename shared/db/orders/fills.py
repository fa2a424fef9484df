"""Fills: one row per execution that the venue reports, however often it is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, any_, bindparam, exists, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables.orders import IDS, fill, orders, position
from shared.domain.orders.order import Direction, Origin


@dataclass(frozen=True, slots=True)
class StoredFill:
    """What the venue may still change of a fill: whether it is void, its result before costs, and its costs."""

    is_voided: bool
    gross_pnl: Decimal | None
    fees: Decimal
    commissions: Decimal


_FILLS_FOLLOW_WITHIN = timedelta(minutes=1)

# Built once: these statements run with every execution report.
_IDS = any_(bindparam("ids", type_=IDS))
_FIND_STORED = select(fill.c.venue_fill_id, fill.c.is_voided, fill.c.gross_pnl, fill.c.fees, fill.c.commissions).where(
    fill.c.account_id == bindparam("account"), fill.c.venue_fill_id == _IDS
)
_STORED = select(func.coalesce(func.sum(fill.c.quantity), 0)).where(
    fill.c.account_id == orders.c.account_id,
    fill.c.venue_order_id == orders.c.venue_order_id,
    ~fill.c.is_voided,
)
# Contract and side of the orders of ours that have filled, by their own report, more than their stored fills say. The
# venue reports an order before its fills, which follow within moments or with the reconcile of every 30 s; a voided
# fill never does, so only orders count whose row changed within the last minute.
AWAITED = select(orders.c.contract_id, orders.c.side).where(
    orders.c.account_id == bindparam("account"),
    orders.c.origin != Origin.EXTERNAL.value,
    orders.c.updated_at > func.now() - _FILLS_FOLLOW_WITHIN,
    orders.c.filled_quantity > literal_column("0"),  # as the index has it
    orders.c.filled_quantity > _STORED.scalar_subquery(),
)
_UPSERT = insert(fill)
_UPSERT = _UPSERT.on_conflict_do_update(
    index_elements=["account_id", "venue_fill_id"],
    set_={
        "order_id": func.coalesce(_UPSERT.excluded.order_id, fill.c.order_id),
        "gross_pnl": func.coalesce(_UPSERT.excluded.gross_pnl, fill.c.gross_pnl),
        # The hub may report a fill before its costs are known.
        "fees": func.greatest(_UPSERT.excluded.fees, fill.c.fees),
        "commissions": func.greatest(_UPSERT.excluded.commissions, fill.c.commissions),
        "is_voided": _UPSERT.excluded.is_voided,
    },
)
_ORDER_IDS = select(orders.c.venue_order_id, orders.c.id).where(
    orders.c.account_id == bindparam("account"), orders.c.venue_order_id == _IDS
)
_LINK_TO_ORDERS = (
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
    """Store new fills and update the columns of known ones that may still change.

    Return id and contract of the fills that change a position: new ones that are not void, and those whose voiding
    changed.
    """
    if not fills:
        return []
    stored = read_stored(connection, fills[0]["account_id"], [row["venue_fill_id"] for row in fills])
    before = {fill_id: row.is_voided for fill_id, row in stored.items()}
    connection.execute(_UPSERT, fills)
    return [
        (row["venue_fill_id"], row["contract_id"])
        for row in fills
        if before.get(row["venue_fill_id"], True) != row["is_voided"]
    ]


def read_stored(connection: Connection, account_id: int, venue_fill_ids: Sequence[int]) -> dict[int, StoredFill]:
    """Return what is stored of these fills, by the venue's ids."""
    values = {"account": account_id, "ids": list(venue_fill_ids)}
    return {row.venue_fill_id: StoredFill(*row[1:]) for row in connection.execute(_FIND_STORED, values)}


def find_order_ids(connection: Connection, account_id: int, venue_order_ids: Sequence[int]) -> dict[int, Any]:
    """Return our ids of these orders, by the venue's ids."""
    found = connection.execute(_ORDER_IDS, {"account": account_id, "ids": list(venue_order_ids)})
    return {row.venue_order_id: row.id for row in found}


def link_to_orders(connection: Connection, account_id: int, venue_order_ids: Sequence[int]) -> None:
    """Link fills that were reported before their orders to the orders that are stored by now."""
    connection.execute(_LINK_TO_ORDERS, {"account": account_id, "ids": list(venue_order_ids)})


def find_newest_time(connection: Connection, account_id: int) -> datetime | None:
    """Return the market time of the account's newest fill."""
    found: datetime | None = connection.execute(
        select(func.max(fill.c.filled_market_at)).where(fill.c.account_id == account_id)
    ).scalar_one()
    return found


def has_recorded_since(connection: Connection, account_id: int, contract_id: str | None, since: datetime) -> bool:
    """Whether a fill of the contract, or of any, was recorded after `since`, by Postgres' clock."""
    statement = select(fill.c.venue_fill_id).where(fill.c.account_id == account_id, fill.c.recorded_at > since)
    if contract_id is not None:
        statement = statement.where(fill.c.contract_id == contract_id)
    return connection.execute(statement.limit(1)).first() is not None


def quantity_of(connection: Connection, order_id: object) -> int:
    """Return the filled quantity of an order by its stored fills."""
    total = func.coalesce(func.sum(fill.c.quantity), 0)
    return int(connection.execute(select(total).where(fill.c.order_id == order_id, ~fill.c.is_voided)).scalar_one())


def average_price_of(connection: Connection, order_id: object) -> Decimal | None:
    """Return the volume-weighted price of an order's fills, or None if it has none."""
    weighted = func.sum(fill.c.price * fill.c.quantity) / func.nullif(func.sum(fill.c.quantity), 0)
    found = connection.execute(select(weighted).where(fill.c.order_id == order_id, ~fill.c.is_voided)).scalar_one()
    return None if found is None else Decimal(found)


def record_guarded(connection: Connection, account_id: int, contract_id: str, how: str) -> int:
    """Record how the position after these fills was proven protected; return how many fills waited for the proof."""
    statement = update(fill).where(
        fill.c.account_id == account_id, fill.c.contract_id == contract_id, fill.c.guarded_at.is_(None)
    )
    return connection.execute(statement.values(guarded_at=func.now(), guarded_by=how)).rowcount


def record_flattened(connection: Connection, account_id: int, contract_ids: Sequence[str]) -> None:
    """Record that the fills of these contracts were flattened, except where something is held by our rows.

    A fill is committed with its position, so one that came since the venue was read is left to its guard.
    """
    is_held = exists().where(
        position.c.account_id == fill.c.account_id,
        position.c.contract_id == fill.c.contract_id,
        position.c.direction != Direction.FLAT.value,
    )
    statement = update(fill).where(
        fill.c.account_id == account_id, fill.c.contract_id.in_(contract_ids), fill.c.guarded_at.is_(None), ~is_held
    )
    connection.execute(statement.values(guarded_at=func.now(), guarded_by="flattened"))


def find_times(connection: Connection, account_id: int, contract_id: str) -> tuple[datetime | None, datetime | None]:
    """Return when the newest fill of the contract was recorded, and the oldest without proof of a working stop."""
    is_of = fill.c.account_id == account_id, fill.c.contract_id == contract_id
    newest = select(fill.c.recorded_at).where(*is_of).order_by(fill.c.venue_fill_id.desc()).limit(1)
    oldest = select(func.min(fill.c.recorded_at)).where(*is_of, fill.c.guarded_at.is_(None))
    row = connection.execute(select(newest.scalar_subquery(), oldest.scalar_subquery())).one()
    return row[0], row[1]


def list_unknown_orders(connection: Connection, account_id: int) -> list[int]:
    """Return the venue's ids of orders that are in none of our rows and have fills without that proof, oldest first."""
    statement = select(fill.c.venue_order_id).where(
        fill.c.account_id == account_id, fill.c.guarded_at.is_(None), fill.c.order_id.is_(None)
    )
    return list(connection.execute(statement.distinct().order_by(fill.c.venue_order_id)).scalars())


def list_unguarded(connection: Connection, longer_than: timedelta) -> list[tuple[int, str]]:
    """Return account and contract of fills that have waited for that proof for longer than `longer_than`."""
    statement = select(fill.c.account_id, fill.c.contract_id).where(
        fill.c.guarded_at.is_(None), fill.c.recorded_at < func.now() - longer_than
    )
    return [(account_id, contract_id) for account_id, contract_id in connection.execute(statement.distinct())]
