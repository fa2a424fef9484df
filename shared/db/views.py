"""What an operator lists: jobs, orders, bars, newest first."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, or_, select, table, text
from sqlalchemy import column as named

from shared.db.account_tables import account
from shared.db.order_tables import fill, orders, position
from shared.db.retention import LOOKS
from shared.db.tables import job

_BARS = table("bars", *map(named, ("contract", "timeframe", "start", "open", "high", "low", "close", "volume")))


def _all(connection: Connection, statement: Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(statement).mappings()]


def jobs(
    connection: Connection, *, state: str | None, queue: str | None, name: str | None, limit: int
) -> list[dict[str, Any]]:
    """Return jobs without their arguments and results, and without those that only look: the metrics show them."""
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
    statement = select(*(job.c[name] for name in columns)).where(job.c.name.not_in(LOOKS))
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
    """Return orders."""
    statement = select(orders).order_by(orders.c.id.desc()).limit(limit)
    if state is not None:
        statement = statement.where(orders.c.state == state)
    return _all(connection, statement)


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
