"""A market entry against a position: what it closes of that first, as an exit, and what it then opens."""

from decimal import Decimal
from math import ceil
from typing import NamedTuple

from shared.domain.orders.order import OrderType, Side


class Reversal(NamedTuple):
    """The contracts that a market entry closes of the position against it, and those that it then opens.

    `offset` is how many it does not open but closes if they come: those of entries before it that may still fill.
    """

    closing: int
    opening: int
    closes_all: bool
    offset: int = 0

    def offset_by(self, dropped: int | None, unconfirmed: int) -> "Reversal":
        """Return the reversal without the contracts of entries before it, dropped or unconfirmed; they offset its rest.

        It opens nothing if the number of those dropped is unknown.
        """
        offset = min(self.opening, unconfirmed)
        opening = 0 if dropped is None else max(0, self.opening - offset - dropped)
        return self._replace(opening=opening, offset=offset)

    def limit_to(self, most_opening: int | None) -> "Reversal":
        """Return the reversal that opens so many contracts at most; None does not limit it."""
        return self if most_opening is None else self._replace(opening=min(self.opening, most_opening))


class CloseProgress(NamedTuple):
    """How far the close of what an entry reverses has come; every count is of contracts.

    `closing` were held when it was requested, and `exited` are closed by its exits. `late` is what the entries before
    it that were not confirmed then have filled since, of which `offset` are closed too, and `entered` what all other
    orders on their side have filled since. `held` is what is held against the entry now.
    """

    closing: int
    offset: int
    exited: int
    held: int
    late: int = 0
    entered: int = 0

    @property
    def offset_late(self) -> int:
        """How many of those that came late are closed too."""
        return min(self.offset, self.late)

    @property
    def owed(self) -> int:
        """How many of those that are held its exits were to close and have not; some may have come later."""
        return max(0, min(self.closing + self.offset_late - self.exited, self.held))

    @property
    def missing(self) -> int:
        """How many are certainly still to be closed: all that has come since and is not to be closed counts as held.

        So what others have closed, such as a stop, a bracket or a person, counts as closed for the entry.
        """
        stays = self.entered + self.late - self.offset_late
        return max(0, min(self.owed, self.held - stays))


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
