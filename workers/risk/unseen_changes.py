"""Reads an account again whose position the user hub reports otherwise than our fills: a report of a fill was lost."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from shared.clock import machine_now
from shared.db.accounts.accounts import AccountRow
from shared.db.orders.positions import PositionRow
from shared.hot.positions import HotPosition
from shared.ledger.enqueue import FIRST_SEQUENCE_ID
from shared.ledger.jobs.orders import ReconcileAccount, reconcile_key
from workers.risk.watch_run import WatchRun

UNSEEN_FOR = timedelta(seconds=2)  # the report of a fill comes apart from that of the position
_REPEAT_AFTER_S = 10
_EXPIRES_AFTER = timedelta(seconds=60)


def request_reads(run: WatchRun, accounts: Sequence[AccountRow], held: Mapping[int, Sequence[PositionRow]]) -> None:
    """Enqueue a reconcile of each account with a difference that was reported since its last one; twice is once."""
    reported = run.positions.read([account.id for account in accounts])
    for account in accounts:
        ours = {row.contract_id: row.quantity for row in held.get(account.id, ())}
        if not any(_is_unseen(account, hot, ours.get(name, 0)) for name, hot in reported.get(account.id, {}).items()):
            continue
        with run.transaction(f"account {account.id} is read again after the next run of the watch") as tx:
            window = int(machine_now().timestamp()) // _REPEAT_AFTER_S
            # One that is queued already may be due much later, as the schedule spreads them.
            tx.enqueue(
                ReconcileAccount(account_id=account.id),
                sequence_key=reconcile_key(account.id),
                key=f"reconcile:{account.id}:watch:{window}",
                sequence_id=FIRST_SEQUENCE_ID,
                expires_after=_EXPIRES_AFTER,
            )


def _is_unseen(account: AccountRow, hot: HotPosition, our_quantity: int) -> bool:
    """Whether a report differs from our position for longer than its fill may take, and was not compared since."""
    if hot.signed_quantity == our_quantity or machine_now() - hot.reported_at < UNSEEN_FOR:
        return False
    return account.reconciled_at is None or account.reconciled_at < hot.reported_at
