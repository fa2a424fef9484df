"""An exit is sent by a fresh reading of the position only; one that was not made is requested again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from shared.clock import machine_now, monotonic
from shared.db.orders.orders import OrderRow
from shared.domain.orders.order import Direction, Side
from shared.ledger.jobs.orders import ReducePosition
from shared.ledger.ledger import Transaction

_FRESH_FOR = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class MeasuredExit:
    """The proof that this process has just read the position that an exit closes; when, by both clocks of the machine.

    It reaches only the run that follows in this process. A computer that slept since has an old reading by one clock.
    """

    order_id: UUID
    read_at: datetime
    read_monotonic_s: float

    def is_fresh(self, order_id: UUID) -> bool:
        """Whether it is about this order, and so recent that its stop has hardly filled since."""
        age = max(timedelta(seconds=monotonic() - self.read_monotonic_s), machine_now() - self.read_at)
        return self.order_id == order_id and age < _FRESH_FOR


def request_exit_again(tx: Transaction, order: OrderRow, pause: timedelta) -> None:
    """Enqueue the reduction that `order`, an exit, was to make; a position of the other side, or a later one, is left.

    It is down to the position that the exit was to leave, if it had one; else its quantity counts. It has the cause of
    the exit, whichever job asks, so that what a cause has closed is found by it.
    """
    request = ReducePosition(
        account_id=order.account_id,
        contract_id=order.contract_id,
        quantity=order.quantity,
        target_position=order.target_position,
        direction=Direction.LONG if order.side is Side.SELL else Direction.SHORT,
        requested_at=order.created_at,
        origin=order.origin,
    )
    tx.enqueue(request, run_after=pause, correlation_id=order.correlation_id)
