"""When the equity of an account first touches a limit while prices move; pure, for the simulator and for backtests."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from shared.domain.orders.matching import Move

_PRECISION = timedelta(milliseconds=1)  # of the instant of a touch


@dataclass(frozen=True, slots=True)
class Stake:
    """A position while its price follows `move`; `tick_value` is dollars per tick and contract."""

    quantity: int
    average_price: Fraction
    tick_value: Decimal
    move: Move

    def worth(self, price: int) -> Fraction:
        """Return the unrealised profit or loss in dollars at a price in ticks."""
        return self.quantity * (price - self.average_price) * Fraction(self.tick_value)


def first_touch(
    least: Decimal, balance: Decimal, stakes: Sequence[Stake], start: datetime, end: datetime
) -> datetime | None:
    """Return the first instant in [start, end] at which the equity is `least` or lower, or None.

    Equity is `balance` plus the unrealised results. Exact to a millisecond for one position; with several, a shorter
    dip may be missed.
    """
    threshold = Fraction(least) - Fraction(balance)
    if _equity(stakes, start) <= threshold:
        return start
    worst = sum(
        (min(stake.worth(stake.move.price_at(at)) for at in (start, end)) for stake in stakes), start=Fraction(0)
    )
    if worst > threshold:
        return None
    if end - start <= _PRECISION:
        return end if _equity(stakes, end) <= threshold else None
    middle = start + (end - start) / 2
    return first_touch(least, balance, stakes, start, middle) or first_touch(least, balance, stakes, middle, end)


def _equity(stakes: Sequence[Stake], at: datetime) -> Fraction:
    return sum((stake.worth(stake.move.price_at(at)) for stake in stakes), start=Fraction(0))
