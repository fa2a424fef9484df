"""The copy ratio of a follower account: what the sizes of an alert are on that account."""

import re
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal

from shared.domain.alerts.alert import Alert
from shared.domain.alerts.fields import MAX_CONTRACTS
from shared.domain.counting import count_of
from shared.errors import RefusedError

SAME = Decimal(1)
_MOST = 100
_RATIO = re.compile(r"[0-9]{1,3}(\.[0-9]{1,4})?")


def parse_ratio(text: str) -> Decimal:
    """Return the ratio in a text; raise RefusedError unless it is above 0, at most 100, with up to four decimals."""
    ratio = Decimal(text) if _RATIO.fullmatch(text) else Decimal(0)
    if not 0 < ratio <= _MOST:
        raise RefusedError(
            f"invalid copy ratio {text!r}: expected a number above 0, at most {_MOST}, with up to four decimals, such "
            "as 0.5"
        )
    return ratio


def scale_alert(alert: Alert, ratio: Decimal) -> Alert:
    """Return the alert as an account with this ratio trades it, but for the size of an entry that is no position.

    A position is rounded toward zero, so it may be 0. A part that an exit closes is rounded up: as entries are rounded
    down, the copy of a chart that becomes flat holds nothing either. See `scale_entry` for the size of an entry.
    """
    if ratio == SAME:
        return alert
    target_position = alert.target_position
    if target_position is not None:
        if abs(target_position) < MAX_CONTRACTS:  # that leaves all of a direction
            target_position = int(target_position * ratio)
        quantity = None if alert.quantity is None else abs(target_position) or None
        return replace(alert, target_position=target_position, quantity=quantity)
    if alert.action.is_entry or alert.quantity is None:
        return alert
    return replace(alert, quantity=_round_up(alert.quantity * ratio))


def scale_entry(exact: Decimal, against: int) -> int:
    """Return the size of an entry that is no position, rounded toward zero.

    `against` is the position that it makes smaller, 0 for none: what closes of it is an exit, and is rounded up.
    """
    return max(int(exact), min(_round_up(exact), against))


@dataclass(frozen=True, slots=True)
class OwnPart:
    """What an order does on the hook's own account: the contracts it closes of what is against it, and those it opens.

    `opening` is None if it opens what its risk allows, and closes nothing. Which of several orders of one side closes
    and which opens may differ between the accounts: `opening_beside` is what the others open there, `copied_beside`
    what they have opened on the account in question, and `has_undecided` says that some of them are not decided.
    """

    closing: int
    opening: int | None
    opening_beside: int = 0
    copied_beside: int = 0
    has_undecided: bool = False

    @classmethod
    def of(cls, quantity: int, against: int) -> "OwnPart":
        """Return the part of an order of a size; `against` is the position that it makes smaller, 0 for none."""
        closing = min(quantity, max(0, against))
        return cls(closing, quantity - closing)

    @property
    def quantity(self) -> int | None:
        """The size of the order, None if it follows from its risk."""
        return None if self.opening is None else self.closing + self.opening


UNKNOWN = OwnPart(0, 0)  # nothing is opened while it is not known what is opened there


@dataclass(frozen=True, slots=True)
class CopyOrder:
    """The order of an entry that is no position, on one account.

    `quantity` is that of the order on the hook's own account, None by risk. `held` is the position that it makes
    smaller, 0 for none, and `resting` what rests on its side. `part` is what it does on the hook's own account, None if
    that does not matter.
    """

    quantity: int | None
    ratio: Decimal
    is_market: bool
    held: int
    resting: int = 0
    part: OwnPart | None = None

    @property
    def most_opening(self) -> int | None:
        """The share of the account in what is opened, rounded toward zero; None if only its own size limits it."""
        if self.part is None or self.part.opening is None:
            return None
        share = int((self.part.opening + self.part.opening_beside) * self.ratio)
        return max(0, share - self.part.copied_beside)

    @property
    def exact(self) -> Decimal | None:
        """The size before it is rounded and limited, None if it follows from the risk of the account.

        Of an order by risk that closes something on the hook's own account, it is the ratio of its size there.
        """
        quantity = self.quantity
        if quantity is None and self.part is not None and self.part.closing:
            quantity = self.part.quantity
        return None if quantity is None else quantity * self.ratio

    @property
    def size(self) -> int | None:
        """The contracts of the order, None if they follow from the risk of the account; 0 enters nothing.

        What a market order makes smaller is rounded up; one that rests counts beside those that rest on its side.
        """
        free = self.held if self.is_market else max(0, self.held - self.resting)
        if self.exact is None:
            is_closing = self.most_opening == 0 and not (self.is_market and self.held)
            return free if is_closing else None
        size = scale_entry(self.exact, free)
        return size if self.most_opening is None else min(size, self.held + self.most_opening)

    @property
    def is_cut(self) -> bool:
        """Whether it would open more on its own."""
        return self.size != replace(self, part=None).size


def may_round(quantity: int, ratio: Decimal) -> bool:
    """Whether the size of an entry is no whole number of contracts, so that it depends on the position."""
    return quantity * ratio % 1 != 0


def describe_ratio(alert: Alert, ratio: Decimal) -> str | None:
    """Return the ratio for the record of an alert whose sizes it changes, None if it changes none."""
    is_sized = alert.action.is_entry or (alert.quantity, alert.target_position) != (None, None)
    if ratio == SAME or not is_sized:
        return None
    rest = " of the position is less than one contract" if alert.target_position == 0 else ""
    return f"copy ratio {ratio:f}{rest}"


def describe_empty_copy(order: CopyOrder) -> str:
    """Return that a copy has no contract, so that nothing is entered."""
    opening = None if order.part is None else order.part.opening
    if order.part == UNKNOWN:
        return "it was not known in time what the hook's own account opens with it: nothing is entered"
    if opening == 0:
        return "the hook's own account opens nothing with it: nothing is entered"
    if opening is not None and (order.quantity is None or opening < order.quantity):
        return (
            f"copy ratio {order.ratio:f} of the {count_of(opening, 'contract')} that the hook's own account opens with "
            "it is less than one contract: nothing is entered"
        )
    sent = count_of(order.quantity or 0, "contract")
    return f"copy ratio {order.ratio:f} of {sent} is less than one contract: nothing is entered"


def _round_up(exact: Decimal) -> int:
    return int(exact.to_integral_value(ROUND_CEILING))
