"""The tables of notifications: what there is to tell, by which channel it was told, and what is wrong now."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from shared.db.tables.metadata import at_column, metadata

notification = Table(
    "notification",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("key", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("text", Text, nullable=False),
    at_column("happened_at", nullable=False),
    at_column("collected_at", nullable=False, now=True),
    UniqueConstraint("key", name="uq_notification_key"),
    CheckConstraint("level IN ('critical','warning','info')", name="level"),
)
Index("ix_notification_collected_at", notification.c.collected_at)

notification_delivery = Table(
    "notification_delivery",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("notification_id", BigInteger, ForeignKey("notification.id", ondelete="CASCADE"), primary_key=True),
    Column("attempt_count", Integer, nullable=False, server_default=text("0")),
    at_column("first_attempt_at"),
    at_column("next_attempt_at", nullable=False, now=True),
    at_column("sent_at"),
    at_column("given_up_at"),
    Column("error", Text),
)
Index("ix_notification_delivery_notification_id", notification_delivery.c.notification_id)
Index(
    "ix_notification_delivery_waiting",
    notification_delivery.c.channel,
    notification_delivery.c.next_attempt_at,
    postgresql_where=text("sent_at IS NULL AND given_up_at IS NULL"),
)

watched_fault = Table(
    "watched_fault",
    metadata,
    Column("name", Text, primary_key=True),
    at_column("since_at", nullable=False, now=True),
    at_column("notified_at"),
)

notification_progress = Table(
    "notification_progress",
    metadata,
    Column("is_only", Boolean, primary_key=True, server_default=text("true")),
    at_column("began_at"),
    at_column("collected_until_at", nullable=False),
    CheckConstraint("is_only", name="one_row"),
)
