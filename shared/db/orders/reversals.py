"""Reversals: what a market entry closes before it opens the rest, recorded once for the request that wants it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Select, Uuid, and_, case, cast, exists, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.rows import has_rows
from shared.db.tables.alerts import signal
from shared.db.tables.ledger import IS_UNFINISHED, job
from shared.db.tables.orders import entry_reversal, orders
from shared.domain.orders.order import OrderState, OrderType, Origin, Role, Side
from shared.domain.orders.reversal import Reversal
from shared.fleets import Queue

COLUMNS = [
    entry_reversal.c[name]
    for name in (
        "quantity_closing",
        "quantity_opening",
        "quantity_offset",
        "requested_at",
        "closes_all",
        "contract_id",
        "unconfirmed_ids",
        "unconfirmed_filled",
    )
]
SEEN_THROUGH_BY = ["alerts.close_reversed", "orders.enter_manually"]  # an alert's close, that of a person's entry
_IN_FLIGHT = [state.value for state in (OrderState.SUBMITTING, OrderState.IN_DOUBT, OrderState.WORKING)]


@dataclass(frozen=True, slots=True)
class RecordedReversal:
    """The contracts that were requested to be closed, when that was, and those that are to be opened after it.

    `offset` is how many more are closed if an entry before it that was not confirmed fills. `closes_all` says that all
    that was held is closed.
    """

    closing: int
    opening: int
    offset: int
    requested_at: datetime
    closes_all: bool
    contract_id: str  # it may be the active one no longer
    unconfirmed_ids: list[UUID] = field(default_factory=list)  # the orders of those entries
    unconfirmed_filled: int = 0  # what they had filled then
    late: int = 0  # how many of the offset have come and are closed too, once all is

    @property
    def closed(self) -> int:
        """How many contracts are closed once all is."""
        return self.closing + self.late


def record(
    connection: Connection,
    request_id: UUID,
    account_id: int,
    contract_id: str,
    *,
    side: Side,
    reversal: Reversal,
    unconfirmed: Mapping[UUID, int],
) -> bool:
    """Record what a request for an entry on a side closes on an account, and how much it is to open after that.

    Return False if it was recorded. Nothing is recorded either for an alert that has a signal there: its job has
    decided what it does. `unconfirmed` are the orders of the entries before it that may still fill, with what they have
    filled. `request_id` is the id of the alert, or of the job of an entry that no alert requested. The caller has
    locked the account.
    """
    values = {
        "request_id": request_id,
        "account_id": account_id,
        "contract_id": contract_id,
        "side": side.value,
        "quantity_closing": reversal.closing,
        "quantity_opening": reversal.opening,
        "quantity_offset": reversal.offset,
        "closes_all": reversal.closes_all,
        "unconfirmed_ids": list(unconfirmed),
        "unconfirmed_filled": sum(unconfirmed.values()),
    }
    has_decided = exists().where(signal.c.alert_id == request_id, signal.c.account_id == account_id)
    row = select(*(literal(value, entry_reversal.c[name].type) for name, value in values.items())).where(~has_decided)
    statement = insert(entry_reversal).from_select(list(values), row, include_defaults=False).on_conflict_do_nothing()
    return connection.execute(statement.returning(entry_reversal.c.request_id)).first() is not None


def give_up_opening(connection: Connection, request_id: UUID, account_id: int) -> None:
    """Let a recorded reversal close only, also what comes of it late; its job must not run meanwhile."""
    connection.execute(
        update(entry_reversal)
        .where(entry_reversal.c.request_id == request_id, entry_reversal.c.account_id == account_id)
        .values(quantity_opening=0)
    )


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
    connection: Connection, request_id: UUID, account_id: int, contract_id: str, side: Side, *, since: datetime
) -> bool:
    """Whether another request on the side has closed something of a contract since, and its job sees it through."""
    return has_rows(connection, select_other_unfinished(request_id, account_id, contract_id, side, since))


def select_other_unfinished(
    request_id: UUID, account_id: int, contract_id: str, side: Side, since: datetime
) -> Select[tuple[UUID]]:
    """Return the statement of `is_other_unfinished`."""
    closes_for_alert = job.c.name == "alerts.close_reversed"
    closed_for = case((closes_for_alert, cast(job.c.arguments["alert_id"].astext, Uuid)), else_=job.c.id)
    return (
        select(job.c.id)
        .join(entry_reversal, entry_reversal.c.request_id == closed_for)  # one equality: its key finds the row
        .where(
            IS_UNFINISHED,
            job.c.queue.in_([Queue.CRITICAL.value, Queue.HIGH.value]),
            job.c.name.in_(SEEN_THROUGH_BY),
            job.c.arguments["account_id"].astext == str(account_id),
            entry_reversal.c.account_id == account_id,
            entry_reversal.c.contract_id == contract_id,
            entry_reversal.c.side == side.value,
            entry_reversal.c.request_id != request_id,
            entry_reversal.c.requested_at > since,
        )
    )


def list_entered_since(
    connection: Connection, account_id: int, contract_id: str, side: Side, since: datetime
) -> list[int]:
    """Return how much each entry on a side has filled that was requested after an instant, and has filled or may next.

    An order that was made elsewhere counts as one.
    """
    statement = select(orders.c.filled_quantity).where(
        orders.c.account_id == account_id,
        orders.c.contract_id == contract_id,
        orders.c.side == side.value,
        orders.c.created_at > since,
        or_(orders.c.role == Role.ENTRY.value, orders.c.origin == Origin.EXTERNAL.value),
        or_(
            orders.c.filled_quantity > 0,
            and_(orders.c.type == OrderType.MARKET.value, orders.c.state.in_(_IN_FLIGHT)),
        ),
    )
    return list(connection.execute(statement).scalars())
