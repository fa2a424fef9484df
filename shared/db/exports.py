"""Rows as CSV, streamed by Postgres: whole tables and views for other programs."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString

import psycopg
from psycopg import sql


@dataclass(frozen=True, slots=True)
class Export:
    """A table or view, and the column by whose instant its rows are chosen."""

    source: LiteralString
    instant: LiteralString
    has_account: bool = True


EXPORTS: Final = {
    "trades": Export("trade", "closed_market_at"),
    "orders": Export("orders", "created_at"),
    "fills": Export("fill", "filled_market_at"),
    "alerts": Export("alert_story", "received_at"),
    "days": Export("daily_pnl", "trading_day"),
    "bars": Export("bars", "start", has_account=False),
}


def copy_rows(
    connection: "psycopg.Connection[tuple[object, ...]]",
    export: Export,
    *,
    since: datetime | None,
    until: datetime | None,
    account_id: int | None,
) -> Iterator[bytes]:
    """Yield the rows as CSV with a header, oldest first, from `since` on and before `until`."""
    instant = sql.Identifier(export.instant)
    chosen = [
        sql.SQL("{} {} {}").format(column, sql.SQL(operator), sql.Literal(value))
        for column, operator, value in (
            (instant, ">=", since),
            (instant, "<", until),
            (sql.Identifier("account_id"), "=", account_id),
        )
        if value is not None
    ]
    where = sql.SQL(" WHERE ") + sql.SQL(" AND ").join(chosen) if chosen else sql.SQL("")
    query = sql.SQL("COPY (SELECT * FROM {}{} ORDER BY {}) TO STDOUT WITH (FORMAT csv, HEADER)").format(
        sql.Identifier(export.source), where, instant
    )
    connection.execute("SET LOCAL timezone = 'UTC'")
    with connection.cursor() as cursor, cursor.copy(query) as copied:
        for block in copied:
            yield bytes(block)
