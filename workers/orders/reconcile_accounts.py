"""Compares every account with the venue and repairs our rows."""

from datetime import datetime, timedelta

from shared.clock import machine_now
from shared.db import accounts, fills, orders
from shared.db.accounts import AccountRow
from shared.domain.order import OrderState
from shared.ledger.jobs.accounts import SnapshotAccounts
from shared.ledger.jobs.orders import PlaceOrder, ReconcileAccounts, SettleOrder
from workers.accounts.snapshot_accounts import snapshot_accounts
from workers.context import Context
from workers.orders import sync
from workers.orders.settle_order import OVERLAP, entries_key
from workers.task import task

# Nothing we sent can still be under way after this: the HTTP timeout and the lease have both run out.
SUBMITTING_AT_MOST = timedelta(seconds=30)
LONGEST_LOOK = timedelta(days=1)


@task(ReconcileAccounts)
def reconcile_accounts(_: ReconcileAccounts, ctx: Context) -> dict[str, int]:
    """Write down what the venue shows, settle what hangs; it only reads, so it may run any number of times."""
    with ctx.ledger.engine.connect() as connection:
        known = accounts.every(connection)
    if not known:
        snapshot_accounts(SnapshotAccounts(), ctx)
        with ctx.ledger.engine.connect() as connection:
            known = accounts.every(connection)
    tradable = [account for account in known if account.can_trade]
    for account in tradable:
        _reconcile(ctx, account)
    return {"accounts": len(tradable)}


def _reconcile(ctx: Context, account: AccountRow) -> None:
    with ctx.ledger.engine.connect() as connection:
        ours = orders.open_of(connection, account.id)
        newest_fill_at = fills.newest_at(connection, account.id)
    watermark = newest_fill_at if account.reconciled_at is None else ctx.clock.to_market(account.reconciled_at)
    since = _since(ctx, watermark, [order.submitted_market_at for order in ours])
    view = sync.look(ctx.gateway, account.id, since)
    now = machine_now()
    with ctx.transaction() as tx:
        sync.write_down(tx.connection, view)
        for order in orders.open_of(tx.connection, account.id):
            hangs_since = now - (order.submitted_at or now)
            if order.state is OrderState.SUBMITTING and hangs_since > SUBMITTING_AT_MOST:
                orders.move(
                    tx.connection, order.id, [OrderState.SUBMITTING], OrderState.UNKNOWN, reason="no answer kept"
                )
            if order.state in {OrderState.SUBMITTING, OrderState.UNKNOWN} and hangs_since > SUBMITTING_AT_MOST:
                tx.enqueue(SettleOrder(order_id=order.id), key=f"settle:{order.id}:{now:%Y%m%d%H%M}")
            if order.state is OrderState.INTENDED and order.expires_at is not None and order.expires_at <= now:
                tx.enqueue(
                    PlaceOrder(order_id=order.id),  # finds it expired and says so
                    key=f"place:{order.id}:{now:%Y%m%d%H%M}",
                    order_key=entries_key(account.id),
                )
        accounts.note_reconciled(tx.connection, account.id)


def _since(ctx: Context, watermark: datetime | None, submitted: list[datetime | None]) -> datetime:
    """Look back to the oldest order that is open, and ten minutes in any case, on both clocks.

    What happened while nobody looked, as while this computer slept, lies behind the watermark; a day of it is read.
    """
    recent = ctx.clock.to_market(machine_now() - timedelta(minutes=10))
    unseen = max(watermark or recent, ctx.market_now - LONGEST_LOOK)
    return min([recent, unseen, *(at for at in submitted if at is not None)]) - OVERLAP
