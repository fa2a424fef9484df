"""The tables of accounts: the venue's reports of them, their trading days and events."""

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
    Interval,
    Numeric,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.db.tables.metadata import at_column, metadata

account = Table(
    "account",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("balance", Numeric, nullable=False),
    Column("can_trade", Boolean, nullable=False),
    Column("is_simulated", Boolean),
    at_column("halted_at"),
    Column("halt_reason", Text),
    Column(
        "is_reduce_only",  # the halt lets entries pass that only reduce
        Boolean,
        CheckConstraint("halted_at IS NOT NULL OR NOT is_reduce_only", name="is_reduce_only"),
        nullable=False,
        server_default=text("false"),
    ),
    at_column("reconciled_at"),
    at_column("compared_until_at"),  # the same, and a start leaves it
    at_column("reported_at"),  # when the venue reported its balance
    at_column("first_seen_at"),  # first comparison with the venue
    Column("live_orders", Boolean, nullable=False, server_default=text("false")),  # to the real venue
    at_column("live_since_at"),
    Column("is_shadow", Boolean, nullable=False, server_default=text("false")),  # entries are recorded, and not sent
    Column("is_approval_required", Boolean, nullable=False, server_default=text("false")),  # by a person
    Column("preset", Text),  # of its rules, chosen by a person; None: first_preset
    Column("first_preset", Text),  # by the account's name and the balance at which it was first seen
    Column("rule_changes", JSONB, nullable=False, server_default=text("'{}'")),
    Column("default_stop_ticks", Integer, CheckConstraint("default_stop_ticks > 0", name="default_stop_ticks")),
    Column("trading_day", Date),  # of day_opening_balance
    Column("day_opening_balance", Numeric),  # None: first seen in the middle of the day, and not computed yet
    Column("high_water_mark", Numeric),
    at_column("breached_market_at"),
    Column("locked_on", Date),  # the trading day on which the daily loss limit was reached
    Column("profit_locked_on", Date),  # the trading day on which the daily profit target was reached
    Column("week_locked_on", Date),  # first trading day of the week in which the weekly loss limit was reached
    # By rule, the worst value since it is marked, by the fills and without them: shared/domain/risk/marked_limits.py
    Column("marked_limits", JSONB),
    at_column("locked_out_until_market_at"),  # no entry before; a person may only prolong it
    Column("unexplained_balance", Numeric),  # beyond the day's opening balance and fills, once it has settled
    at_column("unsettled_since_at"),  # the last report of the balance before the one that changed it
    Column("pending_balance", Numeric),  # another unexplained amount: fills or a balance are on their way
    Column("pending_runs", Integer, nullable=False, server_default="0"),  # of the watch that have seen it
    Column("moved_today", Numeric, nullable=False, server_default="0"),  # by the firm; rows of balance_move
    Column("last_paid_on", Date),  # the trading day of an Express account's last payout
    Column("losses_seen", JSONB),  # by rule, what the last run of the watch saw and did: workers/risk/confirmation.py
    at_column("losses_seen_at"),
    # Runs of the watch in a row that found no price that can be true of a position.
    Column("unpriced_runs", Integer, nullable=False, server_default="0"),
    Column("block_reason", Text),  # why the watch blocks entries
    Column("other_installation", Text),  # of Tickwork, that placed an order on the account
    at_column("other_ordered_market_at"),  # the newest order of it, by the venue's timestamp
    at_column("other_gone_market_at"),  # a person said that it is gone: its orders until then count no more
    at_column("updated_at", nullable=False, now=True),
    CheckConstraint("NOT (live_orders AND is_shadow)", name="is_shadow"),
)

installation = Table(  # of Tickwork: this one, named in the tags of its orders
    "installation",
    metadata,
    Column("is_only", Boolean, primary_key=True, server_default=text("true")),
    Column("id", Text, nullable=False),
    at_column("began_at", nullable=False, now=True),  # since then every order with this id is in this database
    CheckConstraint("is_only", name="one_row"),
)

