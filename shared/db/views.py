"""Listings for the operator: jobs, orders, fills, positions and bars."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, case, func, or_, select, table, text
from sqlalchemy import column as named
from sqlalchemy.dialects.postgresql import distinct_on

from shared.db.tables.accounts import account
from shared.db.tables.ledger import job, worker
from shared.db.tables.orders import fill, order_change, orders, position

_BARS = table("bars", *map(named, ("contract", "timeframe", "start", "open", "high", "low", "close", "volume")))


def _fetch_all(connection: Connection, statement: Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(statement).mappings()]


def list_jobs(
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
    return _fetch_all(connection, statement)


def list_related_jobs(connection: Connection, job_id: UUID) -> list[dict[str, Any]]:
    """Return the job and every other with its correlation id, oldest first; empty if there is no such job."""
    correlation = select(job.c.correlation_id).where(job.c.id == job_id).scalar_subquery()
    name = func.concat(worker.c.fleet, "@", worker.c.host, ".", worker.c.process_id, "/", job.c.process_id)
    statement = select(job, case((worker.c.id.is_not(None), name)).label("worker"))
    statement = statement.outerjoin(worker, worker.c.id == job.c.worker_id)
    return _fetch_all(connection, statement.where(job.c.correlation_id == correlation).order_by(job.c.id))


def list_orders(connection: Connection, *, state: str | None, limit: int) -> list[dict[str, Any]]:
    """Return orders with the names of their accounts, newest first."""
    statement = select(orders, account.c.name.label("account_name"))
    statement = statement.join(account, account.c.id == orders.c.account_id).order_by(orders.c.id.desc()).limit(limit)
    if state is not None:
        statement = statement.where(orders.c.state == state)
    return _fetch_all(connection, statement)


def read_order(connection: Connection, order_id: UUID) -> dict[str, list[dict[str, Any]]]:
    """Return an order (with its entry, if it is a leg), its legs, the changes requested of it, and its fills."""
    statement = select(orders, account.c.name.label("account_name"))
    statement = statement.join(account, account.c.id == orders.c.account_id)
    parent = select(orders.c.parent_id).where(orders.c.id == order_id).scalar_subquery()
    return {
        "order": _fetch_all(connection, statement.where(orders.c.id == order_id)),
        "entry": _fetch_all(connection, statement.where(orders.c.id == parent)),
        "legs": _fetch_all(connection, statement.where(orders.c.parent_id == order_id).order_by(orders.c.id)),
        "changes": _fetch_all(
            connection, select(order_change).where(order_change.c.order_id == order_id).order_by(order_change.c.id)
        ),
        "fills": _fetch_all(
            connection, select(fill).where(fill.c.order_id == order_id).order_by(fill.c.filled_market_at)
        ),
    }


def read_guards(connection: Connection) -> dict[tuple[int, str], tuple[datetime | None, str | None]]:
    """Return when and how a working stop was proven after the newest fill of each open position."""
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


def list_fills(connection: Connection, *, limit: int) -> list[dict[str, Any]]:
    """Return fills, newest first."""
    return _fetch_all(
        connection, select(fill).order_by(fill.c.filled_market_at.desc(), fill.c.venue_fill_id.desc()).limit(limit)
    )


def list_positions(connection: Connection) -> list[dict[str, Any]]:
    """Return positions that are not flat, with the names of their accounts."""
    statement = select(position, account.c.name.label("account_name")).join(
        account, account.c.id == position.c.account_id
    )
    return _fetch_all(connection, statement.where(position.c.direction != "FLAT").order_by(position.c.account_id))


def list_bars(
    connection: Connection, *, contract: str | None, since: datetime | None, limit: int
) -> list[dict[str, Any]]:
    """Return rows of the view `bars`, newest first; `contract` is the venue's id or part of it, such as MNQ."""
    statement = select(_BARS).order_by(_BARS.c.start.desc()).limit(limit)
    if contract is not None:
        statement = statement.where(or_(_BARS.c.contract == contract, _BARS.c.contract.contains(f".{contract}.")))
    if since is not None:
        statement = statement.where(_BARS.c.start >= since)
    return _fetch_all(connection, statement)


def count_bars(connection: Connection) -> list[dict[str, Any]]:
    """Return the number of stored bars per contract, with the first and the newest start."""
    return [
        dict(row)
        for row in connection.execute(
            text("""
                SELECT contract_id AS contract, count(*) AS count, min(start) AS first, max(start) AS newest
                FROM bar_minute GROUP BY contract_id ORDER BY contract_id
            """)
        ).mappings()
    ]
