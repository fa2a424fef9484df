"""Whether the positions and orders of an account may be changed, asked while it is locked."""

from shared.db.accounts import accounts
from shared.errors import RiskLimitError
from shared.ledger.ledger import Transaction
from workers.context import Context


def lock_and_require_may_exit(tx: Transaction, ctx: Context, account_id: int) -> None:
    """Lock the account; raise RiskLimitError if its live orders were never on."""
    if denial := lock_and_find_denial(tx, ctx, account_id):
        raise RiskLimitError(denial)


def lock_and_find_denial(tx: Transaction, ctx: Context, account_id: int) -> str | None:
    """Lock the account; return why nothing of it may be changed, or None."""
    account = accounts.lock(tx.connection, account_id)
    return None if account is not None and ctx.may_act_for(account) else accounts.NEVER_LIVE.format(account_id)
