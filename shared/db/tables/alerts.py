"""The tables of alerts: webhooks and their secrets, API tokens, the alerts received, and the signals to trade."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.db.tables.metadata import at_column, metadata

hook = Table(
    "hook",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("previous_token_hash", LargeBinary, unique=True),
    at_column("previous_token_until"),
    Column("account_id", BigInteger, ForeignKey("account.id"), nullable=False),
    Column("settings", JSONB, nullable=False, server_default="{}"),
    at_column("created_at", nullable=False, now=True),
    at_column("paused_at"),
    at_column("removed_at"),
    CheckConstraint("(previous_token_hash IS NULL) = (previous_token_until IS NULL)", name="previous_token"),
)

# The follower accounts, which trade the alerts of a hook too; the ratio of one that has left holds for those before.
hook_follower = Table(
    "hook_follower",
    metadata,
    Column("hook_id", Uuid, ForeignKey("hook.id"), primary_key=True),
    Column("account_id", BigInteger, ForeignKey("account.id"), primary_key=True),
    Column("ratio", Numeric, nullable=False, server_default="1"),  # of its sizes to those of the hook
    at_column("unfollowed_at"),
    CheckConstraint("ratio > 0 AND ratio <= 100", name="ratio"),
)

# What signs the requests of a hook; several at once while one is replaced.
hook_secret = Table(
    "hook_secret",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("hook_id", Uuid, ForeignKey("hook.id"), nullable=False, index=True),
    Column("scheme", Text, nullable=False),
    Column("secret", LargeBinary, nullable=False),
    at_column("created_at", nullable=False, now=True),
    at_column("expires_at"),
    CheckConstraint("scheme IN ('standard-webhooks','github','stripe')", name="scheme"),
)

# The tokens of programs that request jobs over HTTP, each for some job names.
api_token = Table(
    "api_token",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("job_names", ARRAY(Text), nullable=False),
    at_column("created_at", nullable=False, now=True),
    at_column("expires_at"),
    at_column("revoked_at"),
    at_column("used_at"),
)

alert = Table(
    "alert",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("hook_id", Uuid, ForeignKey("hook.id"), nullable=False),
    at_column("received_at", nullable=False, now=True),
    Column("body", LargeBinary, nullable=False),
    Column("payload", JSONB),
    Column("dialect", Text, nullable=False, server_default="tickwork"),
    Column("action", Text),
    Column("root", Text),
    at_column("sent_at"),
    Column("external_id", Text),
    Column("verdict", Text, nullable=False),
    Column("reason", Text),
    Column("job_id", Uuid),
    CheckConstraint("verdict IN ('accepted','refused')", name="verdict"),
)

Index("ix_alert_hook_id_received_at", alert.c.hook_id, alert.c.received_at)
Index("ix_alert_received_at", alert.c.received_at)
Index(
    "ix_alert_hook_id_root_id",
    alert.c.hook_id,
    alert.c.root,
    alert.c.id,
    postgresql_where=text("verdict = 'accepted'"),
)

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
    Column("figures", JSONB(none_as_null=True)),  # behind the verdict: shared/domain/risk/entry_figures.py
    Column("correlation_id", Uuid, nullable=False),
    at_column("decided_at", nullable=False, now=True),
    at_column("decided_market_at", nullable=False),
    CheckConstraint("verdict IN ('accepted','denied')", name="verdict"),
)

Index(
    "uq_signal_alert_id",
    signal.c.alert_id,
    signal.c.account_id,
    unique=True,
    postgresql_where=text("alert_id IS NOT NULL"),
)
