"""The tables of the trade history: round trips, and the fills that are not booked into them yet."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.db.tables.metadata import metadata
from shared.db.tables.orders import fill

round_trip = Table(
    "round_trip",
    metadata,
    Column("account_id", BigInteger, ForeignKey("account.id"), primary_key=True),
    Column("contract_id", Text, ForeignKey("contract.id"), primary_key=True),
    Column("opening_fill_id", BigInteger, primary_key=True),
    Column("part", Integer, primary_key=True),  # 1 when that fill first closed another round trip
    Column("direction", Text, nullable=False),
    Column("quantity", Integer, nullable=False),  # the most that was held at once
    Column("opened_market_at", DateTime(timezone=True), nullable=False),
    Column("closed_market_at", DateTime(timezone=True), nullable=False),
    Column("entry_price", Numeric, nullable=False),
    Column("exit_price", Numeric, nullable=False),
    Column("gross", Numeric, nullable=False),
    Column("fees", Numeric, nullable=False),
    Column("commissions", Numeric, nullable=False),
    Column("net", Numeric, Computed("gross - fees - commissions", persisted=True), nullable=False),
    Column("fill_ids", ARRAY(BigInteger), nullable=False),
    Column("entry_order_id", Uuid, ForeignKey("orders.id")),
    Column("strategy", Text),
    Column("origin", Text),
    Column("has_unknown_entry", Boolean, nullable=False),
    Column("lots", JSONB, nullable=False),
    Column("mae", Numeric),
    Column("mfe", Numeric),
    Column("booked_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("direction IN ('LONG','SHORT')", name="direction"),
    CheckConstraint("quantity > 0", name="quantity"),
)
Index("ix_round_trip_closed_market_at", round_trip.c.closed_market_at)
Index(
    "ix_round_trip_opened",
    round_trip.c.account_id,
    round_trip.c.contract_id,
    round_trip.c.opened_market_at,
    round_trip.c.opening_fill_id,
)
Index("ix_round_trip_trading_day", func.trading_day_at(round_trip.c.closed_market_at))
Index("ix_round_trip_unmeasured", round_trip.c.closed_market_at, postgresql_where=text("mae IS NULL"))
Index("ix_fill_in_order", fill.c.account_id, fill.c.contract_id, fill.c.filled_market_at, fill.c.venue_fill_id)

# Filled by a trigger on `fill`, in the same transaction: one row for each inserted or changed fill, also a voided one.
# Nothing here is unique, so that transactions that write fills never wait for one another.
booking_due = Table(
    "booking_due",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("account_id", BigInteger, nullable=False),
    Column("contract_id", Text, nullable=False),
    Column("filled_market_at", DateTime(timezone=True), nullable=False),
)
