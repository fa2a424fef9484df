"""Closes in flight: at most one per account and contract, so that no two closing orders can reverse a position."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, delete, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables.orders import IS_CLOSE, contract_close, flatten_request, orders
from shared.domain.orders.order import Origin, Side

FILLS_WITHIN = timedelta(seconds=0.5)  # a close whose call has ended has filled by then, or is listed as working
ENDS_WITHIN = timedelta(seconds=15)  # a close that is not known to have ended or filled counts as over after it

_CLOCK_SKEW = timedelta(seconds=5)  # between this computer and the venue, whose time of an order it is


@dataclass(frozen=True, slots=True)
class CloseCause:
    """Who closes a contract, and with which side; None if the direction of the position is not known."""

    origin: Origin
    correlation_id: UUID
    side: Side | None


def claim(
    connection: Connection,
    account_id: int,
    contract_id: str,
    cause: CloseCause,
    *,
    market_now: datetime,
    listed_ago: timedelta | None,
) -> datetime | None:
    """Claim the close of a contract, which the caller commits before it sends it; None while another is in flight.

    Return when it was claimed, by the database's clock. It is claimed at once unless a close of the contract was sent
    less than ENDS_WITHIN ago: then it needs a list of orders without a closing one, requested `listed_ago`, by when the
    call of that close had ended. Without such a list (None) it waits until ENDS_WITHIN after that close.
    """
    now, sent_at, ended_at = func.clock_timestamp(), contract_close.c.sent_at, contract_close.c.ended_at
    is_over = [sent_at < now - ENDS_WITHIN, sent_at > now + ENDS_WITHIN]
    if listed_ago is not None:
        is_over.append(ended_at < now - literal(FILLS_WITHIN + listed_ago))
    caused = {
        "sent_market_at": market_now,
        "side": cause.side,
        "origin": cause.origin,
        "correlation_id": cause.correlation_id,
    }
    statement = insert(contract_close).values(account_id=account_id, contract_id=contract_id, **caused)
    statement = statement.on_conflict_do_update(
        index_elements=[contract_close.c.account_id, contract_close.c.contract_id],
        set_={"sent_at": now, "ended_at": None, **caused},
        where=or_(*is_over),
    )
    return connection.execute(statement.returning(sent_at)).scalar()


def find_cause(
    connection: Connection, account_id: int, contract_id: str, side: Side, created_market_at: datetime
) -> CloseCause | None:
    """Return the cause of a market order without a tag, if a close of ours has made it; None if someone else did.

    The close was sent less than ENDS_WITHIN ago, or its flatten is open; one close makes one order. Only reads: a
    report that waits for a lock must not keep the next close waiting.
    """
    claimed, now = contract_close.c, func.clock_timestamp()
    is_open = select(flatten_request.c.id).where(
        flatten_request.c.account_id == account_id,
        flatten_request.c.flat_at.is_(None),
        flatten_request.c.dropped_at.is_(None),
        flatten_request.c.correlation_id == claimed.correlation_id,
    )
    is_found = select(orders.c.id).where(
        orders.c.account_id == account_id,
        orders.c.contract_id == contract_id,
        orders.c.correlation_id == claimed.correlation_id,
        IS_CLOSE,
        orders.c.created_at >= claimed.sent_at,
    )
    statement = select(claimed.origin, claimed.correlation_id).where(
        claimed.account_id == account_id,
        claimed.contract_id == contract_id,
        func.coalesce(claimed.side, side) == side,
        claimed.sent_market_at <= created_market_at + _CLOCK_SKEW,
        or_(claimed.sent_at.between(now - ENDS_WITHIN, now + ENDS_WITHIN), is_open.exists()),
        ~is_found.exists(),
    )
    row = connection.execute(statement).one_or_none()
    return None if row is None else CloseCause(Origin(row.origin), row.correlation_id, side)


def record_end(connection: Connection, account_id: int, contract_id: str, sent_at: datetime) -> None:
    """Record that the call of the close claimed at `sent_at` has ended, whatever its answer."""
    statement = update(contract_close).where(_is_claim(account_id, contract_id, sent_at))
    connection.execute(statement.values(ended_at=func.clock_timestamp()))


def withdraw(connection: Connection, account_id: int, contract_id: str, sent_at: datetime) -> None:
    """Withdraw the claim made at `sent_at`: the close was certainly not sent."""
    connection.execute(delete(contract_close).where(_is_claim(account_id, contract_id, sent_at)))


def _is_claim(account_id: int, contract_id: str, sent_at: datetime) -> ColumnElement[bool]:
    return and_(
        contract_close.c.account_id == account_id,
        contract_close.c.contract_id == contract_id,
        contract_close.c.sent_at == sent_at,
    )


def list_recent(connection: Connection, account_id: int) -> set[str]:
    """Return the contracts of which a close was sent less than ENDS_WITHIN ago, also by a clock that has stepped."""
    now = func.clock_timestamp()
    statement = select(contract_close.c.contract_id).where(
        contract_close.c.account_id == account_id,
        contract_close.c.sent_at.between(now - ENDS_WITHIN, now + ENDS_WITHIN),
    )
    return set(connection.execute(statement).scalars())
