"""The coverage of a contract's bars: what is complete, and what is to be asked again."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from psycopg.types.multirange import TimestamptzMultirange
from psycopg.types.range import TimestamptzRange
from sqlalchemy import Connection, Select, func, select, update

from shared.db.engine import driver
from shared.db.tables.market_data import contract
from shared.domain.market_data.bar_coverage import BarCoverage
from shared.domain.market_data.coverage import Span

_COLUMNS = (contract.c.coverage, contract.c.unconfirmed, contract.c.answered_market_at)

_ADD = """
    UPDATE contract SET coverage = coverage + added, unconfirmed = unconfirmed - added
    FROM (SELECT range_agg(tstzrange(to_timestamp(start), to_timestamp("end"))) AS added
          FROM unnest(%(starts)b::bigint[], %(ends)b::bigint[]) AS one (start, "end")) AS given
    WHERE id = %(contract)s AND added IS NOT NULL
"""


def read(connection: Connection, contract_id: str) -> BarCoverage:
    """Return the coverage of a contract that is known."""
    return _fetch(connection, select(*_COLUMNS).where(contract.c.id == contract_id))


def read_with_revision(connection: Connection, contract_id: str) -> tuple[tuple[Span, ...], int]:
    """Return the complete spans, and the revision, which another one follows when older bars change."""
    statement = select(contract.c.coverage, contract.c.bars_revision).where(contract.c.id == contract_id)
    row = connection.execute(statement).one()
    return _to_spans(row.coverage), row.bars_revision


def count_revision(connection: Connection, contract_id: str) -> None:
    """Give the bars of a contract, which the caller has locked, their next revision."""
    statement = update(contract).where(contract.c.id == contract_id)
    connection.execute(statement.values(bars_revision=contract.c.bars_revision + 1))


def lock(connection: Connection, contract_id: str) -> BarCoverage:
    """Return the coverage, which no other may change until the transaction ends."""
    return _fetch(connection, select(*_COLUMNS).where(contract.c.id == contract_id).with_for_update(key_share=True))


def lock_end(connection: Connection, contract_id: str) -> datetime | None:
    """As `lock`, but return only the end of what is complete, None without any: of years it may have many spans."""
    statement = select(func.upper(contract.c.coverage)).where(contract.c.id == contract_id)
    found: datetime | None = connection.execute(statement.with_for_update(key_share=True)).scalar_one()
    return found


def add(connection: Connection, contract_id: str, starts: Sequence[int], ends: Sequence[int]) -> None:
    """Add spans whose bars were stored, which no answer of the venue brought, to the coverage of a locked contract.

    They are given as seconds since 1970: Postgres makes multiranges of many spans far faster than Python.
    """
    values = {"contract": contract_id, "starts": list(starts), "ends": list(ends)}
    driver(connection).execute(_ADD, values)


def write(connection: Connection, contract_id: str, coverage: BarCoverage) -> None:
    """Store the coverage of a contract, which the caller has locked."""
    values = {
        "coverage": _to_ranges(coverage.complete),
        "unconfirmed": _to_ranges(coverage.unconfirmed),
        "answered_market_at": coverage.answered_market_at,
    }
    connection.execute(update(contract).where(contract.c.id == contract_id).values(values))


def _fetch(connection: Connection, statement: Select[Any]) -> BarCoverage:
    row = connection.execute(statement).one()
    return BarCoverage(_to_spans(row.coverage), _to_spans(row.unconfirmed), row.answered_market_at)


def _to_spans(ranges: Iterable[TimestamptzRange]) -> tuple[Span, ...]:
    """Return the ranges of a multirange of ours, which are all bounded."""
    return tuple(Span(one.lower, one.upper) for one in ranges if one.lower is not None and one.upper is not None)


def _to_ranges(spans: Iterable[Span]) -> TimestamptzMultirange:
    return TimestamptzMultirange([TimestamptzRange(span.start, span.end, "[)") for span in spans])
