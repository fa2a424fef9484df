"""Has every account compared with the venue, each in a job of its own: one account's trouble holds up no other."""

from datetime import timedelta

from shared.db import accounts, orders, positions
from shared.ledger.jobs.accounts import SnapshotAccounts
from shared.ledger.jobs.orders import ReconcileAccount, ReconcileAccounts
from workers.accounts.snapshot_accounts import snapshot_accounts
from workers.context import Context
from workers.task import task

_WORTH_DOING_FOR = timedelta(seconds=60)


@task(ReconcileAccounts)
def reconcile_accounts(_: ReconcileAccounts, ctx: Context) -> dict[str, int]:
    """Ask for the comparison of every account that may trade, or has something open; twice compares twice."""
    with ctx.autocommit() as connection:
        is_first = not accounts.every(connection)
    if is_first:
        snapshot_accounts(SnapshotAccounts(), ctx)
    with ctx.transaction() as tx:
        wanted = [
            account.id
            for account in accounts.every(tx.connection)
            if account.can_trade
            or positions.of_account(tx.connection, account.id)
            or orders.open_of(tx.connection, account.id)
        ]
        for account_id in wanted:
            tx.enqueue(
                ReconcileAccount(account_id=account_id),
                queue=ctx.job.queue,  # after a gap of the stream it is critical
                order_key=f"account:{account_id}:reconcile",
                expires_after=_WORTH_DOING_FOR,
            )
        result = {"accounts": len(wanted)}
        tx.finish(result)
    return result
