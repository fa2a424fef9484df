"""The tables of metrics: calls to the venue, and rollups and gauges by minute, hour and day."""

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
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from shared.db.tables.metadata import at_column, metadata

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
    Column("span", Text, primary_key=True),
    Column("period_start_at", DateTime(timezone=True), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("error_count", BigInteger, nullable=False),
    Column("total_ms", Numeric, nullable=False),
    Column("max_ms", Numeric),
    Column("buckets", ARRAY(Integer), nullable=False),  # a histogram, with `counts`
    Column("counts", ARRAY(BigInteger), nullable=False),
    CheckConstraint("span IN ('minute','hour','day')", name="span"),
    CheckConstraint("kind IN ('api','job','wait','strategy','bars','order','alert')", name="kind"),
)

gauge_rollup = Table(
    "gauge_rollup",
    metadata,
    Column("span", Text, primary_key=True),
    Column("period_start_at", DateTime(timezone=True), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("total", Numeric, nullable=False),
    Column("min", Numeric, nullable=False),
    Column("max", Numeric, nullable=False),
    CheckConstraint("span IN ('minute','hour','day')", name="span"),
    CheckConstraint("kind IN ('host','program','feed','monitor','budget')", name="kind"),
    CheckConstraint("count > 0", name="count"),
)

# Up to when spans were sent to a collector; one row, once a trace exporter has run.
trace_progress = Table(
    "trace_progress",
    metadata,
    Column("is_only", Boolean, primary_key=True, server_default=text("true")),
    at_column("exported_until_at", nullable=False),
    CheckConstraint("is_only", name="one_row"),
)

metric_progress = Table(
    "metric_progress",
    metadata,
    Column("is_only", Boolean, primary_key=True, server_default=text("true")),
    at_column("rolled_up_until_at", nullable=False),
    CheckConstraint("is_only", name="one_row"),
)
