"""The tables of the Telegram bot: how far it has read, its users, its answers, and the flattens that it follows."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from shared.db.tables.metadata import at_column, metadata

telegram_bot = Table(
    "telegram_bot",
    metadata,
    Column("bot_id", BigInteger, primary_key=True, autoincrement=False),
    Column("next_update_id", BigInteger),
    at_column("updated_at"),  # when the newest update was handled
    at_column("polled_at"),  # the last answer of Telegram
    at_column("failing_since_at"),
    Column("error", Text),
    Column("ignored_count", BigInteger, nullable=False, server_default=text("0")),
)

telegram_user = Table(
    "telegram_user",
    metadata,
    Column("name", Text, primary_key=True),
    Column("telegram_id", BigInteger),
    Column("totp_secret", Text, nullable=False),
    Column("used_step", BigInteger),  # of the newest code: this and older ones count no more
    Column("pairing_hash", LargeBinary),
    at_column("pairing_expires_at"),
    at_column("paired_at"),
    Column("failed_count", Integer, nullable=False, server_default=text("0")),  # since the last right code
    at_column("locked_until_at"),
    Column("pending_act", Text),
    Column("pending_reason", Text),
    at_column("pending_until_at"),
    at_column("created_at", nullable=False, now=True),
    UniqueConstraint("telegram_id", name="uq_telegram_user_telegram_id"),
    CheckConstraint("pending_act IN ('halt','flatten')", name="pending_act"),
    CheckConstraint("(pending_act IS NULL) = (pending_until_at IS NULL)", name="pending_until_at"),
)

telegram_answer = Table(
    "telegram_answer",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("telegram_id", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
    at_column("created_at", nullable=False, now=True),
    at_column("expires_at", nullable=False),
)

telegram_flatten = Table(
    "telegram_flatten",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("telegram_id", BigInteger, nullable=False),
    Column("flatten_request_ids", ARRAY(Uuid), nullable=False),
    at_column("until_at", nullable=False),
    at_column("requested_at", nullable=False, now=True),
)
