"""The last step before an order is sent: it becomes SUBMITTING in one round trip, or there is an obstacle."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, func

from shared.db.market_data import contracts
from shared.db.orders.orders import OrderRow
from shared.domain.market_data.contract import Contract
from shared.fleets import LEASE


@dataclass(frozen=True, slots=True)
class Submission:
    """The result of `mark_submitting`: contract, obstacle to sending (None: none), and time left of the lease."""

    contract: Contract
    obstacle: str | None
    lease_left: timedelta


def mark_submitting(
    connection: Connection,
    order: OrderRow,
    job_id: UUID,
    claim_id: UUID,
    *,
    machine_now: datetime,
    market_now: datetime,
) -> Submission:
    """Make a CREATED order SUBMITTING with the Postgres function of this name, in one round trip.

    An entry becomes DENIED if its account is halted, in shadow mode, only read or being flattened, or if a later entry
    has closed all that it adds to, EXPIRED if it was in doubt before; none of that can begin before this commits. An
    exit becomes CANCELLED while its contract is flattened. Raise LookupError if the contract is unknown.
    """
    columns = [
        func.mark_submitting(order.id, machine_now, market_now).label("result"),
        func.lease_left(job_id, claim_id, LEASE).label("lease_left"),
    ]
    row = contracts.require_with_columns(connection, order.contract_id, columns)
    result, lease_left, contract = row
    return Submission(contract, None if result == "submitting" else result, lease_left or timedelta(0))
