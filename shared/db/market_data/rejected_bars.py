"""Records of the venue that could not be bars: set aside with their reason, and shown."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables.market_data import rejected_bar
from shared.domain.market_data.bar import RejectedBar, minute_of
from shared.domain.market_data.coverage import Span


def record(connection: Connection, contract_id: str, rejected: Sequence[RejectedBar]) -> None:
    """Store what was rejected; the same record again only moves `last_seen_at`."""
    rows = {
        one.record: {"contract_id": contract_id, "record": one.record, "start": one.start, "reason": one.reason}
        for one in rejected
    }
    if not rows:
        return
    statement = insert(rejected_bar)
    statement = statement.on_conflict_do_update(
        index_elements=["contract_id", "record"],
        set_={"last_seen_at": func.now(), "reason": statement.excluded.reason},
    )
    connection.execute(statement, list(rows.values()))


def list_minutes(connection: Connection, contract_id: str, span: Span) -> list[datetime]:
    """Return the minutes in a span of which a record was rejected, oldest first; some may have a bar all the same."""
    is_wanted = rejected_bar.c.contract_id == contract_id, rejected_bar.c.start >= span.start
    statement = select(rejected_bar.c.start).where(*is_wanted, rejected_bar.c.start < span.end)
    return sorted({minute_of(start) for (start,) in connection.execute(statement)})


def list_newest(
    connection: Connection, contract_ids: Sequence[str] | None, *, since: datetime | None = None, limit: int
) -> list[dict[str, Any]]:
    """Return what was rejected of these contracts or of all, last seen first."""
    columns = [rejected_bar.c[name] for name in ("start", "reason", "record", "last_seen_at")]
    statement = select(rejected_bar.c.contract_id.label("contract"), *columns)
    if contract_ids is not None:
        statement = statement.where(rejected_bar.c.contract_id.in_(contract_ids))
    if since is not None:
        statement = statement.where(rejected_bar.c.last_seen_at >= since)
    rows = connection.execute(statement.order_by(rejected_bar.c.last_seen_at.desc()).limit(limit)).mappings()
    return [dict(row) for row in rows]
