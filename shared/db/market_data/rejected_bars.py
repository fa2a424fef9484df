"""Records of the venue that could not be bars: set aside with their reason, and shown."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables.market_data import rejected_bar
from shared.domain.market_data.bar import RejectedBar, minute_of
from shared.domain.market_data.bar_coverage import CONFIRMED_AFTER
from shared.domain.market_data.coverage import Span


def record(connection: Connection, contract_id: str, rejected: Sequence[RejectedBar]) -> None:
    """Store what was rejected; the same record again moves `last_seen_at`, and stands again if it was withdrawn."""
    rows = {
        one.record: {"contract_id": contract_id, "record": one.record, "start": one.start, "reason": one.reason}
        for one in rejected
    }
    if not rows:
        return
    statement = insert(rejected_bar)
    statement = statement.on_conflict_do_update(
        index_elements=["contract_id", "record"],
        set_={
            "last_seen_at": func.now(),
            "reason": statement.excluded.reason,
            "lacked_at": None,
            "withdrawn_at": None,
        },
    )
    connection.execute(statement, list(rows.values()))


def list_minutes(connection: Connection, contract_id: str, span: Span) -> list[datetime]:
    """Return the minutes in a span of which a record stands, oldest first; some may have a bar all the same."""
    statement = select(rejected_bar.c.start).where(*_stands(contract_id, span))
    return sorted({minute_of(start) for (start,) in connection.execute(statement)})


def note_lacking(connection: Connection, contract_id: str, span: Span, starts: Sequence[datetime]) -> None:
    """Withdraw the records in a span, but for those of `starts`, that an earlier answer lacked too; note the others.

    The span is one that an answer covers on both sides, as one that was cut short shows nothing.
    """
    begun = func.date_trunc("minute", rejected_bar.c.start)
    is_second = rejected_bar.c.lacked_at <= func.now() - CONFIRMED_AFTER
    statement = update(rejected_bar).where(*_stands(contract_id, span), begun.not_in(starts))
    connection.execute(
        statement.values(
            lacked_at=func.coalesce(rejected_bar.c.lacked_at, func.now()),
            withdrawn_at=case((is_second, func.now())),
        )
    )


def _stands(contract_id: str, span: Span) -> tuple[ColumnElement[bool], ...]:
    start = rejected_bar.c.start
    is_inside = rejected_bar.c.contract_id == contract_id, start >= span.start, start < span.end
    return *is_inside, rejected_bar.c.withdrawn_at.is_(None)


def list_newest(
    connection: Connection, contract_ids: Sequence[str] | None, *, since: datetime | None = None, limit: int
) -> list[dict[str, Any]]:
    """Return what was rejected of these contracts or of all, last seen first."""
    columns = [rejected_bar.c[name] for name in ("start", "reason", "record", "last_seen_at", "withdrawn_at")]
    statement = select(rejected_bar.c.contract_id.label("contract"), *columns)
    if contract_ids is not None:
        statement = statement.where(rejected_bar.c.contract_id.in_(contract_ids))
    if since is not None:
        statement = statement.where(rejected_bar.c.last_seen_at >= since)
    rows = connection.execute(statement.order_by(rejected_bar.c.last_seen_at.desc()).limit(limit)).mappings()
    return [dict(row) for row in rows]
