"""The life of an order: its states, sides and types, in our own terms."""

from enum import StrEnum

# Between an entry and its stop or target. The venue rejects a nearer one; source: venue.md section 5.6.
MIN_TICKS, MAX_TICKS = 4, 999_999


class Side(StrEnum):
    """The side of an order."""

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
    """The direction of a position."""

    LONG = "LONG"
    SHORT = "SHORT"
    FLAT = "FLAT"

    @property
    def sign(self) -> int:
        """+1 for LONG, -1 for SHORT, 0 for FLAT: of the net quantity."""
        return {Direction.LONG: 1, Direction.SHORT: -1, Direction.FLAT: 0}[self]


def direction_of(quantity: int) -> Direction:
    """Return the direction of a position with this net quantity."""
    return Direction.LONG if quantity > 0 else Direction.SHORT if quantity < 0 else Direction.FLAT


def closing_side_of(direction: Direction | None) -> Side | None:
    """Return the side of an order that closes a position in this direction; None if that is not known, or flat."""
    return {Direction.LONG: Side.SELL, Direction.SHORT: Side.BUY}.get(direction or Direction.FLAT)


class OrderType(StrEnum):
    """The type of an order: how it fills."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    TRAILING_STOP = "TRAILING_STOP"
    JOIN_BID = "JOIN_BID"  # a limit at the best bid of the moment it arrives
    JOIN_ASK = "JOIN_ASK"
    UNKNOWN = "UNKNOWN"


STOP_TYPES = frozenset({OrderType.STOP, OrderType.TRAILING_STOP})
# The field with the price of an order; an order of another type has none of these.
PRICE_FIELDS = {OrderType.LIMIT: "limit_price", OrderType.STOP: "stop_price", OrderType.TRAILING_STOP: "trail_price"}


class OrderState(StrEnum):
    """The state of an order. Only the venue resolves IN_DOUBT: by a search for its tag, or by an execution report.

    SHADOW is an entry that would have been sent and never is: its account was in shadow mode when it was recorded.
    """

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
    SHADOW = "SHADOW"

    @property
    def is_final(self) -> bool:
        """Whether the order has ended; only the venue can still revive an EXPIRED one."""
        return self in _FINAL

    def may_become(self, target: "OrderState") -> bool:
        """Whether an order may go from this state to `target`; the table order_transition has the same rows."""
        return target in TRANSITIONS[self]


_ENDS_AT_VENUE = frozenset({OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED})
NEVER_SENT = frozenset({OrderState.DENIED, OrderState.SHADOW})
_FINAL = _ENDS_AT_VENUE | NEVER_SENT
_AT_VENUE = _ENDS_AT_VENUE | {OrderState.WORKING}

NOT_CONFIRMED = frozenset({OrderState.SUBMITTING, OrderState.IN_DOUBT})  # it may be at the venue, or not
OPEN_AT_VENUE = frozenset({OrderState.WORKING, OrderState.SUSPENDED})

# Every transition. The venue is the authority: it may report any state of its own at any time before an order ends.
# An EXPIRED order may be one that we gave up and that the venue reports after all.
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
    OrderState.SHADOW: frozenset(),
}


class ChangeKind(StrEnum):
    """The kind of a change to an order."""

    CANCEL = "CANCEL"
    MODIFY = "MODIFY"


class ChangeState(StrEnum):
    """The state of a change.

    TOO_LATE: the order ended another way first, as when a fill wins against a cancel; or it was not sent, because
    another installation trades the account by now. REJECTED: by the venue, or given
    up because the venue did not confirm it in time (15 s; a cancel 10 min), so that only the order says what happened.
    """

    CREATED = "CREATED"
    SUBMITTING = "SUBMITTING"
    IN_DOUBT = "IN_DOUBT"
    DONE = "DONE"
    TOO_LATE = "TOO_LATE"
    REJECTED = "REJECTED"

    @property
    def is_final(self) -> bool:
        """Whether the change has ended."""
        return self in {ChangeState.DONE, ChangeState.TOO_LATE, ChangeState.REJECTED}


class Role(StrEnum):
    """The purpose of an order."""

    ENTRY = "ENTRY"
    STOP_LOSS = "STOP_LOSS"
    TAKE_PROFIT = "TAKE_PROFIT"
    EXIT = "EXIT"
    OTHER = "OTHER"  # found at the venue, not ours


class Origin(StrEnum):
    """The source of an order; EXTERNAL is an order found at the venue that we did not submit."""

    ALERT = "alert"
    STRATEGY = "strategy"
    MANUAL = "manual"
    PROTECTOR = "protector"
    EXTERNAL = "external"
