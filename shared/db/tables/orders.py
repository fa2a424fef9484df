"""The tables of orders and their changes, of fills, positions, and flatten requests."""

from sqlalchemy import (
    ARRAY,
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
    and_,
    text,
)

from shared.db.tables.metadata import at_column, metadata
from shared.domain.orders.order import Role

IDS = ARRAY(BigInteger)  # ids of the venue as one parameter: the text of a statement does not depend on their number

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
    Column("trail_price", Numeric),  # start of a trailing stop
    Column("breakeven_ticks", Integer),  # profit from which the stop goes to the entry's price
    Column("trail_ticks", Integer),  # how far behind the best price the stop follows
    Column("target_position", Integer),  # of an exit: the position that it was to leave, if it had one
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("filled_quantity", Integer, nullable=False, server_default="0"),
    Column("average_fill_price", Numeric),
    Column("correlation_id", Uuid, nullable=False),
    at_column("expires_at"),
    at_column("created_at", nullable=False, now=True),
    at_column("submitted_at"),  # of the last call to the venue
    at_column("submitted_market_at"),
    at_column("accepted_at"),  # set by a trigger, of an order that we sent
    at_column("in_doubt_at"),  # of the first call without a clear answer: from then on it may be at the venue
    at_column("changed_market_at"),  # by the venue's timestamp, which a fill need not move
    at_column("updated_at", nullable=False, now=True),
    UniqueConstraint("account_id", "client_order_id"),
    UniqueConstraint("account_id", "venue_order_id"),
    CheckConstraint("quantity > 0", name="quantity"),
    CheckConstraint("breakeven_ticks > 0", name="breakeven_ticks"),
    CheckConstraint("trail_ticks > 0", name="trail_ticks"),
    CheckConstraint(
        "state IN ('CREATED','SUBMITTING','IN_DOUBT','SUSPENDED','WORKING','FILLED','CANCELLED','EXPIRED','REJECTED',"
        "'DENIED','SHADOW')",
        name="state",
    ),
)
# The order by which the venue closes a position for us has no tag.
IS_CLOSE = and_(orders.c.role == Role.EXIT.value, orders.c.client_order_id.is_(None))
Index(
    "ix_orders_open",
    orders.c.account_id,
    orders.c.state,
    postgresql_where=text("state IN ('CREATED','SUBMITTING','IN_DOUBT','SUSPENDED','WORKING')"),
)
Index("ix_orders_filled", orders.c.account_id, orders.c.updated_at, postgresql_where=text("filled_quantity > 0"))
Index("ix_orders_correlation", orders.c.correlation_id)
Index("ix_orders_created_at", orders.c.created_at)
Index("ix_orders_account_id_created_at", orders.c.account_id, orders.c.created_at)
Index("ix_orders_rejected", orders.c.updated_at, postgresql_where=text("state = 'REJECTED'"))
Index("ix_orders_parent_id", orders.c.parent_id, postgresql_where=text("parent_id IS NOT NULL"))

# A request to cancel or modify an order; None leaves a part as it is.
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
    at_column("created_at", nullable=False, now=True),
    at_column("submitted_at"),
    at_column("settled_at"),
    CheckConstraint("kind IN ('CANCEL','MODIFY')", name="kind"),
    CheckConstraint("state IN ('CREATED','SUBMITTING','IN_DOUBT','DONE','TOO_LATE','REJECTED')", name="state"),
)
Index("ix_order_change_order_id", order_change.c.order_id)
Index(
    "ix_order_change_open",
    order_change.c.order_id,
    postgresql_where=text("state IN ('CREATED','SUBMITTING','IN_DOUBT')"),
)

# What a market entry closes before it opens the rest; `request_id` is its alert, or the job of an entry without one.
entry_reversal = Table(
    "entry_reversal",
    metadata,
    Column("request_id", Uuid, primary_key=True),
    Column("account_id", BigInteger, ForeignKey("account.id"), primary_key=True),
    Column("contract_id", Text, nullable=False),
    Column("side", Text, nullable=False),  # of the entry: what it closes lies on the other
    Column("quantity_closing", Integer, nullable=False),
    Column("quantity_opening", Integer, nullable=False),
    Column("quantity_offset", Integer, nullable=False, server_default="0"),  # to close if unconfirmed entries fill
    Column("unconfirmed_ids", ARRAY(Uuid), nullable=False, server_default=text("'{}'")),  # their orders
    Column("unconfirmed_filled", Integer, nullable=False, server_default="0"),  # what those had filled then
    Column("closes_all", Boolean, nullable=False),  # all that was held against it, not a part
    at_column("requested_at", nullable=False, now=True),
    CheckConstraint("quantity_opening >= 0", name="quantity_opening"),
    CheckConstraint("quantity_offset >= 0", name="quantity_offset"),
)

