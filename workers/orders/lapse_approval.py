"""Ends an approval that was not decided in time."""

from datetime import timedelta

from shared.clock import machine_now
from shared.db.orders import entry_approvals
from shared.domain.orders.approval import ApprovalState
from shared.errors import PostponedError, RefusedError
from shared.ledger.jobs.orders import LapseApproval
from workers.context import Context
from workers.task import task

_SOON = timedelta(seconds=1)  # the clocks of this computer and of Postgres may differ


@task(LapseApproval)
def lapse_approval(job: LapseApproval, ctx: Context) -> dict[str, str]:
    """Record that the approval has lapsed, with a denied signal; a second run, or one after a decision, does nothing.

    Raise PostponedError before its time is over.
    """
    with ctx.transaction() as tx:
        row = entry_approvals.get(tx.connection, job.approval_id)
        if row is None:
            raise RefusedError(f"approval {job.approval_id} does not exist")
        is_lapsed = entry_approvals.decide(tx.connection, row.id, ApprovalState.LAPSED, by="tickwork")
        if is_lapsed:
            waited_s = (row.expires_at - row.asked_at).total_seconds()
            entry_approvals.record_denial(
                tx.connection, row, f"it waited for approval, and lapsed after {waited_s:.0f} s", ctx.market_now
            )
        elif row.state is ApprovalState.WAITING:
            raise PostponedError(
                f"approval {row.id} waits until {row.expires_at:%H:%M:%S} UTC",
                max(row.expires_at - machine_now(), _SOON),
            )
        result: dict[str, str] = {"approval": ApprovalState.LAPSED if is_lapsed else row.state}
        tx.finish(result)
    return result
