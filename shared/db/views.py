"""What an operator lists: jobs, orders, bars, newest first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, or_, select, table, text
from sqlalchemy import column as named
from sqlalchemy.dialects.postgresql import distinct_on

from shared.db.tables.accounts import account
from shared.db.tables.ledger import job
from shared.db.tables.orders import fill, order_change, orders, position

_BARS = table("bars", *map(named, ("contract", "timeframe", "start", "open", "high", "low", "close", "volume")))


def _all(connection: Connection, statement: Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(statement).mappings()]


def jobs(
    connection: Connection, *, hidden: Sequence[str], state: str | None, queue: str | None, name: str | None, limit: int
) -> list[dict[str, Any]]:
    """Return jobs without their arguments and results, newest first; `hidden` are names to leave out."""
    columns = (
        "id",
        "name",
        "queue",
        "state",
        "attempt",
        "max_attempts",
        "enqueued_at",
        "started_at",
        "finished_at",
        "error",
    )
    statement = select(*(job.c[name] for name in columns)).where(job.c.name.not_in(hidden))
    statement = statement.order_by(job.c.id.desc()).limit(limit)
    if state is not None:
        statement = statement.where(job.c.state == state)
    if queue is not None:
        statement = statement.where(job.c.queue == queue)
    if name is not None:
        statement = statement.where(job.c.name == name)
    return _all(connection, statement)


def one_job(connection: Connection, job_id: UUID) -> list[dict[str, Any]]:
    """Return the job and every other of its story, oldest first; empty when there is no such job."""
    story = select(job.c.correlation_id).where(job.c.id == job_id).scalar_subquery()
    return _all(connection, select(job).where(job.c.correlation_id == story).order_by(job.c.id))


def orders_of(connection: Connection, *, state: str | None, limit: int) -> list[dict[str, Any]]:
    """Return orders, with their accounts' names."""
    statement = select(orders, account.c.name.label("account_name"))
    statement = statement.join(account, account.c.id == orders.c.account_id).order_by(orders.c.id.desc()).limit(limit)
    if state is not None:
        statement = statement.where(orders.c.state == state)
    return _all(connection, statement)


def one_order(connection: Connection, order_id: UUID) -> dict[str, list[dict[str, Any]]]:
    """Return an order (with its entry, if it is a leg), its legs, the changes asked of it, and its fills."""
    statement = select(orders, account.c.name.label("account_name"))
    statement = statement.join(account, account.c.id == orders.c.account_id)
    parent = select(orders.c.parent_id).where(orders.c.id == order_id).scalar_subquery()
    return {
        "order": _all(connection, statement.where(orders.c.id == order_id)),
        "entry": _all(connection, statement.where(orders.c.id == parent)),
        "legs": _all(connection, statement.where(orders.c.parent_id == order_id).order_by(orders.c.id)),
        "changes": _all(
            connection, select(order_change).where(order_change.c.order_id == order_id).order_by(order_change.c.id)
        ),
        "fills": _all(connection, select(fill).where(fill.c.order_id == order_id).order_by(fill.c.filled_market_at)),
    }


def guards(connection: Connection) -> dict[tuple[int, str], tuple[datetime | None, str | None]]:
    """Return of the newest fill of each contract when and how a working stop was proven after it."""
    columns = (fill.c.account_id, fill.c.contract_id, fill.c.guarded_at, fill.c.guarded_by)
    held = select(position.c.account_id).where(
        position.c.account_id == fill.c.account_id,
        position.c.contract_id == fill.c.contract_id,
        position.c.direction != "FLAT",
    )
    statement = select(*columns).ext(distinct_on(fill.c.account_id, fill.c.contract_id)).where(held.exists())
    statement = statement.order_by(fill.c.account_id, fill.c.contract_id, fill.c.venue_fill_id.desc())
    return {
        (row.account_id, row.contract_id): (row.guarded_at, row.guarded_by) for row in connection.execute(statement)
    }


def fills(connection: Connection, *, limit: int) -> list[dict[str, Any]]:
    """Return fills."""
    return _all(
        connection, select(fill).order_by(fill.c.filled_market_at.desc(), fill.c.venue_fill_id.desc()).limit(limit)
    )


def positions(connection: Connection) -> list[dict[str, Any]]:
    """Return positions that are not flat."""
    statement = select(position, account.c.name.label("account_name")).join(
        account, account.c.id == position.c.account_id
    )
    return _all(connection, statement.where(position.c.direction != "FLAT").order_by(position.c.account_id))


def bars(connection: Connection, *, contract: str | None, since: datetime | None, limit: int) -> list[dict[str, Any]]:
    """Return bars as the view shows them; `contract` may be the venue's id or part of it."""
    statement = select(_BARS).order_by(_BARS.c.start.desc()).limit(limit)
    if contract is not None:
        statement = statement.where(or_(_BARS.c.contract == contract, _BARS.c.contract.contains(f".{contract}.")))
    if since is not None:
        statement = statement.where(_BARS.c.start >= since)
    return _all(connection, statement)


def coverage(connection: Connection) -> list[dict[str, Any]]:
    """Return per contract: how many bars we hold, from when to when."""
    return [
        dict(row)
        for row in connection.execute(
            text("""
                SELECT contract_id AS contract, count(*) AS count, min(start) AS first, max(start) AS newest
                FROM bar_minute GROUP BY contract_id ORDER BY contract_id
            """)
        ).mappings()
    ]
