"""Listings for the operator: jobs, orders, fills, positions and bars."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Subquery,
    Uuid,
    case,
    exists,
    func,
    select,
    text,
    true,
    union,
    union_all,
)

from shared.db.alerts.probe_hook import PROBE_HOOK_ID
from shared.db.tables.accounts import account
from shared.db.tables.alerts import alert
from shared.db.tables.ledger import IS_UNFINISHED, job, worker
from shared.db.tables.orders import fill, order_change, orders, position

_HANDLE_ALERT = "alerts.handle_alert"
MAX_SEARCHED = 100_000  # jobs that a list by their queue looks through
_NEWEST_BARS = text("""
    SELECT bar.contract, timeframe, start, open, high, low, close, volume
    FROM contract, bars_between(id, '1m', CAST(:since AS timestamptz), CAST(:until AS timestamptz), :limit) AS bar
    WHERE CAST(:contracts AS text[]) IS NULL OR id = ANY(:contracts)
    ORDER BY start DESC LIMIT :limit
""")


def _fetch_all(connection: Connection, statement: Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(statement).mappings()]


_JOB_COLUMNS = [
    job.c[name]
    for name in (
        "id", "name", "queue", "state", "attempt", "max_attempts", "enqueued_at", "started_at", "finished_at", "error",
    )
]  # fmt: skip


def list_jobs(
    connection: Connection, *, hidden: Sequence[str], state: str | None, queue: str | None, name: str | None, limit: int
) -> list[dict[str, Any]]:
    """Return jobs without their arguments and results, newest first; `hidden` are names to leave out.

    No index has the queues: by a queue alone, or with `succeeded`, the newest MAX_SEARCHED jobs are searched.
    """
    source: FromClause = job
    if state in {None, "succeeded"}:  # the other states have indexes of their own
        if name is not None:
            source = _select_by_name(name, limit if state is None and queue is None else MAX_SEARCHED)
        elif queue is not None:
            source = select(*_JOB_COLUMNS).order_by(job.c.id.desc()).limit(MAX_SEARCHED).subquery()
    statement = select(*(source.c[column.name] for column in _JOB_COLUMNS)).where(source.c.name.not_in(hidden))
    for column, value in (("state", state), ("queue", queue), ("name", name)):
        if value is not None:
            statement = statement.where(source.c[column] == value)
    return _fetch_all(connection, statement.order_by(source.c.id.desc()).limit(limit))


def list_notable_jobs(connection: Connection, names: Sequence[str], limit: int) -> list[dict[str, Any]]:
    """Return the newest jobs with these names, and the newest of any name that failed or are dead, newest first.

    Each name and state has an index, so the jobs that are left out are not read.
    """
    ended = [
        select(*_JOB_COLUMNS)
        .where(job.c.name == name, job.c.finished_at.is_not(None), *_without_probes(name))
        .order_by(job.c.id.desc())
        .limit(limit)
        .subquery()
        .select()
        for name in names
    ]
    unfinished = select(*_JOB_COLUMNS).where(IS_UNFINISHED, job.c.name.in_(names)).order_by(job.c.id.desc())
    newest = [*ended, unfinished.limit(limit).subquery().select()]
    newest += [
        select(*_JOB_COLUMNS).where(job.c.state == state).order_by(job.c.id.desc()).limit(limit).subquery().select()
        for state in ("failed", "dead")
    ]
    found = union(*newest).subquery()
    return _fetch_all(connection, select(found).order_by(found.c.id.desc()).limit(limit))


def _without_probes(name: str) -> list[ColumnElement[bool]]:
    """Return what leaves out the jobs of the alerts that the stack posts to itself, in a list of jobs of this name."""
    if name != _HANDLE_ALERT:
        return []
    its_alert = alert.c.id == job.c.arguments["alert_id"].astext.cast(Uuid)
    return [~exists().where(its_alert, alert.c.hook_id == PROBE_HOOK_ID)]


def _select_by_name(name: str, most: int) -> Subquery:
    """Return the newest ended jobs with this name, of which there is an index, and the newest that have not ended."""
    newest = select(*_JOB_COLUMNS).order_by(job.c.id.desc()).limit(most)
    ended = newest.where(job.c.name == name, job.c.finished_at.is_not(None)).subquery()
    unfinished = newest.where(IS_UNFINISHED, job.c.name.in_([name])).subquery()
    return union_all(ended.select(), unfinished.select()).subquery()


def list_related_jobs(connection: Connection, job_id: UUID) -> list[dict[str, Any]]:
    """Return the job and every other with its correlation id, oldest first; empty if there is no such job.

    `deadline_s` is in seconds.
    """
    correlation = select(job.c.correlation_id).where(job.c.id == job_id).scalar_subquery()
    name = func.concat(worker.c.fleet, "@", worker.c.host, ".", worker.c.process_id, "/", job.c.process_id)
    statement = select(job, case((worker.c.id.is_not(None), name)).label("worker"))
    statement = statement.outerjoin(worker, worker.c.id == job.c.worker_id)
    found = _fetch_all(connection, statement.where(job.c.correlation_id == correlation).order_by(job.c.id))
    for row in found:
        deadline = row.pop("deadline")
        row["deadline_s"] = None if deadline is None else deadline.total_seconds()
    return found


def list_orders(
    connection: Connection, *, state: str | None, limit: int, account_id: int | None = None
) -> list[dict[str, Any]]:
    """Return orders with the names of their accounts, newest first; of one account by its index, else by the id."""
    statement = select(orders, account.c.name.label("account_name"))
    statement = statement.join(account, account.c.id == orders.c.account_id).limit(limit)
    if account_id is None:
        statement = statement.order_by(orders.c.id.desc())
    else:
        statement = statement.where(orders.c.account_id == account_id)
        statement = statement.order_by(orders.c.created_at.desc(), orders.c.id.desc())
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
            connection,
            select(fill, account.c.name.label("account_name"))
            .join(account, account.c.id == fill.c.account_id)
            .where(fill.c.order_id == order_id)
            .order_by(fill.c.filled_market_at),
        ),
    }


def read_guards(connection: Connection) -> dict[tuple[int, str], tuple[datetime | None, str | None]]:
    """Return when and how a working stop was proven after the newest fill of each open position."""
    of_position = (fill.c.account_id == position.c.account_id, fill.c.contract_id == position.c.contract_id)
    fills = select(fill.c.guarded_at, fill.c.guarded_by).where(*of_position)
    newest = fills.order_by(fill.c.venue_fill_id.desc()).limit(1).lateral("newest")
    statement = select(position.c.account_id, position.c.contract_id, newest.c.guarded_at, newest.c.guarded_by)
    statement = statement.join(newest, true()).where(position.c.direction != "FLAT")
    return {
        (row.account_id, row.contract_id): (row.guarded_at, row.guarded_by) for row in connection.execute(statement)
    }


def list_fills(connection: Connection, *, limit: int, account_id: int | None = None) -> list[dict[str, Any]]:
    """Return fills of an account or all with its name, newest first: the newest of each account are in an index."""
    of_account = select(fill).where(fill.c.account_id == account.c.id)
    of_account = of_account.order_by(fill.c.filled_market_at.desc(), fill.c.venue_fill_id.desc()).limit(limit)
    newest = of_account.lateral("newest")
    statement = select(newest, account.c.name.label("account_name")).select_from(account.join(newest, true()))
    if account_id is not None:
        statement = statement.where(account.c.id == account_id)
    order = (newest.c.filled_market_at.desc(), newest.c.venue_fill_id.desc())
    return _fetch_all(connection, statement.order_by(*order).limit(limit))


def list_positions(connection: Connection, *, account_id: int | None = None) -> list[dict[str, Any]]:
    """Return positions of an account or all that are not flat, with the names of their accounts."""
    statement = select(position, account.c.name.label("account_name")).join(
        account, account.c.id == position.c.account_id
    )
    if account_id is not None:
        statement = statement.where(position.c.account_id == account_id)
    return _fetch_all(connection, statement.where(position.c.direction != "FLAT").order_by(position.c.account_id))


def list_bars(
    connection: Connection,
    *,
    contract_ids: Sequence[str] | None,
    since: datetime | None,
    until: datetime | None = None,
    limit: int,
) -> list[dict[str, Any]]:
    """Return the newest one-minute bars of these contracts or of all, newest first."""
    contracts = None if contract_ids is None else list(contract_ids)
    given = {"contracts": contracts, "since": since, "until": until, "limit": limit}
    return [dict(row) for row in connection.execute(_NEWEST_BARS, given).mappings()]


def list_coverage(connection: Connection) -> list[dict[str, Any]]:
    """Return the covered minutes of each contract with bars, and the start of its first and its newest bar."""
    return [
        dict(row)
        for row in connection.execute(
            text("""
                SELECT id AS contract, first.start AS first, newest.start AS newest,
                       (SELECT sum(extract(epoch FROM upper(span) - lower(span)) / 60)::bigint
                        FROM unnest(coverage) AS span) AS covered_minutes
                FROM contract,
                     LATERAL (SELECT least((SELECT min(start) FROM bar_minute WHERE contract_id = id),
                                           (SELECT first_start FROM bar_day WHERE contract_id = id
                                            ORDER BY trading_day LIMIT 1)) AS start) AS first,
                     LATERAL (SELECT max(start) AS start FROM bar_minute WHERE contract_id = id) AS newest
                WHERE newest.start IS NOT NULL
                ORDER BY id
            """)
        ).mappings()
    ]
