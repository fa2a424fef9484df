"""The copy ratio of a follower account: what the sizes of an alert are on that account."""

import re
from dataclasses import replace
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


def scale_entry(quantity: int, ratio: Decimal, against: int) -> int:
    """Return the size of an entry that is no position, rounded toward zero.

    `against` is the position that it makes smaller, 0 for none: what closes of it is an exit, and is rounded up.
    """
    exact = quantity * ratio
    return max(int(exact), min(_round_up(exact), against))


def scale_opening(opening: int | None, ratio: Decimal) -> int | None:
    """Return the share of a copy in what the hook's own account opens, rounded toward zero; None if none limits it."""
    return None if opening is None else int(opening * ratio)


def has_rounded_sizes(ratio: Decimal) -> bool:
    """Whether a copy ratio rounds some sizes, so that the copy may hold less than its share, or nothing."""
    return ratio % 1 != 0


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


def describe_empty_copy(quantity: int, ratio: Decimal, opening: int | None = None) -> str:
    """Return that a copy has no contract, so that nothing is entered."""
    if opening is not None and opening < quantity:
        return (
            f"copy ratio {ratio:f} of the {count_of(opening, 'contract')} that the hook's own account opens with it is "
            "less than one contract: nothing is entered"
        )
    return f"copy ratio {ratio:f} of {count_of(quantity, 'contract')} is less than one contract: nothing is entered"


def _round_up(exact: Decimal) -> int:
    return int(exact.to_integral_value(ROUND_CEILING))
