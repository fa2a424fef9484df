"""Closes what a market entry without a target position reverses, before what is left of it is opened."""

from shared.db.alerts import reversals
from shared.db.orders.root_state import RootState
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import Origin
from shared.errors import PostponedError
from shared.ledger.jobs.orders import ReducePosition
from workers.alerts.current_state import RETRY_AFTER, require_certain
from workers.alerts.outcome import AccountAlert, lock_and_require_may_exit
from workers.context import Context


def close_reversed_first(
    ctx: Context, account_alert: AccountAlert, contract: Contract, state: RootState, quantity: int
) -> int:
    """Return how many contracts of the entry's `quantity` are to open: those beyond the position that it reverses.

    The close is an exit: no rule of entries denies it, and what it leaves to open is decided with it, once. Raise
    PostponedError until it has filled, and RiskLimitError for an account whose live orders were never on.
    """
    stored, account_id = account_alert.stored, account_alert.account_id
    if stored.left_to_open is not None:
        require_certain(state, [contract.id])
        return stored.left_to_open
    against = account_alert.alert.reverses(state.quantity(contract.id), quantity)
    if not against:
        return quantity
    require_certain(state, [contract.id])
    with ctx.transaction() as tx:
        lock_and_require_may_exit(tx, ctx, account_id)
        reversals.record_left(tx.connection, stored.id, account_id, contract.id, quantity - against)
        request = ReducePosition(
            account_id=account_id,
            contract_id=contract.id,
            target_position=0,
            direction=state.direction(contract.id),
            origin=Origin.ALERT,
        )
        tx.enqueue(request, key=f"reversal:{stored.id}:{account_id}")
    raise PostponedError(f"closing {against} of {contract.id} before the entry", RETRY_AFTER)
