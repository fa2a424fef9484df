"""The client: one connection that can only read, and a method for each kind of record."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from types import TracebackType
from typing import Self

import pandas as pd
from sqlalchemy import Connection

from shared.config import environment, home_folder
from shared.db import notebook_reads
from shared.db.engine import driver, make_engine
from shared.db.reader_url import is_of_programs, reader_url
from shared.db.trades.round_trips import RoundTripFilter
from shared.domain.market_data.calendar import trading_day_begins
from shared.domain.years import YEARS, require_year
from shared.errors import RefusedError, SettingsError
from tickwork_client.frames import flatten, to_frame

_STATEMENT_TIMEOUT_S = 120.0
Instant = datetime | str
Day = date | str
Account = int | str


def connect(url: str | None = None, *, exact: bool = False) -> "TickworkClient":
    """Connect to the stack of TICKWORK_HOME, else to DATABASE_URL, or to the database at `url`.

    On the embedded server its role sees no secret. Numbers are floats; with `exact` prices and amounts are Decimal.
    Raise SettingsError if there is no database.
    """
    return TickworkClient(url or _find_database(), exact=exact)


class TickworkClient:
    """Reads one database, and cannot change it: `bars`, `trades`, `orders`, `job_results`, `sql`.

    Close it, or use it in a `with` block.
    """

    def __init__(self, url: str, *, exact: bool = False) -> None:
        self._exact = exact
        self._engine = make_engine(
            url, program="notebook", pool_size=1, statement_timeout_s=_STATEMENT_TIMEOUT_S
        ).execution_options(postgresql_readonly=True)

    def bars(
        self, contract: str, *, since: Instant | None = None, until: Instant | None = None, limit: int = 100_000
    ) -> pd.DataFrame:
        """Return the newest one-minute bars of a contract as commands take it: MNQ, MNQZ6, or the venue's id.

        Index: `start`, UTC, oldest first. Columns: contract, open, high, low, close (in points), volume. Bars start at
        `since` or later and before `until`: an ISO text or a datetime, UTC if it has no zone. Raise RefusedError for an
        unknown contract or a text that is no time.
        """
        with self._connect() as connection:
            rows = notebook_reads.list_bars(connection, contract, _instant(since), _instant(until), limit)
        columns = ("start", "contract", "open", "high", "low", "close", "volume")
        return to_frame(columns, rows, exact=self._exact).set_index("start").sort_index()

    def trades(
        self,
        *,
        account: Account | None = None,
        contract: str | None = None,
        strategy: str | None = None,
        tag: str | None = None,
        since: Day | None = None,
        until: Day | None = None,
    ) -> pd.DataFrame:
        """Return trades from flat to flat, oldest first, with fees, notes and tags; money is in dollars.

        They closed on the trading day `since` or later, and on `until` or earlier. `account` is an id, a name or a
        short name, `strategy` what `tickwork trades` shows. Raise RefusedError for an
        unknown account or contract, or a text that is no day.
        """
        wanted = RoundTripFilter(
            strategy=strategy,
            tag=tag,
            since_market_at=None if since is None else trading_day_begins(_day(since)),
            until_market_at=None if until is None else trading_day_begins(_day(until) + timedelta(days=1)),
        )
        with self._connect() as connection:
            rows = notebook_reads.list_trades(connection, wanted, account, contract)
        return to_frame(notebook_reads.TRADE_COLUMNS, rows, exact=self._exact)

    def orders(
        self, *, account: Account | None = None, since: Instant | None = None, limit: int = 10_000
    ) -> pd.DataFrame:
        """Return the newest orders, oldest first: id, account, contract, side, state, quantities, prices and times."""
        with self._connect() as connection:
            rows = notebook_reads.list_orders(connection, account, _instant(since), limit)
        return to_frame(notebook_reads.ORDER_COLUMNS, rows, exact=self._exact)

    def job_results(self, name: str, *, since: Instant | None = None, limit: int = 10_000) -> pd.DataFrame:
        """Return what the newest jobs of a name ended with, oldest first; the fields of a result are columns.

        `name` is a job's, such as alerts.handle_alert; jobs are kept for 14 days.
        """
        with self._connect() as connection:
            rows = notebook_reads.list_job_results(connection, name, _instant(since), limit)
        frame = to_frame(notebook_reads.JOB_COLUMNS, rows, exact=self._exact)
        results = pd.DataFrame([flatten(row["result"]) for row in rows], index=frame.index)
        return frame.join(results.rename(columns={name: f"result_{name}" for name in notebook_reads.JOB_COLUMNS}))

    def sql(self, query: str, **values: object) -> pd.DataFrame:
        """Return the rows of one statement; `values`, if there are any, fill its `%(name)s`.

        A statement that writes is refused by Postgres; one without rows raises RefusedError.
        """
        with self._connect() as connection, driver(connection).cursor(binary=True) as cursor:
            cursor.execute(query.encode(), values or None)
            if cursor.description is None:
                raise RefusedError("the statement returned no rows: expected a SELECT")
            columns = [column.name for column in cursor.description]
            if repeated := sorted({name for name in columns if columns.count(name) > 1}):
                raise RefusedError(f"more than one column is named {', '.join(repeated)}: name each, with AS")
            rows = [dict(zip(columns, row, strict=True)) for row in cursor]
        return to_frame(columns, rows, exact=self._exact)

    def close(self) -> None:
        """Close the connection."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        """Connect in a transaction of its own that can only read, and that ends at once: it blocks no program."""
        with self._engine.connect() as connection:
            yield connection


def _find_database() -> str:
    own = environment()
    file = home_folder(own) / "state.json"
    try:
        found: str | None = json.loads(file.read_text())["urls"].get("database")
    except (OSError, ValueError, LookupError):
        found = None
    url = found or own.get("DATABASE_URL")
    if not url:
        raise SettingsError(f"no stack has run in {file.parent}: start one with `tickwork up`, or set TICKWORK_HOME")
    return reader_url(url, file.parent) if is_of_programs(url) else url


def _instant(value: Instant | None) -> datetime | None:
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
        require_year(found)
    except ValueError:
        hint = f"expected a day or an instant, such as 2026-03-09T14:30, {YEARS}"
        raise RefusedError(f"invalid time {value!r}: {hint}") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _day(value: Day) -> date:
    try:
        found = date.fromisoformat(value) if isinstance(value, str) else value
        require_year(found)
    except ValueError:
        raise RefusedError(f"invalid date {value!r}: expected a day such as 2026-03-10, {YEARS}") from None
    return found
