"""What a person writes about a trade."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY

from shared.db.tables.metadata import at_column, metadata

# The key is that of `round_trip`, to whose row nothing refers: a trade is booked again when a fill comes late.
trade_note = Table(
    "trade_note",
    metadata,
    Column("account_id", BigInteger, ForeignKey("account.id"), primary_key=True),
    Column("contract_id", Text, ForeignKey("contract.id"), primary_key=True),
    Column("opening_fill_id", BigInteger, primary_key=True),
    Column("part", Integer, primary_key=True),
    Column("note", Text, nullable=False, server_default=""),
    Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    at_column("changed_at", nullable=False, now=True),
)
