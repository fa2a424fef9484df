"""The life of an order: its states, sides and types, in our words."""

from enum import StrEnum

MOST_TICKS = 999_999  # between an entry and its stop or target


class Side(StrEnum):
    """Which way an order goes."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL: what one contract adds to the net quantity."""
        return 1 if self is Side.BUY else -1


class Direction(StrEnum):
    """Which way a position lies."""

    LONG = "LONG"
    SHORT = "SHORT"
    FLAT = "FLAT"


class OrderType(StrEnum):
    """How an order is filled."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    TRAILING_STOP = "TRAILING_STOP"
    JOIN_BID = "JOIN_BID"  # a limit at the best bid of the moment it arrives
    JOIN_ASK = "JOIN_ASK"
    UNKNOWN = "UNKNOWN"


class OrderState(StrEnum):
    """Where an order stands. IN_DOUBT is settled by reconciliation alone."""

    CREATED = "CREATED"
    SUBMITTING = "SUBMITTING"
    IN_DOUBT = "IN_DOUBT"
    SUSPENDED = "SUSPENDED"
    WORKING = "WORKING"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    DENIED = "DENIED"

    @property
    def is_final(self) -> bool:
        """Whether nothing can happen to the order any more."""
        return self in _FINAL

    def may_become(self, target: "OrderState") -> bool:
        """Whether an order may go from here to `target`; the table order_transition holds the same moves."""
        return target in TRANSITIONS[self]


_FINAL = frozenset(
    {OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED, OrderState.DENIED}
)
_ENDS_AT_VENUE = frozenset({OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED})
_AT_VENUE = _ENDS_AT_VENUE | {OrderState.WORKING}

# Every move there is. The venue is right: what it shows of an order may come at any time before the order's end.
# An EXPIRED one may be an order that we gave up, and that the venue shows after all.
TRANSITIONS: dict[OrderState, frozenset[OrderState]] = {
    OrderState.CREATED: _AT_VENUE | {OrderState.SUBMITTING, OrderState.DENIED},
    OrderState.SUBMITTING: _AT_VENUE | {OrderState.CREATED, OrderState.IN_DOUBT},
    OrderState.IN_DOUBT: _AT_VENUE | {OrderState.CREATED},
    OrderState.SUSPENDED: _AT_VENUE,
    OrderState.WORKING: _ENDS_AT_VENUE | {OrderState.SUSPENDED},
    OrderState.EXPIRED: _AT_VENUE - {OrderState.EXPIRED},
    OrderState.FILLED: frozenset(),
    OrderState.CANCELLED: frozenset(),
    OrderState.REJECTED: frozenset(),
    OrderState.DENIED: frozenset(),
}


class ChangeKind(StrEnum):
    """What a change asks of an order."""

    CANCEL = "CANCEL"
    MODIFY = "MODIFY"


class ChangeState(StrEnum):
    """Where a change stands. TOO_LATE: the order ended otherwise first, as when a fill wins against a cancel."""

    CREATED = "CREATED"
    SUBMITTING = "SUBMITTING"
    IN_DOUBT = "IN_DOUBT"
    DONE = "DONE"
    TOO_LATE = "TOO_LATE"
    REJECTED = "REJECTED"

    @property
    def is_final(self) -> bool:
        """Whether the change is settled."""
        return self in {ChangeState.DONE, ChangeState.TOO_LATE, ChangeState.REJECTED}


class Role(StrEnum):
    """What an order is for."""

    ENTRY = "ENTRY"
    STOP_LOSS = "STOP_LOSS"
    TAKE_PROFIT = "TAKE_PROFIT"
    EXIT = "EXIT"
    OTHER = "OTHER"  # found at the venue, not ours


class Origin(StrEnum):
    """Who wished an order; EXTERNAL is one we found at the venue."""

    ALERT = "alert"
    STRATEGY = "strategy"
    MANUAL = "manual"
    PROTECTOR = "protector"
    EXTERNAL = "EXTERNAL"
