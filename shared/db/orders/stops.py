"""The stops of a position: those that work, the entry whose rules move them, and the distance at which they trail."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, func, select

from shared.db.accounts import accounts
from shared.db.market_data import contracts
from shared.db.orders import orders
from shared.db.orders.orders import OrderRow
from shared.db.orders.positions import PositionRow
from shared.db.tables.orders import fill
from shared.db.tables.orders import orders as order_table
from shared.domain.counting import count_of
from shared.domain.orders.order import MIN_TICKS, STOP_TYPES, OrderState, OrderType, Origin, Role, Side
from shared.domain.orders.stop_moves import StopLevel, StoppedPosition
from shared.domain.orders.stop_pace import StopMoves
from shared.errors import RefusedError


def list_working(connection: Connection, position: PositionRow) -> list[OrderRow]:
    """Return the working stops of ours that close the position, oldest first."""
    return _list_closing(connection, position, Role.STOP_LOSS, {OrderType.STOP})


def list_external(connection: Connection, position: PositionRow) -> list[OrderRow]:
    """Return the working stops that close the position and were placed elsewhere: they count, and are never changed."""
    return _list_closing(connection, position, Role.OTHER, STOP_TYPES)


def _list_closing(
    connection: Connection, position: PositionRow, role: Role, types: Collection[OrderType]
) -> list[OrderRow]:
    closing = Side.SELL if position.quantity > 0 else Side.BUY
    return [
        order
        for order in orders.list_open_in_contract(connection, position.account_id, position.contract_id)
        if order.role is role and order.type in types and order.state is OrderState.WORKING and order.side is closing
    ]


def find_rejected(connection: Connection, account_id: int, contract_id: str, since: datetime) -> StopMoves:
    """Return when the guard last created a stop since `since` that the venue rejected, and how many it rejected."""
    statement = select(func.max(order_table.c.created_at), func.count()).where(
        order_table.c.account_id == account_id,
        order_table.c.contract_id == contract_id,
        order_table.c.origin == Origin.PROTECTOR.value,
        order_table.c.role == Role.STOP_LOSS.value,
        order_table.c.state == OrderState.REJECTED.value,
        order_table.c.created_at >= since,
    )
    last_at, count = connection.execute(statement).one()
    return StopMoves(last_at, count)


def read_stopped_position(connection: Connection, position: PositionRow, exit_price: Decimal | None) -> StoppedPosition:
    """Return the position with its working stops; raise RefusedError while its average price is not known."""
    if position.average_price is None:
        raise RefusedError(f"the average price of the position in {position.contract_id} is not known yet")
    return StoppedPosition(
        contracts.require(connection, position.contract_id),
        position.quantity,
        position.average_price,
        exit_price,
        tuple(StopLevel(stop.id, stop.stop_price) for stop in list_working(connection, position)),
    )


def find_newest_entry(connection: Connection, position: PositionRow) -> OrderRow | None:
    """Return the newest entry of ours that built the position, whose rules move its stops; None if there is none.

    That is an entry on the position's side with a fill at or after the instant at which the position was opened. An
    entry of an earlier position moves no stop of this one, nor does any while the instant is not known.
    """
    if position.opened_market_at is None:
        return None
    statement = (
        select(order_table.c.id)
        .join(fill, fill.c.order_id == order_table.c.id)
        .where(
            fill.c.account_id == position.account_id,
            fill.c.contract_id == position.contract_id,
            fill.c.filled_market_at >= position.opened_market_at,
            ~fill.c.is_voided,
            order_table.c.role == Role.ENTRY.value,
            order_table.c.side == (Side.BUY if position.quantity > 0 else Side.SELL).value,
        )
        .order_by(order_table.c.id.desc())
        .limit(1)
    )
    found = connection.execute(statement).scalar_one_or_none()
    return None if found is None else orders.get(connection, found)


@dataclass(frozen=True, slots=True)
class TrailChange:
    """The entry that stores a trailing distance, what changes in words, and whether anything did."""

    entry: OrderRow
    text: str
    is_new: bool


def set_trail(connection: Connection, position: PositionRow, ticks: int | None, *, by: str) -> TrailChange:
    """Make the stop of a position trail behind the best price; None ends it.

    An account event records a change and who made it. Raise RefusedError for a position without an entry of ours, and
    for a distance that the venue does not accept.
    """
    if ticks is not None and ticks < MIN_TICKS:
        raise RefusedError(f"invalid trail of {count_of(ticks, 'tick')}: expected at least {MIN_TICKS}")
    account_id, contract_id = position.account_id, position.contract_id
    entry = find_newest_entry(connection, position)
    if entry is None:
        raise RefusedError(
            f"cannot trail the position in {contract_id}: it has no entry of ours that can store the distance; "
            "move its stop with `tickwork orders modify ID --stop PRICE`"
        )
    text = f"{contract_id}: the stop " + (
        "stays where it is" if ticks is None else f"follows by {count_of(ticks, 'tick')}"
    )
    is_new = entry.trail_ticks != ticks
    if is_new:
        orders.set_trail_ticks(connection, entry.id, ticks)
        accounts.record_event(connection, account_id, "trail", f"{text}, {by}")
    return TrailChange(entry, text, is_new)
