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


def count_missing(*, closing: int, offset: int, exited: int, held: int, arrived: int, entered_later: int) -> int:
    """Return how many contracts are still to be closed of those that are `held` against an entry.

    `closing` were held when its close was requested. `arrived` is what the entries before it that were not confirmed
    then have filled since, of which `offset` are closed too. What was `entered_later` stays.
    """
    belongs = min(offset, arrived)
    return max(0, min(closing + belongs - exited, held - entered_later - (arrived - belongs)))
