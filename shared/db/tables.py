"""The tables of Postgres, as SQLAlchemy Core; migrations/ brings a database to this shape."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Interval,
    LargeBinary,
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


def _at(name: str, *, nullable: bool = True, now: bool = False) -> Column[object]:
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
    _at("run_at", nullable=False, now=True),
    _at("expires_at"),
    Column("order_key", Text),
    Column("turn", Uuid, nullable=False),  # orders the jobs of one order_key; a hand-over inherits it
    _at("lease_until"),
    Column("fence", BigInteger, nullable=False, server_default="0"),
    Column("worker", Text),
    _at("enqueued_at", nullable=False, now=True),
    _at("published_at"),
    _at("started_at"),
    _at("finished_at"),
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
    _at("kept_until", nullable=False),
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
    _at("ran_at"),
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
    _at("noted_at", nullable=False, now=True),
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
    _at("machine_origin_at", nullable=False),
    _at("market_origin_at", nullable=False),
    Column("speed", Integer, nullable=False),
    _at("ends_market_at"),
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
    _at("updated_at", nullable=False, now=True),
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

# --- accounts, alerts, orders -------------------------------------------------------------------------------------

account = Table(
    "account",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("balance", Numeric, nullable=False),
    Column("can_trade", Boolean, nullable=False),
    Column("is_simulated", Boolean),
    _at("halted_at"),
    Column("halt_reason", Text),
    _at("reconciled_at"),
    _at("met_at"),  # the first time that it was compared with the venue
    Column("live_orders", Boolean, nullable=False, server_default=text("false")),  # towards the real venue
    _at("live_since_at"),
    Column("rules", Text),  # the preset; None: the one that its name tells
    Column("rule_changes", JSONB, nullable=False, server_default=text("'{}'")),
    Column("default_stop_ticks", Integer),
    Column("trading_day", Date),  # whose opening balance this is
    Column("day_opening_balance", Numeric),
    Column("highest_close", Numeric),
    _at("breached_market_at"),
    Column("locked_on", Date),  # the trading day on which the daily loss limit was touched
    Column("cut_on", Date),  # the trading day on which half was closed
    Column("block_reason", Text),  # why the watch lets nothing in
    _at("updated_at", nullable=False, now=True),
)

account_day = Table(
    "account_day",
    metadata,
    Column("account_id", BigInteger, ForeignKey("account.id"), primary_key=True),
    Column("trading_day", Date, primary_key=True),
    Column("opening_balance", Numeric, nullable=False),
    Column("closing_balance", Numeric, nullable=False),
    Column("floor", Numeric),
    _at("closed_at", nullable=False, now=True),
)

account_event = Table(
    "account_event",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account_id", BigInteger, ForeignKey("account.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("message", Text, nullable=False),
    _at("happened_at", nullable=False, now=True),
)
Index("ix_account_event_account_id_happened_at", account_event.c.account_id, account_event.c.happened_at)

account_snapshot = Table(
    "account_snapshot",
    metadata,
    Column("account_id", BigInteger, ForeignKey("account.id"), primary_key=True),
    Column("taken_market_at", DateTime(timezone=True), primary_key=True),
    Column("balance", Numeric, nullable=False),
    Column("can_trade", Boolean, nullable=False),
)

hook = Table(
    "hook",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("account_id", BigInteger, ForeignKey("account.id"), nullable=False),
    _at("created_at", nullable=False, now=True),
    _at("revoked_at"),
)

# The further accounts that trade what a hook is told.
hook_copy = Table(
    "hook_copy",
    metadata,
    Column("hook_id", Uuid, ForeignKey("hook.id"), primary_key=True),
    Column("account_id", BigInteger, ForeignKey("account.id"), primary_key=True),
)

alert = Table(
    "alert",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("hook_id", Uuid, ForeignKey("hook.id"), nullable=False),
    _at("received_at", nullable=False, now=True),
    Column("body", LargeBinary, nullable=False),
    Column("payload", JSONB),
    Column("external_id", Text),
    Column("verdict", Text, nullable=False),
    Column("reason", Text),
    Column("job_id", Uuid),
    CheckConstraint("verdict IN ('accepted','refused')", name="verdict"),
)
Index("ix_alert_hook_id_received_at", alert.c.hook_id, alert.c.received_at)

signal = Table(
    "signal",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("origin", Text, nullable=False),
    Column("alert_id", Uuid, ForeignKey("alert.id")),
    Column("strategy", Text),
    Column("account_id", BigInteger, ForeignKey("account.id"), nullable=False),
    Column("contract_id", Text, ForeignKey("contract.id")),
    Column("action", Text, nullable=False),
    Column("quantity", Integer),
    Column("verdict", Text, nullable=False),
    Column("reason", Text),
    Column("correlation_id", Uuid, nullable=False),
    _at("decided_at", nullable=False, now=True),
    _at("decided_market_at", nullable=False),
    CheckConstraint("verdict IN ('accepted','refused')", name="verdict"),
)
Index(
    "uq_signal_alert_id",
    signal.c.alert_id,
    signal.c.account_id,
    unique=True,
    postgresql_where=text("alert_id IS NOT NULL"),
)

orders = Table(
    "orders",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account_id", BigInteger, ForeignKey("account.id"), nullable=False),
    Column("contract_id", Text, ForeignKey("contract.id"), nullable=False),
    Column("client_order_id", Text),  # our customTag at the venue
    Column("venue_order_id", BigInteger),
    Column("parent_id", Uuid, ForeignKey("orders.id")),
    Column("signal_id", Uuid, ForeignKey("signal.id")),
    Column("origin", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("stop_loss_ticks", Integer),
    Column("take_profit_ticks", Integer),
    Column("limit_price", Numeric),
    Column("stop_price", Numeric),
    Column("trail_price", Numeric),  # where a trailing stop began
    Column("breakeven_ticks", Integer),  # profit from which the stop goes to the entry's price
    Column("trail_ticks", Integer),  # how far behind the best price the stop follows
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("filled_quantity", Integer, nullable=False, server_default="0"),
    Column("average_fill_price", Numeric),
    Column("correlation_id", Uuid, nullable=False),
    _at("expires_at"),
    _at("intended_at", nullable=False, now=True),
    _at("submitted_at"),  # of the last call to the venue
    _at("submitted_market_at"),
    _at("filled_market_at"),
    _at("changed_market_at"),  # by the venue's own word
    _at("updated_at", nullable=False, now=True),
    UniqueConstraint("account_id", "client_order_id"),
    UniqueConstraint("account_id", "venue_order_id"),
    CheckConstraint("quantity > 0", name="quantity"),
    CheckConstraint(
        "state IN ('INTENDED','SUBMITTING','UNKNOWN','SUSPENDED','WORKING','FILLED','CANCELLED','EXPIRED','REJECTED',"
        "'REFUSED')",
        name="state",
    ),
)
Index(
    "ix_orders_open",
    orders.c.account_id,
    orders.c.state,
    postgresql_where=text("state IN ('INTENDED','SUBMITTING','UNKNOWN','SUSPENDED','WORKING')"),
)
Index("ix_orders_correlation", orders.c.correlation_id)
Index("ix_orders_intended_at", orders.c.intended_at)
Index("ix_orders_account_id_intended_at", orders.c.account_id, orders.c.intended_at)
Index("ix_orders_parent_id", orders.c.parent_id, postgresql_where=text("parent_id IS NOT NULL"))

# A wish to cancel or modify an order; None leaves a part as it is.
order_change = Table(
    "order_change",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("order_id", Uuid, ForeignKey("orders.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("quantity", Integer),
    Column("limit_price", Numeric),
    Column("stop_price", Numeric),
    Column("state", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("reason", Text),
    Column("outcome", Text),
    Column("sent_count", Integer, nullable=False, server_default="0"),
    Column("correlation_id", Uuid, nullable=False),
    _at("intended_at", nullable=False, now=True),
    _at("submitted_at"),
    _at("settled_at"),
    CheckConstraint("kind IN ('CANCEL','MODIFY')", name="kind"),
    CheckConstraint("state IN ('INTENDED','SUBMITTING','UNKNOWN','DONE','OVERTAKEN','REJECTED')", name="state"),
)
Index("ix_order_change_order_id", order_change.c.order_id)

# A wish to be flat; open until the venue has said so.
flattening = Table(
    "flattening",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account_id", BigInteger, ForeignKey("account.id"), nullable=False),
    Column("contract_id", Text, ForeignKey("contract.id")),  # None: everything of the account
    Column("origin", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("sweep_count", Integer, nullable=False, server_default="0"),
    Column("progress", Text),
    Column("correlation_id", Uuid, nullable=False),
    _at("asked_at", nullable=False, now=True),
    _at("flat_at"),
)
Index("ix_flattening_open", flattening.c.account_id, postgresql_where=text("flat_at IS NULL"))

fill = Table(
    "fill",
    metadata,
    Column("account_id", BigInteger, ForeignKey("account.id"), primary_key=True),
    Column("venue_fill_id", BigInteger, primary_key=True),
    Column("order_id", Uuid, ForeignKey("orders.id")),
    Column("venue_order_id", BigInteger, nullable=False),
    Column("contract_id", Text, ForeignKey("contract.id"), nullable=False),
    Column("side", Text, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("price", Numeric, nullable=False),
    Column("gross_pnl", Numeric),
    Column("fees", Numeric, nullable=False),
    Column("commissions", Numeric, nullable=False),
    Column("is_voided", Boolean, nullable=False, server_default=text("false")),
    _at("filled_market_at", nullable=False),
    _at("recorded_at", nullable=False, now=True),
    _at("guarded_at"),  # when a working stop, or flat, was proven after it
    Column("guarded_by", Text),
    CheckConstraint("quantity > 0", name="quantity"),
)
Index("ix_fill_order_id", fill.c.order_id)
Index("ix_fill_unguarded", fill.c.account_id, fill.c.contract_id, postgresql_where=text("guarded_at IS NULL"))
Index("ix_fill_account_id_contract_id", fill.c.account_id, fill.c.contract_id, fill.c.venue_fill_id)

position = Table(
    "position",
    metadata,
    Column("account_id", BigInteger, ForeignKey("account.id"), primary_key=True),
    Column("contract_id", Text, ForeignKey("contract.id"), primary_key=True),
    Column("direction", Text, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("average_price", Numeric),
    _at("opened_market_at"),
    # What was held before the first fill that we count; fills after that one make the rest.
    Column("carried_quantity", Integer, nullable=False, server_default="0"),
    Column("carried_price", Numeric),
    Column("carried_until_fill_id", BigInteger, nullable=False, server_default="0"),
    _at("updated_at", nullable=False, now=True),
    CheckConstraint("direction IN ('LONG','SHORT','FLAT')", name="direction"),
    CheckConstraint("(direction = 'FLAT') = (quantity = 0)", name="flat"),
)

# --- what happened ------------------------------------------------------------------------------------------------

strategy_run = Table(
    "strategy_run",
    metadata,
    Column("strategy", Text, primary_key=True),
    Column("contract_id", Text, ForeignKey("contract.id"), primary_key=True),
    Column("closed_until_market_at", DateTime(timezone=True), primary_key=True),
    Column("decision", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("signal_id", Uuid, ForeignKey("signal.id")),
    Column("duration_ms", Numeric, nullable=False),
    _at("evaluated_at", nullable=False, now=True),
    CheckConstraint("decision IN ('BUY','SELL','none')", name="decision"),
)

api_call = Table(
    "api_call",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("endpoint", Text, nullable=False),
    Column("method", Text, nullable=False),
    _at("called_at", nullable=False),
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
