"""Requests an exit again that was not made: its stop may have closed the position, so that is read again."""

from datetime import timedelta

from shared.db.orders.orders import OrderRow
from shared.domain.orders.order import Direction, Side
from shared.ledger.jobs.orders import ReducePosition
from shared.ledger.ledger import Transaction


def request_exit_again(tx: Transaction, order: OrderRow, target_position: int | None, pause: timedelta) -> None:
    """Enqueue the reduction that `order`, an exit, was to make; a position of the other side, or a later one, is left.

    `target_position` is what the exit was to leave, if it had one; else its quantity counts.
    """
    request = ReducePosition(
        account_id=order.account_id,
        contract_id=order.contract_id,
        quantity=order.quantity,
        target_position=target_position,
        direction=Direction.LONG if order.side is Side.SELL else Direction.SHORT,
        requested_at=order.created_at,
        origin=order.origin,
    )
    tx.enqueue(request, run_after=pause)
