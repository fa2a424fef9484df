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
from shared.domain.accounts.account_name import is_named
from shared.domain.market_data.symbol import parse_symbol
from shared.domain.trades.statistics import label_of
from shared.errors import RefusedError

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


def list_trades(
    connection: Connection, wanted: RoundTripFilter, account_word: int | str | None, contract: str | None
) -> list[dict[str, Any]]:
    """Return the trades of an account and a contract that pass the filter, with their notes and tags.

    `strategy` is what `tickwork trades` shows: for a trade of no strategy its origin, such as manual.
    """
    if account_word is not None:
        wanted = replace(wanted, account_id=find_account(connection, account_word))
    if contract is not None:
        wanted = replace(wanted, contract_ids=_find_contracts(connection, contract))
    rows = round_trips.list_page(connection, wanted, limit=_MOST_TRADES)
    shown = [row | {"strategy": label_of(row["strategy"], row["origin"])} for row in rows[::-1]]
    return trade_notes.add_notes(connection, shown)


def list_orders(
    connection: Connection, account_word: int | str | None, since: datetime | None, limit: int
) -> Sequence[dict[str, Any]]:
    """Return the newest orders, those made at `since` or later."""
    columns = (orders.c[name] for name in ORDER_COLUMNS if name != "account_name")
    statement = select(*columns, account.c.name.label("account_name"))
    statement = statement.join(account, account.c.id == orders.c.account_id).order_by(orders.c.id.desc()).limit(limit)
    if account_word is not None:
        statement = statement.where(orders.c.account_id == find_account(connection, account_word))
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


def find_account(connection: Connection, word: int | str) -> int:
    """Return the id of the only account with this id, name or short name; raise RefusedError."""
    known = connection.execute(select(account.c.id, account.c.name).order_by(account.c.id)).all()
    found = [one.id for one in known if is_named(str(word), one.id, one.name)]
    if len(found) > 1:
        raise RefusedError(f"more than one account is named {word}: give the id, {' or '.join(map(str, found))}")
    if not found:
        shown = ", ".join(f"{one.id} ({one.name})" for one in known) or "none yet"
        raise RefusedError(f"account {word} is unknown; known: {shown}")
    return int(found[0])


def _find_contracts(connection: Connection, contract: str) -> tuple[str, ...]:
    """Return the ids of the contracts that a symbol means, as commands take it; raise RefusedError if none is known."""
    try:
        symbol = parse_symbol(contract)
    except ValueError as error:
        raise RefusedError(str(error)) from None
    found = tuple(one.id for one in contracts.list_of_root(connection, symbol.root.name) if symbol.names(one.id))
    if not found:
        roots = ", ".join(sorted(contracts.list_tracked_roots(connection))) or "none"
        raise RefusedError(f"no contract of {contract} is known here; tracked: {roots}")
    return found


def _fetch_oldest_first(connection: Connection, statement: Select[Any]) -> Sequence[dict[str, Any]]:
    return [dict(row) for row in connection.execute(statement).mappings()][::-1]
