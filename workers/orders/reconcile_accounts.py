"""Enqueues the comparison of every account with the venue, one job each: a failing account delays no other."""

from datetime import timedelta

from shared.db.accounts import accounts
from shared.db.orders import orders, positions
from shared.fleets import Queue
from shared.ledger.enqueue import FIRST_SEQUENCE_ID, EnqueueOptions
from shared.ledger.jobs.accounts import SnapshotAccounts
from shared.ledger.jobs.orders import ReconcileAccount, ReconcileAccounts, reconcile_key
from workers.accounts.snapshot_accounts import snapshot_accounts
from workers.context import Context
from workers.task import task

_EXPIRES_AFTER = timedelta(seconds=60)
# All at once they would take every core from an alert that arrives meanwhile.
_SPACING, _MAX_SPREAD = timedelta(seconds=2), timedelta(seconds=20)


@task(ReconcileAccounts)
def reconcile_accounts(job: ReconcileAccounts, ctx: Context) -> dict[str, int]:
    """Enqueue a reconcile of every account that may trade or has an open position or order; twice compares twice.

    The jobs are spread over time, except for accounts whose entries wait for theirs: after a start, or a gap of the
    stream.
    """
    with ctx.autocommit() as connection:
        is_first = not accounts.list_all(connection)
    if is_first:
        snapshot_accounts(SnapshotAccounts(), ctx)
    with ctx.transaction() as tx:
        due = [
            account
            for account in accounts.list_all(tx.connection)
            if (account.can_trade and not job.only_exposed)
            or positions.list_of_account(tx.connection, account.id)
            or orders.list_open(tx.connection, account.id)
        ]
        spacing = min(_SPACING, _MAX_SPREAD / max(len(due), 1))
        for number, account in enumerate(ctx.random.sample(due, len(due))):  # so that none is always the last
            is_urgent = account.reconciled_at is None or ctx.job.queue is Queue.CRITICAL or job.only_exposed
            options: EnqueueOptions = {
                "queue": ctx.job.queue,  # after a gap of the stream it is critical
                "sequence_key": reconcile_key(account.id),
                "expires_after": _EXPIRES_AFTER,
            }
            if is_urgent:
                options["sequence_id"] = FIRST_SEQUENCE_ID
            else:
                options["run_after"] = number * spacing
            tx.enqueue(ReconcileAccount(account_id=account.id), **options)
        result = {"accounts": len(due)}
        tx.finish(result)
    return result