account_day = Table(
    "account_day",
    metadata,
    Column("account_id", BigInteger, ForeignKey("account.id"), primary_key=True),
    Column("trading_day", Date, primary_key=True),
    Column("opening_balance", Numeric, nullable=False),
    Column("closing_balance", Numeric, nullable=False),
    Column("moved", Numeric, nullable=False, server_default="0"),  # by the firm, no result of trading
    at_column("closed_at", nullable=False, now=True),
)

# Changes of a balance without a trade: payouts below zero, deposits above.
reduction = Table(  # the last one of each contract by the rule reduce_at
    "reduction",
    metadata,
    Column("account_id", BigInteger, ForeignKey("account.id"), primary_key=True),
    Column("contract_id", Text, primary_key=True),
    Column("trading_day", Date, nullable=False),
    Column("target_position", Integer, nullable=False),
    Column("correlation_id", Uuid, nullable=False),  # of its job and its exit
    at_column("requested_at", nullable=False, now=True),
)

balance_move = Table(
    "balance_move",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account_id", BigInteger, ForeignKey("account.id"), nullable=False),
    Column("trading_day", Date, nullable=False),
    Column("amount", Numeric, nullable=False),
    Column("origin", Text, nullable=False),  # found: no fill explains it; manual: a person says so
    at_column("recorded_at", nullable=False, now=True),
)

Index("ix_balance_move_account_id_id", balance_move.c.account_id, balance_move.c.id)

# The active risk monitor, while one runs or after it has died; a clean stop deletes the row.
risk_monitor = Table(
    "risk_monitor",
    metadata,
    Column("is_only", Boolean, primary_key=True, server_default=text("true")),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    at_column("active_since_at", nullable=False),
    at_column("ran_at", nullable=False),  # when its last run of the watch ended
    Column("run_count", Integer, nullable=False),  # of the last minute, as the delays
    Column("last_delay", Interval, nullable=False),  # how late a run began
    Column("p50_delay", Interval, nullable=False),
    Column("max_delay", Interval, nullable=False),
    CheckConstraint("is_only", name="one_row"),
)

# Apart from `account`, whose row an entry or a person may lock: only the watch writes it.
account_watch = Table(
    "account_watch",
    metadata,
    Column("account_id", BigInteger, ForeignKey("account.id"), primary_key=True),
    at_column("watched_at", nullable=False),  # when the last run of the watch that checked the account began
    Column("held", Text),  # position and entries then; None: nothing
)

account_event = Table(
    "account_event",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account_id", BigInteger, ForeignKey("account.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("message", Text, nullable=False),
    at_column("happened_at", nullable=False, now=True),
)

Index("ix_account_event_account_id_happened_at", account_event.c.account_id, account_event.c.happened_at)
# Of events that are deleted after a while: what people did, breaches and moves of the balance are kept for good.
Index(
    "ix_account_event_temporary",
    account_event.c.happened_at,
    postgresql_where=text("kind IN ('trail','unwatched','disk_low','receiver_unreachable','receiver_reachable')"),
)

# Acts of people, and of programs in their place; a trigger keeps every row as it is.
audit = Table(
    "audit",
    metadata,
    Column("id", Uuid, primary_key=True),
    at_column("happened_at", nullable=False, now=True),
    Column("who", Text, nullable=False),  # the user of the operating system
    Column("origin", Text, nullable=False),  # the program, and the computer
    Column("act", Text, nullable=False),
    # None: of no account, as of an API token. No foreign key: it locks the account, and a cancel must not wait for it.
    Column("account_id", BigInteger),
    Column("before", JSONB, nullable=False),
    Column("after", JSONB, nullable=False),
    Column("reason", Text),
)

Index("ix_audit_account_id_id", audit.c.account_id, audit.c.id)

account_snapshot = Table(
    "account_snapshot",
    metadata,
    Column("account_id", BigInteger, ForeignKey("account.id"), primary_key=True),
    Column("taken_market_at", DateTime(timezone=True), primary_key=True),
    Column("balance", Numeric, nullable=False),
    Column("can_trade", Boolean, nullable=False),
)
