"""The reconcile of an account on which programs act from now on, so that its positions are guarded at once."""

from datetime import timedelta

from shared.fleets import Queue
from shared.ledger.enqueue import FIRST_SEQUENCE_ID
from shared.ledger.jobs.orders import ReconcileAccount, reconcile_key
from shared.ledger.ledger import Transaction

_EXPIRES_AFTER = timedelta(seconds=60)  # a stack that starts later reconciles by itself


def request_reconcile(tx: Transaction, account_id: int) -> None:
    """Enqueue a reconcile: what was recorded as guarded by nothing gets a stop without a wait for the next one."""
    tx.enqueue(
        ReconcileAccount(account_id=account_id),
        queue=Queue.CRITICAL,
        sequence_key=reconcile_key(account_id),
        sequence_id=FIRST_SEQUENCE_ID,
        expires_after=_EXPIRES_AFTER,
    )
