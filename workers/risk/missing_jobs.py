"""Enqueues the jobs that are missing: of fills without a proven stop, and of flatten requests that none serves."""

from datetime import timedelta

from shared.clock import machine_now
from shared.db.orders import fills, flatten_requests
from shared.ledger.jobs.orders import Flatten, GuardPosition, guard_key
from workers.risk.watch_run import WatchRun

UNGUARDED_FOR = timedelta(seconds=1)
ORPHANED_AFTER = timedelta(seconds=3)
_REPEAT_AFTER_S = 5


def enqueue_missing_jobs(run: WatchRun) -> None:
    """Enqueue a guard for each fill still unprotected, and a job for each flatten request that has none."""
    with run.transaction("guards and flattenings without a job get one in the next run of the watch") as tx:
        for account_id, contract_id in fills.list_unguarded(tx.connection, UNGUARDED_FOR):
            window = int(machine_now().timestamp()) // _REPEAT_AFTER_S
            request = GuardPosition(account_id=account_id, contract_id=contract_id)
            key = f"guard:{account_id}:{contract_id}:watch:{window}"
            tx.enqueue_unless_queued(request, guard_key(account_id, contract_id), key=key)
        for flatten_request in flatten_requests.list_orphaned(tx.connection, ORPHANED_AFTER):
            tx.enqueue(Flatten(flatten_request_id=flatten_request.id))
