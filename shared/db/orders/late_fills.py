"""What has been filled since a reversal was recorded: by entries that were not confirmed then, and by any other."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Text, and_, case, cast, exists, func, select

from shared.db.orders.orders import count_exited
from shared.db.orders.reversals import COLUMNS, SEEN_THROUGH_BY, RecordedReversal
from shared.db.tables.accounts import account
from shared.db.tables.alerts import alert
from shared.db.tables.ledger import IS_UNFINISHED, job
from shared.db.tables.orders import entry_reversal, fill, orders, position
from shared.domain.orders.order import Direction, Side
from shared.domain.orders.reversal import CloseProgress
from shared.ids import lowest_id_at


@dataclass(frozen=True, slots=True)
class FilledSince:
    """The contracts that came late, of entries that were not confirmed, when the last of them did, and all others."""

    late: int
    late_at: datetime | None
    others: int


def read(
    connection: Connection,
    account_id: int,
    side: Side,
    recorded: RecordedReversal,
    *,
    filled_market_since: datetime,
) -> FilledSince:
    """Return what has filled on the side that a reversal closes since it was recorded.

    A fill of others of before `filled_market_since` belongs to what was held, also if it was recorded after that.
    """
    is_late = func.coalesce(orders.c.id.in_(recorded.unconfirmed_ids), False)
    statement = (
        select(
            func.coalesce(func.sum(fill.c.quantity).filter(~is_late, fill.c.filled_market_at > filled_market_since), 0),
            func.max(fill.c.recorded_at).filter(is_late),
        )
        .outerjoin(  # the id of the order is filled in later
            orders, and_(orders.c.account_id == fill.c.account_id, orders.c.venue_order_id == fill.c.venue_order_id)
        )
        .where(
            fill.c.account_id == account_id,
            fill.c.contract_id == recorded.contract_id,
            fill.c.side == side.value,
            ~fill.c.is_voided,
            fill.c.recorded_at > recorded.requested_at,
        )
    )
    others, late_at = connection.execute(statement).one()
    return FilledSince(_count_late(connection, recorded), late_at, int(others))


def _count_late(connection: Connection, recorded: RecordedReversal) -> int:
    if not recorded.unconfirmed_ids:
        return 0
    statement = select(func.coalesce(func.sum(orders.c.filled_quantity), 0))
    filled: int = connection.execute(statement.where(orders.c.id.in_(recorded.unconfirmed_ids))).scalar_one()
    return filled - recorded.unconfirmed_filled


@dataclass(frozen=True, slots=True)
class UnclosedContracts:
    """Contracts of an open position that may have come late, after a reversal that was to close them."""

    account: str
    contract_id: str
    direction: Direction
    quantity: int


def list_unclosed(connection: Connection, since: datetime) -> list[UnclosedContracts]:
    """Return what came late to reversals requested since an instant and is held still, and no job closes any more."""
    correlation_id = func.coalesce(
        select(alert.c.job_id).where(alert.c.id == entry_reversal.c.request_id).scalar_subquery(),
        select(job.c.correlation_id).where(job.c.id == entry_reversal.c.request_id).scalar_subquery(),
    )
    reversed_side = case((position.c.direction == Direction.LONG.value, Side.SELL.value), else_=Side.BUY.value)
    candidate = (
        select(position.c.account_id, account.c.name, position.c.direction, position.c.quantity)
        .add_columns(position.c.opened_market_at, correlation_id.label("correlation_id"), *COLUMNS)
        .join(account, account.c.id == position.c.account_id)
        .join(
            entry_reversal,
            and_(
                entry_reversal.c.account_id == position.c.account_id,
                entry_reversal.c.contract_id == position.c.contract_id,
                entry_reversal.c.side == reversed_side,
            ),
        )
        .where(
            position.c.direction != Direction.FLAT.value,
            entry_reversal.c.quantity_offset > 0,
            entry_reversal.c.request_id >= lowest_id_at(since),
        )
        .subquery()
    )
    is_being_closed = exists().where(
        job.c.correlation_id == candidate.c.correlation_id,
        job.c.name.in_(SEEN_THROUGH_BY),
        job.c.arguments["account_id"].astext == cast(candidate.c.account_id, Text),
        IS_UNFINISHED,
    )
    rows = connection.execute(select(candidate).where(~is_being_closed)).all()
    found = [
        UnclosedContracts(row.name, row.contract_id, Direction(row.direction), _count_unclosed(connection, row))
        for row in rows
    ]
    return [one for one in found if one.quantity]


def _count_unclosed(connection: Connection, row: Row[Any]) -> int:
    """Return how many contracts of a position may have come late; 0 if it was opened after they did."""
    recorded = RecordedReversal(*(getattr(row, column.name) for column in COLUMNS))
    newest = select(func.max(fill.c.filled_market_at)).where(fill.c.order_id.in_(recorded.unconfirmed_ids))
    late_market_at = connection.execute(newest).scalar_one()
    late = _count_late(connection, recorded)
    if not late or late_market_at is None or (row.opened_market_at or late_market_at) > late_market_at:
        return 0
    return CloseProgress(
        closing=recorded.closing,
        offset=recorded.offset,
        exited=count_exited(connection, row.account_id, row.contract_id, row.correlation_id),
        held=row.quantity,
        late=late,
    ).owed
