"""Gaps of the watch: what an account held while nothing checked it, as while the computer slept."""

from datetime import datetime, timedelta

from shared.domain.orders.order import Direction, direction_of
from shared.domain.risk.account_risk import AccountRisk

LONGEST_PAUSE = timedelta(seconds=30)  # machine time between two runs of the watch, which runs each second
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def describe_held(risk: AccountRisk) -> str | None:
    """Return what an account holds and what protects it at the venue; None for one without position and entry."""
    held = [f"{abs(one.quantity)} {one.root} {_way(one.quantity)}" for one in risk.holdings if one.quantity]
    entries = [f"a working {one.side.lower()} of {one.quantity} {one.root}" for one in risk.open_entries]
    if not held and not entries:
        return None
    unprotected = sum(one.unprotected for one in risk.holdings)
    notes = []
    if unprotected:
        notes.append(f"{unprotected} of it had no stop at the venue")
    elif held:
        notes.append("the stops at the venue stood")
    if entries:
        notes.append(
            "the venue may have filled the entry" if len(entries) == 1 else "the venue may have filled entries"
        )
    return f"{' and '.join([*held, *entries])}: {', and '.join(notes)}"


def describe_gap(since: datetime, until: datetime, held_then: str | None, holds_now: str | None) -> str | None:
    """Return the message for an account that was not watched between two runs; None if it held nothing."""
    span = f"not watched from {_span(since, until)} UTC ({describe_duration(until - since)})"
    if held_then is not None:
        return f"{span} while it held {held_then}"
    return None if holds_now is None else f"{span}, and it holds {holds_now}"


def describe_duration(duration: timedelta) -> str:
    """Return a duration in its two largest units at most, such as `45 s`, `29 min`, `5 h 10 min` and `3 d 4 h`."""
    if duration < 2 * _MINUTE:
        return f"{duration // timedelta(seconds=1)} s"
    if duration < 2 * _HOUR:
        return f"{duration // _MINUTE} min"
    if duration < 2 * _DAY:
        return f"{duration // _HOUR} h {duration % _HOUR // _MINUTE} min"
    return f"{duration // _DAY} d {duration % _DAY // _HOUR} h"


def _span(since: datetime, until: datetime) -> str:
    if since.date() == until.date():
        return f"{since:%H:%M:%S} to {until:%H:%M:%S}"
    return f"{since:%Y-%m-%d %H:%M:%S} to {until:%Y-%m-%d %H:%M:%S}"


def _way(quantity: int) -> str:
    return "long" if direction_of(quantity) is Direction.LONG else "short"
