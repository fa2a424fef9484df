"""Whether a quoted price can be true: on the tick grid, and confirmed by what was traded or by the other side.

Gateways have sent quotes with a price of 0, and some far from the market, which would end an account for good.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

TRADE_COUNTS_FOR = timedelta(seconds=60)  # how old the last trade may be when the quote comes
_NEAR = Decimal("0.005")  # of a price: the bid of a market that falls is no further from its last trade
_NEAR_TICKS = 40  # and no nearer, in ticks: what a thin market's spread may be
_FAR = Decimal("0.03")  # of a price: from an older trade


@dataclass(frozen=True, slots=True)
class QuotedPrice:
    """A side of a quote and what confirms it: the other side, and the last trade with its age when the quote came.

    Each is None if it is not known.
    """

    price: Decimal | None
    other_side: Decimal | None
    traded: Decimal | None
    traded_ago: timedelta | None

    def is_believed(self, tick_size: Decimal) -> bool:
        """Whether the price can be true: near the last trade, or if that is old, near the other side and not far off.

        A price without the other side and without a trade is not believed.
        """
        price = self.price
        if price is None or not _is_on_grid(price, tick_size):
            return False
        traded = self.traded if self.traded is not None and _is_on_grid(self.traded, tick_size) else None
        near = max(_NEAR * price, _NEAR_TICKS * tick_size)
        if traded is not None and self.traded_ago is not None and self.traded_ago <= TRADE_COUNTS_FOR:
            return abs(price - traded) <= near
        if traded is not None and abs(price - traded) > max(_FAR * traded, near):
            return False
        other = self.other_side
        return other is not None and _is_on_grid(other, tick_size) and abs(price - other) <= near


def _is_on_grid(price: Decimal, tick_size: Decimal) -> bool:
    return price > 0 and price % tick_size == 0
