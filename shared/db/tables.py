"""The tables of Postgres, as SQLAlchemy Core; migrations/ brings a database to this shape."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Interval,
    MetaData,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSTZMULTIRANGE

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def at_column(name: str, *, nullable: bool = True, now: bool = False) -> Column[object]:
    """Return a column for an instant; with `now` it begins as the time of its row."""
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=func.now() if now else None)


# --- the ledger ---------------------------------------------------------------------------------------------------

job = Table(
    "job",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("arguments", JSONB, nullable=False),
    Column("state", Text, nullable=False, server_default="queued"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("max_attempts", Integer, nullable=False),
    Column("deadline", Interval),
    at_column("run_at", nullable=False, now=True),
    at_column("expires_at"),
    Column("order_key", Text),
    Column("turn", Uuid, nullable=False),  # orders the jobs of one order_key; a hand-over inherits it
    at_column("lease_until"),
    Column("fence", BigInteger, nullable=False, server_default="0"),
    Column("worker", Text),
    at_column("enqueued_at", nullable=False, now=True),
    at_column("published_at"),
    at_column("started_at"),
    at_column("finished_at"),
    Column("result", JSONB),
    Column("error", Text),
    Column("cause_id", Uuid),  # no foreign key: finished rows are deleted in chunks
    Column("correlation_id", Uuid, nullable=False),
    CheckConstraint("state IN ('queued','running','succeeded','failed','dead','cancelled','expired')", name="state"),
    CheckConstraint("queue IN ('critical','high','normal','low','background')", name="queue"),
)
Index("ix_job_due", job.c.queue, job.c.run_at, job.c.id, postgresql_where=text("state = 'queued'"))
Index("ix_job_expiring", job.c.expires_at, postgresql_where=text("state = 'queued' AND expires_at IS NOT NULL"))
Index("ix_job_lease", job.c.lease_until, postgresql_where=text("state = 'running'"))
Index(
    "ix_job_order_key",
    job.c.order_key,
    job.c.turn,
    postgresql_where=text("order_key IS NOT NULL AND state IN ('queued','running')"),
)
# One running job per order_key, whatever the claims race for.
Index(
    "uq_job_order_key_running",
    job.c.order_key,
    unique=True,
    postgresql_where=text("order_key IS NOT NULL AND state = 'running'"),
)
Index("ix_job_correlation", job.c.correlation_id)
Index("ix_job_finished", job.c.finished_at, postgresql_where=text("finished_at IS NOT NULL"))

job_key = Table(
    "job_key",
    metadata,
    Column("unique_key", Text, primary_key=True),
    Column("job_id", Uuid, nullable=False),
    at_column("kept_until", nullable=False),
)
Index("ix_job_key_kept_until", job_key.c.kept_until)

# What the relay and the workers know of each queue.
queue_state = Table(
    "queue_state",
    metadata,
    Column("queue", Text, primary_key=True),
    Column("queued", Integer, nullable=False, server_default="0"),
    Column("looked_at", DateTime(timezone=True)),
    Column("republished_count", BigInteger, nullable=False, server_default="0"),
    Column("duplicate_count", BigInteger, nullable=False, server_default="0"),
    Column("canary_asked_at", DateTime(timezone=True)),
    Column("canary_done_at", DateTime(timezone=True)),
    Column("canary_wait", Interval),
)

schedule = Table(
    "schedule",
    metadata,
    Column("name", Text, primary_key=True),
    Column("job_name", Text, nullable=False),
    Column("arguments", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("clock", Text, nullable=False),
    Column("every", Interval, nullable=False),
    Column("missed", Text, nullable=False, server_default="run_once"),
    Column("only_when_open", Boolean, nullable=False, server_default=text("false")),
    Column("is_enabled", Boolean, nullable=False, server_default=text("true")),
    Column("last_slot", DateTime(timezone=True)),
    at_column("ran_at"),
    CheckConstraint("clock IN ('machine','market')", name="clock"),
    CheckConstraint("missed IN ('skip','run_once','catch_up')", name="missed"),
    CheckConstraint("every >= interval '1 second'", name="every"),
)

schedule_slot = Table(
    "schedule_slot",
    metadata,
    Column("name", Text, primary_key=True),
    Column("slot", DateTime(timezone=True), primary_key=True),
    Column("outcome", Text, nullable=False),
    Column("job_id", Uuid),
    at_column("noted_at", nullable=False, now=True),
    CheckConstraint("outcome IN ('enqueued','skipped')", name="outcome"),
)
Index("ix_schedule_slot_noted_at", schedule_slot.c.noted_at)

# --- the market ---------------------------------------------------------------------------------------------------

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
    Column("is_tracked", Boolean, nullable=False, server_default=text("false")),
    Column("held", TSTZMULTIRANGE, nullable=False, server_default=text("'{}'")),
    at_column("updated_at", nullable=False, now=True),
)
Index("ix_contract_root", contract.c.root)

bar_minute = Table(
    "bar_minute",
    metadata,
    Column("contract_id", Text, ForeignKey("contract.id"), primary_key=True),
    Column("start", DateTime(timezone=True), primary_key=True),
    Column("open_ticks", BigInteger, nullable=False),
    Column("high_ticks", BigInteger, nullable=False),
    Column("low_ticks", BigInteger, nullable=False),
    Column("close_ticks", BigInteger, nullable=False),
    Column("volume", BigInteger, nullable=False),
)

# --- what happened ------------------------------------------------------------------------------------------------

strategy_run = Table(
    "strategy_run",
    metadata,
    Column("strategy", Text, nullable=False),
    Column("contract_id", Text, ForeignKey("contract.id"), nullable=False),
    at_column("closed_until_market_at", nullable=False),
    Column("decision", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("signal_id", Uuid, ForeignKey("signal.id")),
    Column("duration_ms", Numeric, nullable=False),
    at_column("evaluated_at", nullable=False, now=True),
    Column("account_id", BigInteger, ForeignKey("account.id")),  # None: no account traded it then
    CheckConstraint("decision IN ('BUY','SELL','none')", name="decision"),
    UniqueConstraint(
        "strategy",
        "contract_id",
        "closed_until_market_at",
        "account_id",
        name="uq_strategy_run_evaluation",
        postgresql_nulls_not_distinct=True,
    ),
)

api_call = Table(
    "api_call",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("endpoint", Text, nullable=False),
    Column("method", Text, nullable=False),
    at_column("called_at", nullable=False),
    Column("duration_ms", Numeric, nullable=False),
    Column("status", Integer),
    Column("error", Text),
    Column("job_id", Uuid),
    Column("queue", Text),  # of the job that asked; empty in rows from before this was kept
    Column("success", Boolean, Computed("error IS NULL", persisted=True), nullable=False),
)
Index("ix_api_call_called_at", api_call.c.called_at)

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
