"""Enqueues the jobs that are missing: of fills without a stop, lost reports, and flatten requests that none serves."""

from datetime import timedelta

from shared.clock import machine_now
from shared.db.orders import fills, flatten_requests, unreported_orders
from shared.domain.orders.poll_pace import LEFT_TO_RECONCILE_AFTER
from shared.ledger.jobs.orders import Flatten, GuardPosition, PollFills, guard_key
from workers.risk.watch_run import WatchRun

UNGUARDED_FOR = timedelta(seconds=1)
ORPHANED_AFTER = timedelta(seconds=3)
UNREPORTED_FOR = timedelta(seconds=1)
_REPEAT_AFTER_S = 5


def enqueue_missing_jobs(run: WatchRun) -> None:
    """Enqueue a guard for each fill still unprotected, and a job for each flatten request that has none.

    And a poll for each order of ours whose fill the venue should have reported by now.
    """
    with run.transaction("guards and flattenings without a job get one in the next run of the watch") as tx:
        for account_id, contract_id in fills.list_unguarded(tx.connection, UNGUARDED_FOR):
            window = int(machine_now().timestamp()) // _REPEAT_AFTER_S
            request = GuardPosition(account_id=account_id, contract_id=contract_id)
            key = f"guard:{account_id}:{contract_id}:watch:{window}"
            tx.enqueue_unless_queued(request, guard_key(account_id, contract_id), key=key)
        for order_id in unreported_orders.list_ids(tx.connection, UNREPORTED_FOR, LEFT_TO_RECONCILE_AFTER):
            tx.enqueue(PollFills(order_id=order_id), key=f"poll:{order_id}:watch")
        for flatten_request in flatten_requests.list_orphaned(tx.connection, ORPHANED_AFTER):
            tx.enqueue(Flatten(flatten_request_id=flatten_request.id))
