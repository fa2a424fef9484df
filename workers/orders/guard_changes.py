"""The guard's cancels and shrinks of orders: one that the venue refuses is requested again after growing pauses."""

from datetime import timedelta

from sqlalchemy import Connection

from shared.db.orders import changes
from shared.db.orders.orders import OrderRow
from shared.domain.orders.order import ChangeKind, Origin
from workers.context import Context
from workers.orders.change_order import find_resend_wait, send_change


def request_change(ctx: Context, order: OrderRow, reason: str, quantity: int | None = None) -> bool:
    """Cancel the order, or leave `quantity` contracts of it open; return whether a request was sent.

    None is sent while the last one may still be answered, or its refusal is young.
    """
    kind, total = _to_change(order, quantity)
    with ctx.ledger.engine.begin() as connection:
        if quantity is not None and _find_resize_wait(connection, order) > timedelta(0):
            return False
        change = changes.find_open(connection, order.id, kind, total)
        if change is not None and find_resend_wait(change) > timedelta(0):
            return False
        change = change or changes.create(
            connection,
            order.id,
            kind,
            origin=Origin.PROTECTOR,
            reason=reason,
            correlation_id=order.correlation_id,
            quantity=total,
        )
    if order.venue_order_id is None:
        return False
    send_change(ctx, change, order)
    return True


def find_refused_wait(connection: Connection, order: OrderRow, quantity: int | None = None) -> timedelta:
    """Return how long the guard waits before it requests a change that was sent twice in vain, or refused; else zero.

    Reading the order again before then would tell nothing.
    """
    change = changes.find_open(connection, order.id, *_to_change(order, quantity))
    if change is None and quantity is not None:
        return _find_resize_wait(connection, order)
    if change is None or change.sent_count < 2:  # noqa: PLR2004  # twice
        return timedelta(0)
    return find_resend_wait(change)


def _find_resize_wait(connection: Connection, order: OrderRow) -> timedelta:
    age = changes.find_refused_resize_age(connection, order.id)
    return timedelta(0) if age is None else max(changes.RESIZED_AGAIN_AFTER - age, timedelta(0))


def _to_change(order: OrderRow, quantity: int | None) -> tuple[ChangeKind, int | None]:
    if quantity is None:
        return ChangeKind.CANCEL, None
    return ChangeKind.MODIFY, order.filled_quantity + quantity
