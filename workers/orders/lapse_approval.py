"""Ends an approval that was not decided in time, or whose entry was not made in time."""

from datetime import timedelta

from shared.clock import machine_now
from shared.db.orders import entry_approvals
from shared.db.orders.entry_approvals import EntryApproval
from shared.domain.orders.approval import ApprovalState
from shared.errors import PostponedError, RefusedError
from shared.ledger.jobs.orders import LapseApproval
from shared.ledger.ledger import Transaction
from workers.context import Context
from workers.task import task

_SOON = timedelta(seconds=1)  # the clocks of this computer and of Postgres may differ


@task(LapseApproval)
def lapse_approval(job: LapseApproval, ctx: Context) -> dict[str, str]:
    """Record that the approval has lapsed, or that its entry has expired, with a denied signal; else do nothing.

    Raise PostponedError before its time is over, also that of an approved entry.
    """
    with ctx.transaction() as tx:
        row = entry_approvals.get(tx.connection, job.approval_id)
        if row is None:
            raise RefusedError(f"approval {job.approval_id} does not exist")
        state = row.state
        if state is ApprovalState.WAITING:
            state = _lapse(tx, ctx, row)
        elif state is ApprovalState.APPROVED:
            state = _expire(tx, ctx, row)
        result: dict[str, str] = {"approval": state}
        tx.finish(result)
    return result


def _lapse(tx: Transaction, ctx: Context, row: EntryApproval) -> ApprovalState:
    if not entry_approvals.decide(tx.connection, row.id, ApprovalState.LAPSED, by="tickwork"):
        raise PostponedError(
            f"approval {row.id} waits until {row.expires_at:%H:%M:%S} UTC",
            max(row.expires_at - machine_now(), _SOON),
        )
    waited_s = (row.expires_at - row.asked_at).total_seconds()
    told = f"it waited for approval, and lapsed after {waited_s:.0f} s"
    entry_approvals.record_denial(tx.connection, row, told, ctx.market_now)
    return ApprovalState.LAPSED


def _expire(tx: Transaction, ctx: Context, row: EntryApproval) -> ApprovalState:
    """End an entry whose job has ended without an order: it has expired, or failed."""
    is_being_made, error = entry_approvals.find_last_attempt(tx.connection, row)
    if is_being_made:
        raise PostponedError(f"the entry of approval {row.id} is still being made", _SOON)
    told = f"approved by {row.decided_by}, and not made: {error or 'its job is gone'}"
    entry_approvals.end_without_order(tx.connection, row, ApprovalState.EXPIRED, told, ctx.market_now)
    return ApprovalState.EXPIRED
