"""Closes in flight: at most one per account and contract, so that no two closing orders can reverse a position."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables.orders import contract_close

FILLS_WITHIN = timedelta(seconds=0.5)  # a close whose call has ended has filled by then, or is listed as working
ENDS_WITHIN = timedelta(seconds=15)  # a close that is not known to have ended or filled counts as over after it

_NEW = insert(contract_close).values(account_id=bindparam("account"), contract_id=bindparam("contract"))


def claim(connection: Connection, account_id: int, contract_id: str, listed_ago: timedelta | None) -> datetime | None:
    """Claim the close of a contract, which the caller commits before it sends it; None while another is in flight.

    Return when it was claimed, by the database's clock. It is claimed at once unless a close of the contract was sent
    less than ENDS_WITHIN ago: then it needs a list of orders without a closing one, requested `listed_ago`, by when the
    call of that close had ended. Without such a list (None) it waits until ENDS_WITHIN after that close.
    """
    now, sent_at, ended_at = func.clock_timestamp(), contract_close.c.sent_at, contract_close.c.ended_at
    is_over = [sent_at < now - ENDS_WITHIN, sent_at > now + ENDS_WITHIN]
    if listed_ago is not None:
        is_over.append(ended_at < now - literal(FILLS_WITHIN + listed_ago))
    statement = _NEW.on_conflict_do_update(
        index_elements=[contract_close.c.account_id, contract_close.c.contract_id],
        set_={"sent_at": now, "ended_at": None},
        where=or_(*is_over),
    )
    values = {"account": account_id, "contract": contract_id}
    return connection.execute(statement.returning(sent_at), values).scalar()


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
