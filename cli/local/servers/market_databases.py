"""The databases of all markets on the embedded server: their sizes, when each was last used, and their deletion."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from shared.db.connect import connect
from shared.domain.counting import count_of
from shared.errors import RefusedError

PREFIX = "tickwork_"


@dataclass(frozen=True, slots=True)
class MarketDatabase:
    """One database; `kind` and `last_used_at` are None if its schema is not ours, or of another version."""

    name: str  # of the market, with the number of a --fresh, such as sim_seed_7-2
    kind: str | None
    size_bytes: int
    last_used_at: datetime | None  # when its newest job was enqueued
    session_count: int

    @property
    def database(self) -> str:
        """The name of the database itself."""
        return f"{PREFIX}{self.name}"


def list_markets(server_url: str) -> list[MarketDatabase]:
    """Return the markets of the server, those used last first. `server_url` is any database of it."""
    found = list(_list_databases(server_url))
    return sorted(found, key=lambda one: (one.last_used_at is None, -_seconds(one.last_used_at), one.name))


def find_market(server_url: str, name: str) -> MarketDatabase:
    """Return the market with this name; raise RefusedError that lists the others."""
    known = list_markets(server_url)
    found = next((one for one in known if name in {one.name, one.database}), None)
    if found is None:
        raise RefusedError(f"no market is named {name!r}: those here are {', '.join(one.name for one in known)}")
    return found


def delete_market(server_url: str, market: MarketDatabase, simulator: Path) -> None:
    """Delete a market: its database, and what the simulator kept of it in `simulator`.

    Raise RefusedError while anyone is connected to it; nothing is lost then, whatever `market` says of its sessions. An
    interrupted deletion can be repeated, and leaves nothing that a new market of this name would go on with.
    """
    if market.session_count:
        raise RefusedError(
            f"market {market.name} is in use, as it has connections: {count_of(market.session_count, 'session')}"
        )
    folder, aside = simulator / market.database, simulator / f"{market.database}.deleted"
    with connect(server_url, program="markets") as connection:
        if folder.exists():
            shutil.rmtree(aside, ignore_errors=True)  # of an interrupted deletion
            folder.rename(aside)
        try:
            connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(market.database)))
        except psycopg.errors.ObjectInUse:
            if aside.exists() and not folder.exists():
                aside.rename(folder)
            raise RefusedError(f"market {market.name} is in use: a session has connected to it just now") from None
    shutil.rmtree(aside, ignore_errors=True)


def url_of(server_url: str, database: str) -> str:
    """Return the URL of another database of the server."""
    return urlsplit(server_url)._replace(path=f"/{database}").geturl()


def _list_databases(server_url: str) -> Iterator[MarketDatabase]:
    with connect(server_url, program="markets") as connection:
        rows = connection.execute(
            "SELECT datname, pg_database_size(oid), "
            "       (SELECT count(*) FROM pg_stat_activity WHERE pg_stat_activity.datname = pg_database.datname "
            "        AND pid <> pg_backend_pid()) "
            "FROM pg_database WHERE starts_with(datname, %s)",
            [PREFIX],
        ).fetchall()
    for database, size_bytes, session_count in rows:
        kind, last_used_at = _read_use(url_of(server_url, database))
        yield MarketDatabase(database.removeprefix(PREFIX), kind, size_bytes, last_used_at, session_count)


def _read_use(url: str) -> tuple[str | None, datetime | None]:
    with connect(url, program="markets") as connection:
        try:
            clock = connection.execute("SELECT kind FROM market_clock").fetchone()
            newest = connection.execute("SELECT enqueued_at FROM job ORDER BY id DESC LIMIT 1").fetchone()
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
            return None, None
    return clock and clock[0], newest and newest[0]


def _seconds(at: datetime | None) -> float:
    return at.timestamp() if at else 0.0
