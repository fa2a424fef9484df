"""Reversals: what a market entry closes before it opens the rest, recorded once for the request that wants it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Select, Text, and_, cast, exists, literal, or_, select
from sqlalchemy.dialects.postgresql import insert

from shared.db.rows import has_rows
from shared.db.tables.alerts import signal
from shared.db.tables.ledger import IS_UNFINISHED, job
from shared.db.tables.orders import entry_reversal, orders
from shared.domain.orders.order import Origin, Role, Side
from shared.domain.orders.reversal import Reversal

COLUMNS = [entry_reversal.c[name] for name in ("quantity_closing", "quantity_opening", "requested_at", "closes_all")]


@dataclass(frozen=True, slots=True)
class RecordedReversal:
    """The contracts that were requested to be closed, when that was, and those that are to be opened after it.

    `closes_all` says that they were all that was held.
    """

    closing: int
    opening: int
    requested_at: datetime
    closes_all: bool


def record(
    connection: Connection, request_id: UUID, account_id: int, contract_id: str, *, side: Side, reversal: Reversal
) -> bool:
    """Record what a request for an entry on a side closes on an account, and how much it is to open after that.

    Return False if it was recorded. Nothing is recorded either for an alert that has a signal there: its job has
    decided what it does. `request_id` is the id of the alert, or of the job of an entry that no alert requested. The
    caller has locked the account.
    """
    values = {
        "request_id": request_id,
        "account_id": account_id,
        "contract_id": contract_id,
        "side": side.value,
        "quantity_closing": reversal.closing,
        "quantity_opening": reversal.opening,
        "closes_all": reversal.closes_all,
    }
    has_decided = exists().where(signal.c.alert_id == request_id, signal.c.account_id == account_id)
    row = select(*(literal(value, entry_reversal.c[name].type) for name, value in values.items())).where(~has_decided)
    statement = insert(entry_reversal).from_select(list(values), row, include_defaults=False).on_conflict_do_nothing()
    return connection.execute(statement.returning(entry_reversal.c.request_id)).first() is not None


def find(connection: Connection, request_id: UUID, account_id: int) -> RecordedReversal | None:
    """Return the reversal that is recorded for a request, None without one."""
    statement = select(*COLUMNS).where(
        entry_reversal.c.request_id == request_id, entry_reversal.c.account_id == account_id
    )
    row = connection.execute(statement).one_or_none()
    return None if row is None else RecordedReversal(*row)


def select_recorded(request_id: UUID, account_id: int) -> Select[tuple[UUID]]:
    """Return the reversal that is recorded for a request."""
    return select(entry_reversal.c.request_id).where(
        entry_reversal.c.request_id == request_id, entry_reversal.c.account_id == account_id
    )


def was_reversed_since(
    connection: Connection, account_id: int, contract_id: str, side: Side, *, after: UUID | None, since: datetime
) -> bool:
    """Whether an entry requested after the alert `after`, or since an instant, has closed all that was held on a side.

    So an earlier entry on that side is not made: what it adds to is closed.
    """
    return has_rows(connection, select_reversed_since(account_id, contract_id, side, after=after, since=since))


def describe_later_reversal(contract_id: str) -> str:
    """Return why an entry is not made whose contract was reversed after it was requested."""
    return f"an entry that reversed {contract_id} was requested after this one"


def select_reversed_since(
    account_id: int, contract_id: str, side: Side, *, after: UUID | None, since: datetime
) -> Select[tuple[UUID]]:
    """Return the statement of `was_reversed_since`."""
    return select(entry_reversal.c.request_id).where(
        entry_reversal.c.account_id == account_id,
        entry_reversal.c.contract_id == contract_id,
        entry_reversal.c.side != side.value,
        entry_reversal.c.closes_all,
        entry_reversal.c.requested_at > since if after is None else entry_reversal.c.request_id > after,
    )


def is_other_unfinished(
    connection: Connection, request_id: UUID, account_id: int, contract_id: str, side: Side
) -> bool:
    """Whether another request on the side closes something of a contract, and its job has not seen that through.

    An alert's close is seen through by `alerts.close_reversed`, that of any other entry by the entry's own job.
    """
    return has_rows(connection, select_other_unfinished(request_id, account_id, contract_id, side))


def select_other_unfinished(request_id: UUID, account_id: int, contract_id: str, side: Side) -> Select[tuple[UUID]]:
    """Return the statement of `is_other_unfinished`."""
    closes_for_alert = and_(
        job.c.name == "alerts.close_reversed",
        job.c.arguments["alert_id"].astext == cast(entry_reversal.c.request_id, Text),
        job.c.arguments["account_id"].astext == str(account_id),
    )
    return (
        select(job.c.id)
        .join(entry_reversal, or_(job.c.id == entry_reversal.c.request_id, closes_for_alert))
        .where(
            IS_UNFINISHED,
            entry_reversal.c.account_id == account_id,
            entry_reversal.c.contract_id == contract_id,
            entry_reversal.c.side == side.value,
            entry_reversal.c.request_id != request_id,
        )
    )


def was_entered_since(connection: Connection, account_id: int, contract_id: str, side: Side, since: datetime) -> bool:
    """Whether something was entered on a side after an instant: by an entry, or by an order made elsewhere."""
    statement = select(orders.c.id).where(
        orders.c.account_id == account_id,
        orders.c.contract_id == contract_id,
        orders.c.side == side.value,
        orders.c.created_at > since,
        or_(orders.c.role == Role.ENTRY.value, orders.c.origin == Origin.EXTERNAL.value),
        orders.c.filled_quantity > 0,
    )
    return has_rows(connection, statement)
