"""The tables of the market: its clock, contracts and one-minute bars."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    Table,
    Text,
    Time,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSTZMULTIRANGE

from shared.db.tables.metadata import at_column, metadata

market_clock = Table(
    "market_clock",
    metadata,
    Column("is_only", Boolean, primary_key=True, server_default=text("true")),
    Column("market", Text, nullable=False),
    Column("kind", Text, nullable=False),
    at_column("machine_origin_at", nullable=False),
    at_column("market_origin_at", nullable=False),
    Column("speed", Integer, nullable=False),
    at_column("ends_market_at"),
    CheckConstraint("is_only", name="one_row"),
    CheckConstraint("kind IN ('live','seeded','replay')", name="kind"),
    CheckConstraint("speed >= 1", name="speed"),
)

contract = Table(
    "contract",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("root", Text, nullable=False),
    Column("tick_size", Numeric, nullable=False),
    Column("tick_value", Numeric, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("active_day", Date),  # the trading day on which it was seen active last: it stays so for that day
    at_column("absent_at"),
    Column("is_tracked", Boolean, nullable=False, server_default=text("false")),
    at_column("untracked_market_at"),
    Column("coverage", TSTZMULTIRANGE, nullable=False, server_default=text("'{}'")),
    Column("unconfirmed", TSTZMULTIRANGE, nullable=False, server_default=text("'{}'")),
    at_column("answered_market_at"),
    Column("bars_revision", BigInteger, nullable=False, server_default=text("0")),
    Column("session_opens", Time, nullable=False, server_default=text("'17:00'")),
    Column("session_closes", Time, nullable=False, server_default=text("'16:00'")),
    Column("special_hours", JSONB, nullable=False, server_default=text("'{}'")),
    at_column("updated_at", nullable=False, now=True),
)

Index("ix_contract_root", contract.c.root)


def _bar_columns() -> list[Column[int]]:
    names = ("open_ticks", "high_ticks", "low_ticks", "close_ticks", "volume")
    return [Column(name, Integer, nullable=False) for name in names]


bar_minute = Table(
    "bar_minute",
    metadata,
    Column("contract_id", Text, ForeignKey("contract.id"), primary_key=True),
    Column("start", DateTime(timezone=True), primary_key=True),
    *_bar_columns(),
)

# The bars of a trading day that is over, as shared/domain/market_data/bar_packing.py packs them.
bar_day = Table(
    "bar_day",
    metadata,
    Column("contract_id", Text, ForeignKey("contract.id"), primary_key=True),
    Column("trading_day", Date, primary_key=True),
    Column("bar_count", Integer, nullable=False),
    at_column("first_start", nullable=False),
    Column("first_open_ticks", Integer, nullable=False),
    Column("value_bytes", SmallInteger, nullable=False),
    Column("packed", LargeBinary, nullable=False),
    at_column("packed_at", nullable=False, now=True),
    CheckConstraint("value_bytes IN (2, 4)", name="value_bytes"),
    CheckConstraint("length(packed) = bar_count * (5 * value_bytes + 4)", name="packed"),
)

# What a bar was before the venue corrected it.
bar_correction = Table(
    "bar_correction",
    metadata,
    Column("contract_id", Text, ForeignKey("contract.id"), primary_key=True),
    Column("start", DateTime(timezone=True), primary_key=True),
    Column("corrected_at", DateTime(timezone=True), primary_key=True, server_default=func.now()),
    *_bar_columns(),
)

# A record of the venue that cannot be a bar, and why.
rejected_bar = Table(
    "rejected_bar",
    metadata,
    Column("contract_id", Text, ForeignKey("contract.id"), primary_key=True),
    Column("record", Text, primary_key=True),
    at_column("start"),
    Column("reason", Text, nullable=False),
    at_column("first_seen_at", nullable=False, now=True),
    at_column("last_seen_at", nullable=False, now=True),
    at_column("lacked_at"),
    at_column("withdrawn_at"),
)

Index("ix_rejected_bar_last_seen_at", rejected_bar.c.last_seen_at)
Index("ix_rejected_bar_start", rejected_bar.c.contract_id, rejected_bar.c.start)
