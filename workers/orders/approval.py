"""Lets an entry of an alert or a strategy wait for a person, as a row, once it has passed the pre-trade checks."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from shared.db.accounts.accounts import AccountRow
from shared.db.orders import entry_approvals, root_state
from shared.db.orders.entry_approvals import EntryApproval
from shared.domain.market_data.contract import ROOTS
from shared.domain.orders.order import Origin
from shared.domain.risk.preconditions import EntryTerms
from shared.errors import PostponedError
from shared.ledger.jobs.orders import LapseApproval
from shared.ledger.ledger import Transaction
from workers.context import Context
from workers.orders.entry_request import EntryRequest

_RETRY_AFTER = timedelta(seconds=0.1)


@dataclass(frozen=True, slots=True)
class AwaitedApproval:
    """An entry that waits for a person."""

    approval: EntryApproval

    @property
    def result(self) -> dict[str, str]:
        """The result of the job that asked for the entry."""
        return {"approval_id": str(self.approval.id), "waits_for_approval": self.text}

    @property
    def text(self) -> str:
        """The entry, until when it waits, and how to approve it."""
        row = self.approval
        return (
            f"{row.side} {row.quantity} {row.contract_id} waits for approval until {row.expires_at:%H:%M:%S} UTC: "
            f"`tickwork approvals approve {str(row.id)[-8:]}`"
        )


def ask_if_required(
    tx: Transaction, ctx: Context, request: EntryRequest, account: AccountRow, entry: EntryTerms
) -> AwaitedApproval | None:
    """Record that an entry waits for a person, if its account requires that; None if it is made now.

    Only entries of alerts and strategies wait, and none that makes a position smaller. Raise PostponedError while the
    position is not certain.
    `entry` has passed the checks and has its final quantity; the caller has locked the account.
    """
    if not account.is_approval_required or request.origin is Origin.MANUAL or request.approval is not None:
        return None
    against = _measure_against(tx.connection, request, entry)
    if entry.quantity <= against:
        return None
    approval = _create(tx, ctx, request, entry)
    # No child of this job: who waits for the end of what the alert has caused does not wait for a person.
    tx.enqueue(LapseApproval(approval_id=approval.id), run_after=ctx.settings.approval_ttl, parent_id=None)
    return AwaitedApproval(approval)


def _measure_against(connection: Connection, request: EntryRequest, entry: EntryTerms) -> int:
    """Return how much of what is held on the other side the entry closes, after the entries that work on its side."""
    contract_id = request.contract.id
    state = root_state.read(connection, request.account_id, ROOTS[request.contract.root])
    if state.is_uncertain(contract_id):
        raise PostponedError(f"an order in {contract_id} is not confirmed, so the position is not known", _RETRY_AFTER)
    against = -state.quantity(contract_id) * entry.side.sign
    return max(0, against - state.resting_quantity(contract_id, entry.side))


def _create(tx: Transaction, ctx: Context, request: EntryRequest, entry: EntryTerms) -> EntryApproval:
    source = {
        "account_id": request.account_id,
        "contract_id": request.contract.id,
        "origin": request.origin,
        "alert_id": request.alert_id,
        "strategy": request.strategy,
        "reason": request.reason,
        "risk": request.risk,
        "target_position": request.target_position,
        "correlation_id": ctx.job.correlation_id,
        "requested_at": ctx.job.enqueued_at,
        "closed_first": request.closed_first,
    }
    return entry_approvals.create(tx.connection, entry, ctx.settings.approval_ttl, source)
