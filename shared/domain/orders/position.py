"""The net position of one account in one contract, and the effect of each fill on it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from shared.domain.orders.order import Direction, Side, direction_of

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Position:
    """Net quantity, above zero when long, and its exact average price in ticks (zero when flat)."""

    quantity: int = 0
    average_price: Fraction = Fraction(0)

    @property
    def direction(self) -> Direction:
        """LONG, SHORT or FLAT, by the sign of the quantity."""
        return direction_of(self.quantity)


@dataclass(frozen=True, slots=True)
class Baseline:
    """What was held at an instant by the venue, where the known fills make something else; above zero when long."""

    quantity: int
    market_at: datetime


def show_position(quantity: int) -> str:
    """Return a signed quantity as messages have it: `+2`, `-1`, or `nothing`."""
    return f"{quantity:+}" if quantity else "nothing"


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a fill that only opens (`realised` is None) or only closes.

    `realised` is the gross result in ticks, over all contracts of the part, before fees.
    """

    quantity: int
    realised: Fraction | None


def apply_fill(position: Position, side: Side, quantity: int, price: int) -> tuple[Position, tuple[Part, ...]]:
    """Return the position after a fill at `price` ticks, and the fill's parts: a reversal closes, then opens.

    Opening more moves the average; closing keeps it. Raise ValueError for a quantity of 0 or less.
    """
    if quantity <= 0:
        raise ValueError(f"invalid fill quantity {quantity}: expected a whole number of contracts above 0")
    is_against = position.quantity * side.sign < 0
    closing = min(quantity, abs(position.quantity)) if is_against else 0
    opening = quantity - closing
    parts = []
    if closing:
        gain = (price - position.average_price) * -side.sign
        parts.append(Part(closing, gain * closing))
    if opening:
        parts.append(Part(opening, None))
    net = position.quantity + side.sign * quantity
    if net == 0:
        return Position(), tuple(parts)
    if closing and not opening:
        return Position(net, position.average_price), tuple(parts)
    held = 0 if closing else abs(position.quantity)
    average = (position.average_price * held + price * opening) / (held + opening)
    return Position(net, average), tuple(parts)


def to_dollars(realised: Fraction, tick_value: Decimal) -> Decimal:
    """Return a result in ticks as dollars, rounded half-even to the cent; `tick_value` is dollars per tick."""
    numerator, denominator = realised.as_integer_ratio()
    return (numerator * tick_value / denominator).quantize(_CENT, ROUND_HALF_EVEN)
