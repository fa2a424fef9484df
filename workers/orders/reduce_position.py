"""Closes a part of a position with a market order of our own, never more than the position at the venue."""

from shared.db.market_data import contracts
from shared.db.orders import orders
from shared.domain.orders.order import Direction, Role, Side
from shared.errors import RefusedError
from shared.ids import new_id
from shared.ledger.jobs.orders import PlaceOrder, ReducePosition
from workers.context import Context
from workers.task import task


@task(ReducePosition)
def reduce_position(job: ReducePosition, ctx: Context) -> dict[str, str | int]:
    """Read the position, then record the exit and continue with PlaceOrder in one commit; a second run does nothing.

    Raise RefusedError when there is no position.
    """
    held = [one for one in ctx.gateway.positions(job.account_id) if one.contract_id == job.contract_id]
    if not held or held[0].direction not in {Direction.LONG, Direction.SHORT}:
        raise RefusedError(f"account {job.account_id} holds nothing of {job.contract_id}: nothing to close")
    quantity = min(job.quantity, held[0].quantity)
    side = Side.SELL if held[0].direction is Direction.LONG else Side.BUY
    order_id = new_id()
    result: dict[str, str | int] = {"side": side, "quantity": quantity, "contract_id": job.contract_id}
    if job.is_dry_run:
        return result | {"dry_run": "nothing was sent"}
    with ctx.transaction() as tx:
        contracts.require(tx.connection, job.contract_id)
        orders.create(
            tx.connection,
            order_id=order_id,
            account_id=job.account_id,
            contract_id=job.contract_id,
            origin=job.origin,
            role=Role.EXIT,
            side=side,
            quantity=quantity,
            correlation_id=ctx.job.correlation_id,
        )
        result["order_id"] = str(order_id)
        tx.continue_with(result, PlaceOrder(order_id=order_id))
    return result
