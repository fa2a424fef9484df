"""The tables of strategies: the accounts that trade one, and its decisions."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from shared.db.tables.metadata import at_column, metadata

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
    Column("account_id", BigInteger, ForeignKey("account.id")),  # None: no account traded the strategy then
    at_column("bars_corrected_at"),  # when a bar that it may have used was stored late or corrected
    Column("bars_source", Text),
    Column("bars_read_ms", Numeric),
    Column("bars_gap_minutes", Integer),
    CheckConstraint("bars_source IN ('memory','redis','postgres')", name="bars_source"),
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

Index("ix_strategy_run_newest", strategy_run.c.strategy, strategy_run.c.account_id, strategy_run.c.evaluated_at)
Index("ix_strategy_run_evaluated_at", strategy_run.c.evaluated_at)
Index("ix_strategy_run_contract", strategy_run.c.contract_id, strategy_run.c.closed_until_market_at)

# Switches set by a person; without any, the only tradable account trades the strategy.
strategy_account = Table(
    "strategy_account",
    metadata,
    Column("strategy", Text, primary_key=True),
    Column("account_id", BigInteger, ForeignKey("account.id"), primary_key=True),
    Column("is_on", Boolean, nullable=False),
    at_column("switched_at", nullable=False, now=True),
)
