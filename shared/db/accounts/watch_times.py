"""When the watch last checked each account, and what the account held then."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from shared.clock import MarketClock
from shared.db.tables.accounts import account_event, account_watch
from shared.db.tables.orders import position

GAP_EVENT = "unwatched"
_SHOWN_FOR = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class WatchTime:
    """A row of the table `account_watch`; `held` is None for an account without position and entry."""

    account_id: int
    watched_at: datetime
    held: str | None


def read(connection: Connection, account_ids: Collection[int]) -> dict[int, WatchTime]:
    """Return the rows of these accounts; a new account has none."""
    statement = select(account_watch).where(account_watch.c.account_id.in_(account_ids))
    rows = connection.execute(statement).mappings()
    return {row["account_id"]: WatchTime(**row) for row in rows}


def store(connection: Connection, rows: Sequence[WatchTime]) -> None:
    """Set the rows of these accounts."""
    statement = insert(account_watch)
    changed = {name: statement.excluded[name] for name in ("watched_at", "held")}
    values = [{"account_id": row.account_id, "watched_at": row.watched_at, "held": row.held} for row in rows]
    if values:
        connection.execute(statement.on_conflict_do_update(index_elements=["account_id"], set_=changed), values)


def list_overdue(connection: Connection, before: datetime) -> dict[int, datetime]:
    """Return the accounts that hold something and were last watched before an instant, and when that was."""
    statement = select(account_watch.c.account_id, account_watch.c.watched_at)
    overdue = statement.where(account_watch.c.watched_at < before, account_watch.c.held.is_not(None))
    return dict(connection.execute(overdue).all())


def list_open_gaps(connection: Connection, clock: MarketClock) -> dict[int, str]:
    """Return the message of each account's newest gap in the watch while a position is open from then, at most 12 h.

    Once that is closed nothing is left to compare with the venue; the event stays.
    """
    statement = (
        select(account_event.c.account_id, account_event.c.happened_at, account_event.c.message)
        .where(account_event.c.kind == GAP_EVENT, account_event.c.happened_at > func.now() - _SHOWN_FOR)
        .order_by(account_event.c.id)
    )
    oldest = select(position.c.account_id, func.min(position.c.opened_market_at))
    held = oldest.where(position.c.direction != "FLAT").group_by(position.c.account_id)
    opened = dict(connection.execute(held).all())
    return {
        row.account_id: row.message
        for row in connection.execute(statement)
        if row.account_id in opened and opened[row.account_id] <= clock.to_market(row.happened_at)
    }
