"""Received alerts with their outcomes, newest first, and the insert of a replay.

A list reads by `alert.id`, whose order is that of the ids' creation, or by the index of one hook, so that it reads only
what it returns, or little more.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Connection,
    Select,
    Text,
    Uuid,
    any_,
    bindparam,
    cast,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from shared.clock import machine_now
from shared.db.id_part import has_id_part
from shared.db.tables.accounts import account
from shared.db.tables.alerts import alert, hook, signal
from shared.db.tables.ledger import UNFINISHED, job
from shared.db.tables.orders import IS_CLOSE, fill, flatten_request, orders
from shared.domain.alerts.alert import Alert
from shared.domain.alerts.hook_settings import HookSettings, decode_settings

MAX_SEARCHED = 100_000  # alerts that a list by verdict looks through: no index has the verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFilter:
    """Which alerts to list; None does not restrict. `since` is the longest time since they were received."""

    hook_id: UUID | None = None
    verdict: str | None = None
    since: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRecord:
    """An alert as it was received, its hook, and the job that handles it; a job is kept for two weeks."""

    id: UUID
    hook_id: UUID
    received_at: datetime
    body: bytes
    dialect: str
    action: str | None
    root: str | None
    sent_at: datetime | None
    verdict: str
    reason: str | None
    hook: str
    account_id: int  # the hook's
    settings: HookSettings
    is_hook_paused: bool
    is_hook_removed: bool
    job_id: UUID | None
    job_state: str | None
    job_error: str | None
    job_result: Any
    correlation_id: UUID | None  # of all that the alert caused
    has_live_jobs: bool  # whether a job that it caused has not ended


_ALL_ALERTS = AlertFilter()


def list_newest(connection: Connection, chosen: AlertFilter, limit: int) -> list[AlertRecord]:
    """Return alerts, newest first; with a verdict, those among the newest MAX_SEARCHED."""
    is_by_id = chosen.hook_id is None and chosen.since is None
    order = ("id",) if is_by_id else ("received_at", "id")  # each has an index
    page = _restrict(select(alert), chosen).order_by(*(alert.c[name].desc() for name in order))
    if chosen.verdict is not None:
        searched = page.limit(MAX_SEARCHED).subquery()
        page = select(searched).where(searched.c.verdict == chosen.verdict)
        page = page.order_by(*(searched.c[name].desc() for name in order))
    return _read(connection, page.limit(limit), is_newest_first=True)


def list_ids_after(connection: Connection, after: UUID, limit: int) -> Sequence[UUID]:
    """Return the ids above `after` of alerts of any kind, highest first, at most `limit`."""
    page = select(alert.c.id).where(alert.c.id > after)
    return connection.execute(page.order_by(alert.c.id.desc()).limit(limit)).scalars().all()


def list_by_ids(
    connection: Connection, alert_ids: Collection[UUID], chosen: AlertFilter = _ALL_ALERTS
) -> list[AlertRecord]:
    """Return those of these alerts that are chosen, oldest first."""
    page = _restrict(select(alert), chosen).where(alert.c.id == _one_of("alerts", alert_ids))
    if chosen.verdict is not None:
        page = page.where(alert.c.verdict == chosen.verdict)
    return _read(connection, page, is_newest_first=False)


def find_by_id_part(connection: Connection, digits: str) -> list[AlertRecord]:
    """Return up to two alerts whose ids start or end with these hexadecimal digits, newest first."""
    page = select(alert).where(has_id_part(alert.c.id, digits)).order_by(alert.c.id.desc()).limit(2)
    return _read(connection, page, is_newest_first=True)


def list_signals(connection: Connection, alert_ids: Collection[UUID]) -> list[dict[str, Any]]:
    """Return the signals that were made from these alerts, oldest first."""
    statement = select(signal, account.c.name.label("account_name"))
    statement = statement.join(account, account.c.id == signal.c.account_id).order_by(signal.c.id)
    return _fetch_all(connection, statement.where(signal.c.alert_id == _one_of("alerts", alert_ids)))


def list_orders(connection: Connection, correlation_ids: Collection[UUID]) -> list[dict[str, Any]]:
    """Return the orders that have one of these correlation ids, oldest first; see also `list_closing_orders`."""
    statement = select(orders, account.c.name.label("account_name"))
    statement = statement.join(account, account.c.id == orders.c.account_id).order_by(orders.c.id)
    is_caused = orders.c.correlation_id == _one_of("causes", correlation_ids)
    return _fetch_all(connection, statement.where(is_caused, ~IS_CLOSE))


def list_flatten_requests(connection: Connection, correlation_ids: Collection[UUID]) -> list[dict[str, Any]]:
    """Return the flatten requests whose jobs have one of these correlation ids, oldest first."""
    request_id = cast(job.c.arguments["flatten_request_id"].astext, Uuid)
    statement = select(flatten_request).join(job, flatten_request.c.id == request_id)
    statement = statement.where(job.c.correlation_id == _one_of("causes", correlation_ids))
    return _fetch_all(connection, statement.order_by(flatten_request.c.id))


def list_closing_orders(connection: Connection, request: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the orders by which the venue closed the account or the contract while a flatten request was open.

    Several requests may share them.
    """
    statement = select(orders, account.c.name.label("account_name"))
    statement = statement.join(account, account.c.id == orders.c.account_id).order_by(orders.c.id)
    ended_at = request["flat_at"] or request["dropped_at"]
    until = func.now() if ended_at is None else ended_at
    return _fetch_all(
        connection,
        statement.where(
            orders.c.account_id == request["account_id"],
            orders.c.created_at.between(request["requested_at"], until),
            or_(literal(request["contract_id"], Text).is_(None), orders.c.contract_id == request["contract_id"]),
            IS_CLOSE,
        ),
    )


