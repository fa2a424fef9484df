"""The tables of metrics: calls to the venue, and rollups by minute."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Integer,
    Numeric,
    Table,
    Text,
    Uuid,
)

from shared.db.tables.metadata import metadata

api_call = Table(
    "api_call",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("endpoint", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("called_at", DateTime(timezone=True), primary_key=True),  # each day is a partition
    Column("duration_ms", Numeric, nullable=False),
    Column("status", Integer),
    Column("error", Text),
    Column("job_id", Uuid),
    Column("queue", Text),  # of the job that made the call; NULL in rows from before this column was filled
    Column("success", Boolean, Computed("error IS NULL", persisted=True), nullable=False),
)

metric_rollup = Table(
    "metric_rollup",
    metadata,
    Column("period_start_at", DateTime(timezone=True), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("error_count", BigInteger, nullable=False),
    Column("p50_ms", Numeric),
    Column("p95_ms", Numeric),
    Column("max_ms", Numeric),
    CheckConstraint("kind IN ('api','job')", name="kind"),
)
