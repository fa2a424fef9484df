"""The guard's cancels and shrinks of orders: one that the venue refuses is requested again after growing pauses."""

from datetime import timedelta

from sqlalchemy import Connection

from shared.clock import machine_now
from shared.db.orders import changes
from shared.db.orders.orders import OrderRow
from shared.domain.orders.order import ChangeKind, Origin
from shared.domain.orders.stop_pace import pause_after
from workers.context import Context
from workers.orders.change_order import find_resend_wait, send_change


def request_change(ctx: Context, order: OrderRow, reason: str, quantity: int | None = None) -> bool:
    """Cancel the order, or leave `quantity` contracts of it open; return whether a request was sent.

    None is sent while the last one may still be answered, or its rejection is young.
    """
    kind, total = _to_change(order, quantity)
    with ctx.ledger.engine.begin() as connection:
        if _find_wait(connection, order, quantity) > timedelta(0):
            return False
        change = changes.find_open(connection, order.id, kind, total) or changes.create(
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
    """Return how long the guard waits before it requests a change that was rejected, or sent twice in vain; else zero.

    Reading the order again before then would tell nothing.
    """
    kind, total = _to_change(order, quantity)
    open_change = changes.find_open(connection, order.id, kind, total)
    is_first = open_change is not None and open_change.sent_count < 2  # noqa: PLR2004  # twice
    return timedelta(0) if is_first else _find_wait(connection, order, quantity)


def _find_wait(connection: Connection, order: OrderRow, quantity: int | None) -> timedelta:
    kind, total = _to_change(order, quantity)
    open_change = changes.find_open(connection, order.id, kind, total)
    if open_change is not None:
        return find_resend_wait(open_change)
    past = None if total is None else changes.find_resizes(connection, order.id, total)
    if past is None or past.last_at is None or not past.rejected_count:
        return timedelta(0)
    return max(pause_after(past.rejected_count) - abs(machine_now() - past.last_at), timedelta(0))


def _to_change(order: OrderRow, quantity: int | None) -> tuple[ChangeKind, int | None]:
    if quantity is None:
        return ChangeKind.CANCEL, None
    return ChangeKind.MODIFY, order.filled_quantity + quantity
