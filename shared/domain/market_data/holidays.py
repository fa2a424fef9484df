"""The days on which a market opens late, closes early or does not open at all, as the reviewed table says."""

from dataclasses import dataclass
from datetime import date, time, timedelta

from shared.domain.counting import count_of
from shared.domain.market_data.holiday_table import DAYS, RULES
from shared.errors import OutsideCalendarError

FIRST_DAY, LAST_DAY = date(2018, 1, 1), date(2028, 12, 31)
_WARNED_BEFORE_END, _WARNED_BEFORE_DAY = timedelta(weeks=8), timedelta(weeks=1)
_UNPUBLISHED = "*"


@dataclass(frozen=True, slots=True)
class SpecialHours:
    """The hours in Chicago of one market on a special day; None means as on a regular day."""

    is_closed: bool = False
    opens: time | None = None
    closes: time | None = None


_REGULAR = SpecialHours()


def is_covered(day: date) -> bool:
    """Whether the table reaches the day."""
    return FIRST_DAY <= day <= LAST_DAY


def require_covered(day: date) -> None:
    """Raise OutsideCalendarError for a day that the table does not reach."""
    if not is_covered(day):
        raise OutsideCalendarError(
            f"no market hours for {day}: the holiday table reaches from {FIRST_DAY} to {LAST_DAY}; choose a date in "
            "it, or update Tickwork"
        )


def describe_doubts(today: date) -> str | None:
    """Return what is not known of the market hours of the days that come, with what to do; None if all is known.

    That is the end of the table, from 8 weeks before, and a day of the coming week whose hours were not published.
    """
    if today > LAST_DAY:
        return (
            f"no market hours are known after {LAST_DAY}: nothing is entered, and exits go by regular hours; update "
            "Tickwork"
        )
    doubts = [
        f"the exchange had not published its hours of {day} ({name}) when this version was made, so ours "
        "may be wrong: update Tickwork, or trade by the firm's holiday hours that day"
        for day, name in _UNPUBLISHED_DAYS.items()
        if today <= day <= today + _WARNED_BEFORE_DAY
    ]
    if LAST_DAY - today < _WARNED_BEFORE_END:
        left = count_of((LAST_DAY - today).days, "day")
        doubts.append(
            f"the holiday table ends on {LAST_DAY}, in {left}, and nothing is entered after it: update Tickwork before"
        )
    return "; ".join(doubts) or None


def special_hours_on(trading_day: date, group: str) -> SpecialHours:
    """Return what differs from the regular hours of `group` on a trading day, weekends aside."""
    hours = _RULES[_RULE_OF_DAY[trading_day]] if trading_day in _RULE_OF_DAY else None
    return _REGULAR if hours is None else hours[group]


def list_special_days(group: str) -> dict[date, SpecialHours]:
    """Return the days on which a group has other hours than on a regular day, oldest first."""
    found = {day: special_hours_on(day, group) for day in sorted(_RULE_OF_DAY)}
    return {day: hours for day, hours in found.items() if hours != _REGULAR}


def _parse_cell(cell: str) -> SpecialHours:
    if cell in {".", "-"}:
        return SpecialHours(is_closed=cell == "-")
    opens, dash, closes = cell.rpartition("-")
    assert bool(dash) is bool(opens)  # noqa: S101  # the table is ours
    return SpecialHours(
        opens=time.fromisoformat(opens) if opens else None, closes=time.fromisoformat(closes) if closes else None
    )


def _parse_rules(rows: list[str]) -> dict[str, dict[str, SpecialHours]]:
    groups = rows[0].split()[1:]
    parsed: dict[str, dict[str, SpecialHours]] = {}
    for row in rows[1:]:
        name, *cells = row.split()
        parsed[name] = dict(zip(groups, map(_parse_cell, cells), strict=True))
    return parsed


_RULES = _parse_rules(RULES.strip().splitlines())
_ROWS = [row.split(maxsplit=2) for row in DAYS.strip().splitlines()]
_RULE_OF_DAY = {date.fromisoformat(day): rule for day, rule, _ in _ROWS}
_UNPUBLISHED_DAYS = {
    date.fromisoformat(day): name.removesuffix(_UNPUBLISHED).strip()
    for day, _, name in _ROWS
    if name.endswith(_UNPUBLISHED)
}
