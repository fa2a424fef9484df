"""A market entry against a position: what it closes of that first, as an exit, and what it then opens."""

from decimal import Decimal
from math import ceil
from typing import NamedTuple

from shared.domain.orders.order import OrderType, Side


class Reversal(NamedTuple):
    """The contracts that a market entry closes of the position against it, and those that it then opens.

    `offset` is how many it does not open as entries before it were dropped.
    """

    closing: int
    opening: int
    closes_all: bool
    offset: int = 0

    def offset_by(self, dropped: int | None) -> "Reversal":
        """Return the reversal without what so many dropped contracts offset; all of it if their number is unknown."""
        offset = self.opening if dropped is None else min(self.opening, dropped)
        return self._replace(opening=self.opening - offset, offset=offset)


def plan_reversal(side: Side, type_: OrderType, quantity: Decimal | int, held: int) -> Reversal | None:
    """Return what an entry closes before it opens; None if it is no market order, or against no position.

    `held` is negative when short. A quantity that is no whole number is that of a copy: what it closes is rounded up,
    and what it opens down.
    """
    against = -held * side.sign
    closing = min(against, ceil(quantity))
    if type_ is not OrderType.MARKET or closing < 1:
        return None
    return Reversal(closing, max(0, int(quantity) - against), closing == against)
