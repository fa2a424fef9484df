"""The wait for the fills of market orders that a command has sent: the user hub reports them, and no job does."""

from collections.abc import Collection
from threading import Event
from uuid import UUID

from sqlalchemy import Connection

from cli.client.job_client import JobClient
from shared.clock import monotonic
from shared.db.orders import fills, orders
from shared.domain.orders.order import OrderState, OrderType

_POLL_EVERY_S = 0.05


def wait_for_fills(client: JobClient, order_ids: Collection[UUID], longest_s: float, *, with_legs: bool = True) -> None:
    """Return once the market orders among these are filled, or have ended, or the time is over.

    A fill is stored in one commit with the position that it makes; `with_legs` also waits for the brackets.
    """
    pause, began = Event(), monotonic()
    while monotonic() - began < longest_s:
        with client.connect() as connection:
            if all(_is_settled(connection, order_id, with_legs=with_legs) for order_id in order_ids):
                return
        pause.wait(_POLL_EVERY_S)


def is_filled(connection: Connection, order_id: UUID) -> bool:
    """Whether the stored fills of an order are as many as it has contracts."""
    order = orders.get(connection, order_id)
    return order is not None and fills.quantity_of(connection, order_id) >= order.quantity


def _is_settled(connection: Connection, order_id: UUID, *, with_legs: bool) -> bool:
    """Whether no report of a market order is missing; other orders may rest for as long as they like."""
    order = orders.get(connection, order_id)
    if order is None or order.type is not OrderType.MARKET:
        return True
    if order.state is not OrderState.FILLED:
        return order.state.is_final
    leg_count = (order.stop_loss_ticks is not None) + (order.take_profit_ticks is not None)
    is_booked = fills.quantity_of(connection, order_id) >= order.filled_quantity
    return is_booked and (not with_legs or orders.count_working_legs(connection, order_id) >= leg_count)
