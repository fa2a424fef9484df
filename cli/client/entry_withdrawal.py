"""The withdrawal of an entry for which a person waits no longer, and whether it was sent."""

from dataclasses import dataclass
from enum import StrEnum
from threading import Event
from uuid import UUID

from sqlalchemy import Connection

from cli.client.job_client import JobClient
from cli.client.lookup import short_id
from shared.clock import monotonic
from shared.db.engine import driver
from shared.db.orders import orders, reversals
from shared.db.orders.orders import OrderRow
from shared.db.orders.reversals import RecordedReversal
from shared.domain.error_text import shorten_error
from shared.domain.orders.order import NOT_CONFIRMED, OrderState
from shared.ledger import operations
from shared.ledger.progress import JobProgress

_POLL_EVERY_S = 0.05
_SETTLES_WITHIN_S = 8.0  # what is being sent: the call to the venue ends within 5 s


class EntryFate(StrEnum):
    """What became of an entry when the wait for it ended."""

    WITHDRAWN = "withdrawn"
    SENT = "sent"
    IN_DOUBT = "in doubt"
    ENDED = "ended"  # before it was sent, or it needed no order


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The fate of an entry, and the words for it."""

    fate: EntryFate
    text: str


_NEVER_REQUESTED = Withdrawal(EntryFate.WITHDRAWN, "the entry was not requested, and nothing was sent.")


def withdraw_entry(client: JobClient, job_id: UUID, account_id: int) -> Withdrawal:
    """Withdraw the entry of a job, unless it was sent; wait some seconds for the answer to what is being sent."""
    pause, began = Event(), monotonic()
    while True:
        with client.transaction() as tx:
            job = next((one for one in client.read([job_id]).jobs if one.id == job_id), None)
            found = _NEVER_REQUESTED if job is None else _try_withdraw(tx.connection, job, account_id)
        if found is not None:
            return found
        if monotonic() - began > _SETTLES_WITHIN_S:
            return Withdrawal(
                EntryFate.IN_DOUBT,
                "the entry is IN DOUBT: a worker has it and has not ended, so it may be at the venue. "
                f"`tickwork orders` and `tickwork jobs show {job_id}` show the outcome",
            )
        pause.wait(_POLL_EVERY_S)


def _try_withdraw(connection: Connection, job: JobProgress, account_id: int) -> Withdrawal | None:
    """Return the fate of the entry of a job, None while a worker decides it."""
    if job.state == "queued" and operations.lock_if_queued(driver(connection), job.id):
        reversal = reversals.find(connection, job.id, account_id)
        if reversal is None:
            operations.withdraw(driver(connection), job.id)
        else:  # its job sees the close through, which is an exit
            reversals.give_up_opening(connection, job.id, account_id)
        return Withdrawal(EntryFate.WITHDRAWN, _describe_withdrawn(reversal, job.error))
    if not job.is_over:
        return None
    order_id = job.result.get("order_id") if isinstance(job.result, dict) else None
    order = None if order_id is None else orders.get(connection, UUID(order_id))
    if order is None:
        return Withdrawal(EntryFate.ENDED, f"the entry has ended: {shorten_error(job.error)}")
    reversal = reversals.find(connection, job.id, account_id)
    return _try_withdraw_order(connection, order, _describe_withdrawn(reversal, None))


def _try_withdraw_order(connection: Connection, order: OrderRow, withdrawn: str) -> Withdrawal | None:
    """Return the fate of an entry that is an order, None while it is sent; `withdrawn` says that it was not."""
    shown = f"`tickwork orders show {short_id(order.id)}`"
    if order.state not in {OrderState.CREATED, *NOT_CONFIRMED}:
        return Withdrawal(EntryFate.SENT, f"the entry is {order.state}: {shown}")
    if order.state is OrderState.CREATED:
        # One that was in doubt before may be at the venue all the same, where it is searched for.
        target = OrderState.CANCELLED if order.in_doubt_at is None else OrderState.EXPIRED
        sources, reason = [OrderState.CREATED], operations.WITHDRAWN
        if not orders.change_state(connection, order.id, sources, target, reason=reason):
            return None
        if order.in_doubt_at is None:
            return Withdrawal(EntryFate.WITHDRAWN, withdrawn)
    elif order.state is OrderState.SUBMITTING:
        return None
    return Withdrawal(
        EntryFate.IN_DOUBT,
        f"the entry is IN DOUBT: it was sent, and the venue has not confirmed it. It is searched for there: {shown}",
    )


def _describe_withdrawn(reversal: RecordedReversal | None, error: str | None) -> str:
    why = f" It waited: {shorten_error(error)}." if error else ""
    if reversal is None:
        return f"the entry is withdrawn, and nothing was sent.{why}"
    return (
        f"the entry is withdrawn: nothing is opened. The close of the {reversal.closing} that it reverses goes on: "
        f"`tickwork positions` shows what is held.{why}"
    )
