"""Keeps what the hub told of one account."""

from shared.db import accounts
from shared.gateway import wire
from shared.ledger.jobs.accounts import RecordAccount
from workers.context import Context
from workers.task import task


@task(RecordAccount)
def record_account(job: RecordAccount, ctx: Context) -> dict[str, str]:
    """Store the account's balance. What is told has no time of its own: an order key keeps it in the order it came."""
    account = wire.account(job.document)
    with ctx.transaction() as tx:
        accounts.store(
            tx.connection,
            ctx.market_now,
            account_id=account.id,
            name=account.name,
            balance=account.balance,
            can_trade=account.can_trade,
            is_simulated=account.is_simulated,
        )
        tx.finish({"balance": str(account.balance)})
    return {"balance": str(account.balance)}
