"""The start of an installation: no entry passes before its accounts are compared with the venue."""

from shared.db.accounts import accounts
from shared.ledger.jobs.orders import ReconcileAccounts
from shared.ledger.ledger import Transaction


def begin(tx: Transaction) -> None:
    """Block entries until a reconcile, which searches the last 24 h for orders of another installation, and enqueue it.

    It may run any number of times: a further one only makes entries wait for another reconcile.
    """
    accounts.require_reconciliation(tx.connection)
    tx.enqueue(ReconcileAccounts())
