"""What a notebook reads: bars, trades, orders and the results of jobs, oldest first."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select

from shared.db import views
from shared.db.market_data import contracts
from shared.db.tables.accounts import account
from shared.db.tables.ledger import job
from shared.db.tables.orders import orders
from shared.db.trades import round_trips, trade_notes
from shared.db.trades.round_trips import RoundTripFilter

_MOST_TRADES = 1_000_000
TRADE_COLUMNS = (
    "closed_market_at", "opened_market_at", "account_id", "contract_id", "direction", "quantity", "entry_price",
    "exit_price", "gross", "fees", "commissions", "net", "mae", "mfe", "strategy", "origin", "has_unknown_entry",
    "opening_fill_id", "part", "tags", "note",
)  # fmt: skip
ORDER_COLUMNS = (
    "id", "account_id", "account_name", "contract_id", "role", "origin", "side", "type", "quantity", "state",
    "filled_quantity", "average_fill_price", "limit_price", "stop_price", "reason", "created_at", "submitted_market_at",
)  # fmt: skip
JOB_COLUMNS = ("id", "name", "state", "enqueued_at", "started_at", "finished_at", "error")


def list_bars(
    connection: Connection, contract: str, since: datetime | None, until: datetime | None, limit: int
) -> list[dict[str, Any]]:
    """Return the newest rows of the view `bars` of a contract or a root, newest first."""
    contract_ids = _find_contracts(connection, contract)
    return views.list_bars(connection, contract_ids=contract_ids, since=since, until=until, limit=limit)


def list_trades(connection: Connection, wanted: RoundTripFilter, contract: str | None) -> list[dict[str, Any]]:
    """Return the trades of a contract or a root that pass the filter, with their notes and tags."""
    if contract is not None:
        wanted = replace(wanted, contract_ids=_find_contracts(connection, contract))
    rows = round_trips.list_page(connection, wanted, limit=_MOST_TRADES)
    return trade_notes.add_notes(connection, rows[::-1])


def list_orders(
    connection: Connection, account_id: int | None, since: datetime | None, limit: int
) -> Sequence[dict[str, Any]]:
    """Return the newest orders, those made at `since` or later."""
    columns = (orders.c[name] for name in ORDER_COLUMNS if name != "account_name")
    statement = select(*columns, account.c.name.label("account_name"))
    statement = statement.join(account, account.c.id == orders.c.account_id).order_by(orders.c.id.desc()).limit(limit)
    if account_id is not None:
        statement = statement.where(orders.c.account_id == account_id)
    if since is not None:
        statement = statement.where(orders.c.created_at >= since)
    return _fetch_oldest_first(connection, statement)


def list_job_results(connection: Connection, name: str, since: datetime | None, limit: int) -> Sequence[dict[str, Any]]:
    """Return the newest ended jobs of a name with their results, those that ended at `since` or later."""
    statement = select(*(job.c[column] for column in (*JOB_COLUMNS, "result")))
    statement = statement.where(job.c.name == name, job.c.finished_at.is_not(None)).order_by(job.c.id.desc())
    if since is not None:
        statement = statement.where(job.c.finished_at >= since)
    return _fetch_oldest_first(connection, statement.limit(limit))


def _find_contracts(connection: Connection, contract: str) -> tuple[str, ...]:
    """Return the ids of a root's contracts, or the id as it is."""
    return tuple(one.id for one in contracts.list_of_root(connection, contract)) or (contract,)


def _fetch_oldest_first(connection: Connection, statement: Select[Any]) -> Sequence[dict[str, Any]]:
    return [dict(row) for row in connection.execute(statement).mappings()][::-1]
