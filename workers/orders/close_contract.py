"""Cancels the working orders of one contract and closes its position, until the venue says flat."""

from contextlib import suppress
from datetime import timedelta

from shared.errors import AmbiguousOutcomeError, PostponedError, RefusedError
from shared.ledger.jobs.orders import CloseContract
from workers.context import Context
from workers.orders import sync
from workers.orders.settle_order import OVERLAP
from workers.task import task

SWEEP_EVERY = timedelta(seconds=0.2)


@task(CloseContract)
def close_contract(job: CloseContract, ctx: Context) -> dict[str, str | int]:
    """Aim at flat, whatever was done before: each sweep reads the venue first and acts on what it shows."""
    view = sync.look(ctx.gateway, job.account_id, ctx.market_now - OVERLAP)
    working = [order for order in view.orders if order.contract_id == job.contract_id and not order.state.is_final]
    position = next((position for position in view.positions if position.contract_id == job.contract_id), None)
    if not working and position is None:
        with ctx.transaction() as tx:
            sync.write_down(tx.connection, view)
        return {"contract": job.contract_id, "venue_says": "flat, nothing working"}
    # Refused or unclear, the next sweep reads what became of it; an order may have filled before its cancel came.
    for order in working:
        with suppress(RefusedError, AmbiguousOutcomeError):
            ctx.gateway.cancel(job.account_id, order.id)
    if position is not None:
        with suppress(RefusedError, AmbiguousOutcomeError):
            ctx.gateway.close_contract(job.account_id, job.contract_id)
    raise PostponedError(
        f"{job.contract_id}: {len(working)} order(s) cancelled, position "
        f"{'none' if position is None else f'{position.direction} {position.quantity}'} closed; looking again",
        SWEEP_EVERY,
    )
