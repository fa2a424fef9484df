"""A market entry beyond the position against it: what it closes first, as an exit, and what it then opens."""

from decimal import Decimal
from typing import NamedTuple

from shared.domain.orders.order import OrderType, Side


class Reversal(NamedTuple):
    """The contracts that a market entry closes of the position against it, and those that it then opens."""

    closing: int
    opening: int


def plan_reversal(side: Side, type_: OrderType, quantity: Decimal | int, held: int) -> Reversal | None:
    """Return what an entry closes before it opens; None if it is no market order, or beyond no position.

    `held` is negative when short. A quantity that is no whole number is that of a copy: it may close all and leave less
    than one contract to open.
    """
    against = -held * side.sign
    if type_ is not OrderType.MARKET or not 0 < against < quantity:
        return None
    return Reversal(against, int(quantity) - against)
