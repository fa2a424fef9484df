"""Requests to flatten, each with its job, its event and its act in the audit."""

from uuid import UUID

from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.accounts.audit import Actor, record_act
from shared.db.orders import flatten_requests
from shared.domain.orders.order import Origin
from shared.ids import new_id
from shared.ledger.jobs.orders import Flatten
from shared.ledger.ledger import Transaction


def request_flatten(
    tx: Transaction, account: AccountRow, contract_id: str | None, reason: str, actor: Actor
) -> tuple[UUID, UUID]:
    """Create a flatten request, also beside an open one: entries that were received before it are not made after it.

    Return the ids of the request and of its job. Flattens of one contract send one close of it, and end together.
    """
    accounts.lock(tx.connection, account.id)
    correlation_id, told = new_id(), contract_id or "everything"
    record_act(tx.connection, actor, "flatten", account.id, before={}, after={"contract": told}, reason=reason)
    request_id = flatten_requests.create(
        tx.connection, account.id, contract_id, origin=Origin.MANUAL, reason=reason, correlation_id=correlation_id
    )
    accounts.record_event(tx.connection, account.id, "flatten_requested", f"{told}: {reason}")
    return request_id, tx.enqueue(Flatten(flatten_request_id=request_id), correlation_id=correlation_id).job_id
