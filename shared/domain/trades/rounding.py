"""The rounding of exact results and prices of round trips."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

CENT = Decimal("0.01")
PRICE_STEP = Decimal("0.0000000001")  # an average lies between ticks; the smallest tick, of 6J, has seven decimals


def average_price(prices: Sequence[tuple[Decimal, int]]) -> Decimal:
    """Return the average of prices with their quantities, at least one, to PRICE_STEP."""
    total = sum((Fraction(price) * quantity for price, quantity in prices), start=Fraction(0))
    average = round_to(total / sum(quantity for _, quantity in prices), PRICE_STEP)
    return Decimal(f"{average.normalize():f}")  # without the zeros at its end, and without an exponent


def round_to(value: Fraction, step: Decimal) -> Decimal:
    """Return an exact value rounded half-even to `step`."""
    steps = round(value / Fraction(step))  # of Fractions, round is half-even and exact
    return steps * step