def list_fills(connection: Connection, order_ids: Collection[UUID]) -> list[dict[str, Any]]:
    """Return the fills of these orders with the names of their accounts, oldest first."""
    statement = select(fill, account.c.name.label("account_name"))
    statement = statement.join(account, account.c.id == fill.c.account_id).where(
        fill.c.order_id == _one_of("orders", order_ids)
    )
    return _fetch_all(connection, statement.order_by(fill.c.filled_market_at, fill.c.venue_fill_id))


def add_replay(
    connection: Connection, original_id: UUID, replay_id: UUID, traded: Alert, *, dialect: str, job_id: UUID
) -> bool:
    """Insert an alert with the body and the hook of another one; return False if the hook is paused or removed.

    `traded` is the alert as its hook trades it. The row has no time of its sender's: it was
    requested now, and is as old as its receipt.
    """
    columns = ["id", "hook_id", "body", "payload", "dialect", "action", "root", "external_id", "verdict", "reason"]
    values = select(
        literal(replay_id, Uuid),
        alert.c.hook_id,
        alert.c.body,
        alert.c.payload,
        literal(dialect, Text),
        literal(traded.kind, Text),
        literal(traded.root.name, Text),
        literal(traded.external_id, Text),
        literal("accepted", Text),
        literal(f"replay of {original_id} by hand", Text),
        literal(job_id, Uuid),
    )
    values = values.join(hook, hook.c.id == alert.c.hook_id).where(
        alert.c.id == original_id, hook.c.removed_at.is_(None), hook.c.paused_at.is_(None)
    )
    statement = insert(alert).from_select([*columns, "job_id"], values).returning(alert.c.id)
    return connection.execute(statement).one_or_none() is not None


def _restrict(statement: Select[Any], chosen: AlertFilter) -> Select[Any]:
    if chosen.hook_id is not None:
        statement = statement.where(alert.c.hook_id == chosen.hook_id)
    if chosen.since is not None:
        statement = statement.where(alert.c.received_at >= machine_now() - chosen.since)
    return statement


def _read(connection: Connection, selected: Select[Any], *, is_newest_first: bool) -> list[AlertRecord]:
    page, caused = selected.subquery("page"), job.alias("caused")
    correlation_id = func.coalesce(job.c.correlation_id, page.c.job_id)
    live: Select[Any] = select(literal_column("1")).where(
        caused.c.correlation_id == correlation_id, caused.c.state.in_(UNFINISHED)
    )
    order = page.c.received_at, page.c.id
    statement = (
        select(
            *(page.c[name] for name in _COLUMNS_OF_ALERT),
            hook.c.name.label("hook"),
            hook.c.account_id,
            hook.c.settings,
            hook.c.paused_at.is_not(None).label("is_hook_paused"),
            hook.c.removed_at.is_not(None).label("is_hook_removed"),
            job.c.state.label("job_state"),
            job.c.error.label("job_error"),
            job.c.result.label("job_result"),
            correlation_id.label("correlation_id"),
            live.exists().label("has_live_jobs"),
        )
        .join(hook, hook.c.id == page.c.hook_id)
        .outerjoin(job, job.c.id == page.c.job_id)
        .order_by(*(one.desc() for one in order) if is_newest_first else order)
    )
    rows = connection.execute(statement).mappings()
    return [AlertRecord(**dict(row) | {"settings": decode_settings(row["settings"])}) for row in rows]


_COLUMNS_OF_ALERT = (
    "id", "hook_id", "received_at", "body", "dialect", "action", "root", "sent_at", "verdict", "reason", "job_id",
)  # fmt: skip


def _one_of(name: str, ids: Collection[UUID]) -> Any:  # noqa: ANN401  # SQLAlchemy's any_ has no narrower type here
    return any_(bindparam(name, list(ids), type_=ARRAY(Uuid)))


def _fetch_all(connection: Connection, statement: Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(statement).mappings()]