# An entry of an alert or a strategy that waits for a person; requested_at is when its job was enqueued.
entry_approval = Table(
    "entry_approval",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account_id", BigInteger, ForeignKey("account.id"), nullable=False),
    Column("contract_id", Text, ForeignKey("contract.id"), nullable=False),
    Column("origin", Text, nullable=False),
    Column("alert_id", Uuid, ForeignKey("alert.id")),
    Column("strategy", Text),
    Column("reason", Text),
    Column("side", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("risk", Numeric),  # in dollars, if the quantity follows from it
    Column("target_position", Integer),
    Column("limit_price", Numeric),
    Column("stop_price", Numeric),
    Column("trail_price", Numeric),
    Column("stop_loss_ticks", Integer),
    Column("take_profit_ticks", Integer),
    Column("stop_loss", Numeric),
    Column("take_profit", Numeric),
    Column("breakeven_ticks", Integer),
    Column("trail_ticks", Integer),
    Column("correlation_id", Uuid, nullable=False),
    at_column("requested_at", nullable=False),
    at_column("asked_at", nullable=False, now=True),
    at_column("expires_at", nullable=False),
    Column("state", Text, nullable=False, server_default="WAITING"),
    at_column("decided_at"),
    Column("decided_by", Text),
    Column("decision_reason", Text),
    Column("outcome", Text),  # why an approved entry was not made
    Column("order_id", Uuid, ForeignKey("orders.id")),  # once it was approved and recorded, also if it was denied then
    Column("closed_first", Integer, nullable=False, server_default="0"),  # before: the quantity is the rest
    CheckConstraint("quantity > 0", name="quantity"),
    CheckConstraint("state IN ('WAITING','APPROVED','ORDERED','DENIED','EXPIRED','REJECTED','LAPSED')", name="state"),
    CheckConstraint("(state = 'WAITING') = (decided_at IS NULL)", name="decided_at"),
    CheckConstraint(
        "CASE WHEN order_id IS NULL THEN state <> 'ORDERED' ELSE state IN ('ORDERED','DENIED') END", name="order_id"
    ),
)
Index("ix_entry_approval_waiting", entry_approval.c.account_id, postgresql_where=text("state = 'WAITING'"))
Index(
    "uq_entry_approval_alert_id",
    entry_approval.c.alert_id,
    entry_approval.c.account_id,
    unique=True,
    postgresql_where=text("alert_id IS NOT NULL"),
)

# A request to be flat; open until the venue confirms flat.
flatten_request = Table(
    "flatten_request",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account_id", BigInteger, ForeignKey("account.id"), nullable=False),
    Column("contract_id", Text, ForeignKey("contract.id")),  # None: every contract of the account
    Column("origin", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("sweep_count", Integer, nullable=False, server_default="0"),
    Column("progress", Text),
    Column("correlation_id", Uuid, nullable=False),
    at_column("requested_at", nullable=False, now=True),
    at_column("swept_at"),  # when its last sweep began
    at_column("flat_at"),
    at_column("dropped_at"),  # by the protector, because another installation trades the account by now
)
Index("ix_flatten_request_correlation_id", flatten_request.c.correlation_id)
Index(
    "ix_flatten_request_open",
    flatten_request.c.account_id,
    postgresql_where=text("flat_at IS NULL AND dropped_at IS NULL"),
)

# No foreign keys: a lock that another session holds on the account must not stop a close.
contract_close = Table(
    "contract_close",
    metadata,
    Column("account_id", BigInteger, primary_key=True),
    Column("contract_id", Text, primary_key=True),
    at_column("sent_at", nullable=False, now=True),
    at_column("ended_at"),
    at_column("sent_market_at", nullable=False),
    Column("side", Text),  # of the order that closes, None if the direction of the position was not known
    Column("origin", Text, nullable=False),  # of the flatten request
    Column("correlation_id", Uuid, nullable=False),
)

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
    at_column("filled_market_at", nullable=False),
    at_column("recorded_at", nullable=False, now=True),
    at_column("guarded_at"),  # when a working stop, or flat, was proven after it
    Column("guarded_by", Text),
    CheckConstraint("quantity > 0", name="quantity"),
)
Index("ix_fill_order_id", fill.c.order_id)
Index("ix_fill_account_id_venue_order_id", fill.c.account_id, fill.c.venue_order_id)
Index("ix_fill_account_id_filled_market_at", fill.c.account_id, fill.c.filled_market_at)
Index("ix_fill_recorded_at", fill.c.recorded_at)
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
    at_column("opened_market_at"),
    Column("opened_by_fill_id", BigInteger),
    # The baseline: held after the fill baseline_until_fill_id and at baseline_until_market_at; later fills add to it.
    Column("baseline_quantity", Integer, nullable=False, server_default="0"),
    Column("baseline_price", Numeric),
    Column("baseline_until_fill_id", BigInteger, nullable=False, server_default="0"),
    at_column("baseline_until_market_at"),
    at_column("updated_at", nullable=False, now=True),
    CheckConstraint("direction IN ('LONG','SHORT','FLAT')", name="direction"),
    CheckConstraint("(direction = 'FLAT') = (quantity = 0)", name="flat"),
)
