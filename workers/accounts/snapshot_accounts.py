"""Stores our accounts as the venue reports them."""

from shared.clock import machine_now
from shared.db.accounts import accounts
from shared.ledger.jobs.accounts import SnapshotAccounts
from workers.context import Context
from workers.task import task


@task(SnapshotAccounts)
def snapshot_accounts(_: SnapshotAccounts, ctx: Context) -> dict[str, int]:
    """Store every account's balance; an account that the venue no longer lists may not trade.

    A second run adds a second snapshot.
    """
    asked_at = machine_now()
    found = ctx.gateway.accounts()
    market_now = ctx.market_now
    with ctx.transaction() as tx:
        for account in found:
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
        accounts.mark_unlisted(tx.connection, [account.id for account in found])
    return {"accounts": len(found)}
