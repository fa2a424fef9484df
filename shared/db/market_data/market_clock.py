"""The market of a database and its clock: the one row of `market_clock`."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from shared.clock import MarketClock
from shared.db.tables.market_data import market_clock
from shared.errors import SettingsError


@dataclass(frozen=True, slots=True)
class MarketRow:
    """A market's name, its kind (live, seeded or replay), its clock, and the end of a replay."""

    market: str
    kind: str
    clock: MarketClock
    ends_market_at: datetime | None = None

    @property
    def unique_name(self) -> str:
        """A name that no other database has, not even of the same market begun anew."""
        return f"{self.market}:{self.clock.machine_origin.isoformat()}"


def read(connection: Connection) -> MarketRow | None:
    """Return the row, or None if this database has no market yet."""
    row = connection.execute(select(market_clock)).one_or_none()
    if row is None:
        return None
    clock = MarketClock(row.machine_origin_at, row.market_origin_at, row.speed)
    return MarketRow(row.market, row.kind, clock, row.ends_market_at)


def require(connection: Connection) -> MarketRow:
    """Return the row; raise SettingsError when this database has no market yet."""
    row = read(connection)
    if row is None:
        raise SettingsError("this database has no market yet: run `tickwork up`")
    return row


def write(connection: Connection, row: MarketRow) -> None:
    """Replace the row; only `up` may do so, before any program starts."""
    values = {
        "market": row.market,
        "kind": row.kind,
        "machine_origin_at": row.clock.machine_origin,
        "market_origin_at": row.clock.market_origin,
        "speed": row.clock.speed,
        "ends_market_at": row.ends_market_at,
    }
    statement = insert(market_clock).values(is_only=True, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["is_only"], set_=values))
