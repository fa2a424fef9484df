"""Stores our accounts as the venue reports them."""

from datetime import timedelta

from shared.clock import machine_now
from shared.db.accounts import accounts
from shared.db.engine import limit_lock_wait, suppress_lock_timeout
from shared.ledger.jobs.accounts import SnapshotAccounts
from workers.context import Context
from workers.task import task

_LOCK_WAIT = timedelta(seconds=0.5)  # for an account that another session locks; its next report is stored


@task(SnapshotAccounts)
def snapshot_accounts(_: SnapshotAccounts, ctx: Context) -> dict[str, int]:
    """Store every account's balance; an account that the venue no longer lists may not trade.

    A second run adds a second snapshot. Each account is a commit of its own: none waits for a lock on another.
    """
    asked_at = machine_now()
    found = ctx.gateway.accounts()
    market_now = ctx.market_now
    stored = 0
    for account in found:
        with suppress_lock_timeout(f"this report of account {account.id} is not stored"), ctx.transaction() as tx:
            limit_lock_wait(tx.connection, _LOCK_WAIT)
            accounts.store(
                tx.connection,
                market_now,
                account_id=account.id,
                name=account.name,
                balance=account.balance,
                can_trade=account.can_trade,
                is_simulated=account.is_simulated,
                reported_at=asked_at,
            )
            stored += 1
    with suppress_lock_timeout("accounts that are no longer listed are marked later"), ctx.transaction() as tx:
        limit_lock_wait(tx.connection, _LOCK_WAIT)
        accounts.mark_unlisted(tx.connection, [account.id for account in found])
    return {"accounts": stored}
