"""Closes what a market entry without a target position reverses, before what is left of it is opened."""

from datetime import timedelta

from shared.clock import machine_now
from shared.db.alerts import reversals
from shared.db.orders import orders
from shared.db.orders.root_state import RootState
from shared.domain.alerts.copy_ratio import plan_reversal
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import Direction, Origin, Side
from shared.errors import PostponedError
from shared.ledger.jobs.orders import ReducePosition
from workers.alerts.current_state import RETRY_AFTER, WAIT_FOR, find_read_only_reason, require_certain
from workers.alerts.entry_checks import deny_if, require_agreement
from workers.alerts.outcome import AccountAlert, lock_and_require_may_exit
from workers.context import Context

_CLOSE_AGAIN_AFTER = timedelta(seconds=1)


def close_reversed_first(
    ctx: Context, account_alert: AccountAlert, contract: Contract, state: RootState, quantity: int
) -> int:
    """Return how many contracts of the entry's `quantity` are to open: those beyond the position that it reverses.

    The close is an exit: no rule of entries denies it, and what it leaves to open is decided with it, once; of a copy
    that may be nothing. Raise PostponedError until nothing is held against the entry, RefusedError if that takes 15 s
    or if something is held again, at once if another installation trades the account, and RiskLimitError for one whose
    live orders were never on.
    """
    stored, account_id = account_alert.stored, account_alert.account_id
    if stored.left_to_open is not None:
        _require_closed(ctx, account_alert, contract, state)
        return stored.left_to_open
    reversal = plan_reversal(account_alert.alert, state.quantity(contract.id), stored.ratio)
    if reversal is None:
        return quantity
    deny_if(ctx, account_alert, contract, find_read_only_reason(ctx, account_id))
    require_certain(state, [contract.id])
    require_agreement(ctx, account_alert, contract, state)
    with ctx.transaction() as tx:
        lock_and_require_may_exit(tx, ctx, account_id)
        reversals.record(tx.connection, stored.id, account_id, contract.id, reversal)
        close = _build_close(account_alert, contract, state.direction(contract.id), reversal.closing)
        tx.enqueue(close, key=f"reversal:{stored.id}:{account_id}:first")
    raise PostponedError(f"closing {reversal.closing} of {contract.id} before the entry", RETRY_AFTER)


def _require_closed(ctx: Context, account_alert: AccountAlert, contract: Contract, state: RootState) -> None:
    """Raise PostponedError while the position is not closed; request that again, as its exit may have been rejected.

    What is held after the close was made by something else later, and nothing is opened against that.
    """
    require_certain(state, [contract.id])
    if state.quantity(contract.id) * Side(account_alert.alert.action).sign >= 0:
        return
    stored, account_id = account_alert.stored, account_alert.account_id
    with ctx.autocommit() as connection:
        closing, requested_at = reversals.find_closing(connection, stored.id, account_id)
        left = closing - orders.count_exited(connection, account_id, contract.id, ctx.job.correlation_id)
    if left <= 0:
        deny_if(ctx, account_alert, contract, f"{contract.id} is held against it again, and was closed once")
    if machine_now() - requested_at >= WAIT_FOR:
        deny_if(ctx, account_alert, contract, f"{contract.id} could not be closed in time, so it opens nothing")
    with ctx.transaction() as tx:
        lock_and_require_may_exit(tx, ctx, account_id)
        close = _build_close(account_alert, contract, state.direction(contract.id), left)
        tx.enqueue(close, key=f"reversal:{stored.id}:{account_id}:{machine_now():%H%M%S}")
    raise PostponedError(f"{contract.id} is not closed yet, so it is closed again", _CLOSE_AGAIN_AFTER)


def _build_close(
    account_alert: AccountAlert, contract: Contract, direction: Direction, quantity: int
) -> ReducePosition:
    return ReducePosition(
        account_id=account_alert.account_id,
        contract_id=contract.id,
        quantity=quantity,
        direction=direction,
        origin=Origin.ALERT,
    )
