"""Closes what a market entry without a target position reverses, before what is left of it is opened."""

from datetime import timedelta

from sqlalchemy import Connection

from shared.clock import machine_now
from shared.db.accounts import accounts
from shared.db.accounts.installations import find_other
from shared.db.alerts import reversals
from shared.db.orders.root_state import RootState
from shared.domain.alerts.copy_ratio import plan_reversal
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import Origin, Side
from shared.errors import PostponedError, RefusedError
from shared.ledger.jobs.orders import ReducePosition
from shared.ledger.ledger import Transaction
from workers.alerts.current_state import RETRY_AFTER, has_waited, require_certain
from workers.alerts.entry_checks import require_agreement
from workers.alerts.outcome import AccountAlert, lock_and_require_may_exit
from workers.context import Context

_CLOSE_AGAIN_AFTER = timedelta(seconds=1)


def close_reversed_first(
    ctx: Context, account_alert: AccountAlert, contract: Contract, state: RootState, quantity: int
) -> int:
    """Return how many contracts of the entry's `quantity` are to open: those beyond the position that it reverses.

    The close is an exit: no rule of entries denies it, and what it leaves to open is decided with it, once; of a copy
    that may be nothing. Raise PostponedError until nothing is held against the entry, RefusedError if that takes 15 s,
    and RiskLimitError for an account whose live orders were never on. One that another installation trades is left.
    """
    stored, account_id = account_alert.stored, account_alert.account_id
    if stored.left_to_open is not None:
        _require_closed(ctx, account_alert, contract, state)
        return stored.left_to_open
    reversal = plan_reversal(account_alert.alert, state.quantity(contract.id), stored.ratio)
    with ctx.autocommit() as connection:
        if reversal is None or not _may_close(connection, ctx, account_id):
            return quantity
    require_certain(state, [contract.id])
    require_agreement(ctx, account_alert, contract, state)
    with ctx.transaction() as tx:
        lock_and_require_may_exit(tx, ctx, account_id)
        reversals.record_left(tx.connection, stored.id, account_id, contract.id, reversal.opening)
        _request_close(tx, account_alert, contract, state, "first")
    raise PostponedError(f"closing {reversal.closing} of {contract.id} before the entry", RETRY_AFTER)


def _may_close(connection: Connection, ctx: Context, account_id: int) -> bool:
    account = accounts.get(connection, account_id)
    return account is None or find_other(account, ctx.market_now) is None


def _require_closed(ctx: Context, account_alert: AccountAlert, contract: Contract, state: RootState) -> None:
    """Raise PostponedError while the position is not closed; request that again, as its exit may have been rejected."""
    require_certain(state, [contract.id])
    if state.quantity(contract.id) * Side(account_alert.alert.action).sign >= 0:
        return
    if has_waited(ctx):
        raise RefusedError(f"{contract.id} could not be closed in time, so nothing is opened against it")
    with ctx.transaction() as tx:
        lock_and_require_may_exit(tx, ctx, account_alert.account_id)
        _request_close(tx, account_alert, contract, state, f"{machine_now():%H%M%S}")
    raise PostponedError(f"{contract.id} is not closed yet, so it is closed again", _CLOSE_AGAIN_AFTER)


def _request_close(
    tx: Transaction, account_alert: AccountAlert, contract: Contract, state: RootState, attempt: str
) -> None:
    request = ReducePosition(
        account_id=account_alert.account_id,
        contract_id=contract.id,
        quantity=abs(state.quantity(contract.id)),
        direction=state.direction(contract.id),
        origin=Origin.ALERT,
    )
    tx.enqueue(request, key=f"reversal:{account_alert.stored.id}:{account_alert.account_id}:{attempt}")
