"""Has every account compared with the venue, each in a job of its own: one account's trouble holds up no other."""

from datetime import timedelta
from uuid import UUID

from shared.db.accounts import accounts
from shared.db.orders import orders, positions
from shared.fleets import Queue
from shared.ledger.enqueue import EnqueueOptions
from shared.ledger.jobs.accounts import SnapshotAccounts
from shared.ledger.jobs.orders import ReconcileAccount, ReconcileAccounts
from workers.accounts.snapshot_accounts import snapshot_accounts
from workers.context import Context
from workers.task import task

_WORTH_DOING_FOR = timedelta(seconds=60)
_AHEAD_OF_ALL = UUID(int=0)  # also of one that waits for its time
# All at once they would take every core from an alert that comes meanwhile.
_APART, _ALL_WITHIN = timedelta(seconds=2), timedelta(seconds=20)


@task(ReconcileAccounts)
def reconcile_accounts(_: ReconcileAccounts, ctx: Context) -> dict[str, int]:
    """Ask for the comparison of every account that may trade, or has something open; twice compares twice.

    One follows the other, but for those that may not enter before it: after a start, or a gap of the stream.
    """
    with ctx.autocommit() as connection:
        is_first = not accounts.list_all(connection)
    if is_first:
        snapshot_accounts(SnapshotAccounts(), ctx)
    with ctx.transaction() as tx:
        wanted = [
            account
            for account in accounts.list_all(tx.connection)
            if account.can_trade
            or positions.of_account(tx.connection, account.id)
            or orders.open_of(tx.connection, account.id)
        ]
        apart = min(_APART, _ALL_WITHIN / max(len(wanted), 1))
        for number, account in enumerate(wanted):
            is_waited_for = account.reconciled_at is None or ctx.job.queue is Queue.CRITICAL
            options: EnqueueOptions = {
                "queue": ctx.job.queue,  # after a gap of the stream it is critical
                "sequence_key": f"account:{account.id}:reconcile",
                "expires_after": _WORTH_DOING_FOR,
            }
            if is_waited_for:
                options["sequence_id"] = _AHEAD_OF_ALL
            else:
                options["run_after"] = number * apart
            tx.enqueue(ReconcileAccount(account_id=account.id), **options)
        result = {"accounts": len(wanted)}
        tx.finish(result)
    return result
