"""Writes down what the hub told of one order."""

from shared.gateway import wire
from shared.ledger.jobs.orders import RecordOrderUpdate
from workers.context import Context
from workers.orders import sync
from workers.task import task


@task(RecordOrderUpdate)
def record_order_update(job: RecordOrderUpdate, ctx: Context) -> dict[str, str | int]:
    """Bring our row in line, unless we know of something newer; told twice, the second changes nothing."""
    order = wire.order(job.document)
    with ctx.transaction() as tx:
        sync.write_orders(tx, order.account_id, [order])
        tx.finish({"order": order.id, "state": order.state.value})
    return {"order": order.id, "state": order.state.value}
