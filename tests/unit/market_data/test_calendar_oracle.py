"""Every session from 2018 to 2028 beside pandas_market_calendars, with the reason of each difference.

Where the two differ, venue.md section 8.5 says what ours stands on. A difference that is not listed fails, and so does
a listed one that is none any more.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

import pandas_market_calendars
import pytest

from shared.domain.market_data.calendar import CHICAGO, Session, calendar_of
from shared.domain.market_data.holidays import FIRST_DAY, LAST_DAY

CALENDARS = {
    "equity": "CME Globex Equity",
    "metals": "CMEGlobex_Metals",
    "energy": "CMEGlobex_Energy",
    "currency": "CMEGlobex_FX",
    "rates": "CME Globex Fixed Income",
    "crypto": "CME Globex Crypto",
    "grains": "CMEGlobex_Grains",
    "livestock": "CMEGlobex_Livestock",
}
# The same hours of its other calendar, which alone knows the pause of share indexes until June 2021.
PAUSES = {"equity": "CME_Equity", "grains": "CMEGlobex_Grains"}
CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Difference:
    """Days that differ for one reason: of each group our hours and those of the library, as `describe` has them."""

    reason: str
    days: str
    hours: dict[str, tuple[str, str]]


DIFFERENCES = [
    Difference(
        "every Good Friday since 2023 is taken for one with an employment report; these had none, or will have none",
        "2024-03-29 2025-04-18 2027-03-26 2028-04-14",
        {
            "equity": (CLOSED, "17:00-08:15"),
            "currency": (CLOSED, "17:00-10:15"),
            "rates": (CLOSED, "17:00-10:15"),
            "crypto": (CLOSED, "17:00-10:15"),
        },
    ),
    Difference(
        "the day of mourning for President Bush is not in these calendars",
        "2018-12-05",
        {"equity": ("17:00-08:30", "17:00-16:00"), "rates": (CLOSED, "17:00-16:00")},
    ),
    Difference(
        "the day of mourning for President Carter is not in these calendars",
        "2025-01-09",
        {
            "equity": ("17:00-08:30", "17:00-16:00"),
            "rates": ("17:00-12:15", "17:00-16:00"),
            "grains": ("19:00-12:15", "19:00-13:20"),
            "livestock": ("08:30-12:15", "08:30-13:05"),
        },
    ),
    Difference(
        "on Labor Day its metals and energy kept the hours of until 2021, but for the corrected 2026",
        "2022-09-05 2023-09-04 2024-09-02 2025-09-01 2027-09-06 2028-09-04",
        dict.fromkeys(("metals", "energy"), ("17:00-13:30", "17:00-12:00")),
    ),
    Difference(
        "Christmas Eve is no early close of its metals and energy, but for the corrected 2026",
        "2018-12-24 2019-12-24 2020-12-24 2024-12-24 2025-12-24",
        dict.fromkeys(("metals", "energy"), ("17:00-12:45", "17:00-16:00")),
    ),
    Difference(
        "the later close on the day after Thanksgiving is since 2025; its metals and energy have it in 2026 only",
        "2025-11-28 2027-11-26 2028-11-24",
        dict.fromkeys(("metals", "energy"), ("17:00-13:45", "17:00-12:45")),
    ),
    Difference(
        "the later close on the day after Thanksgiving is since 2025; its currencies and crypto do not have it",
        "2025-11-28 2026-11-27 2027-11-26 2028-11-24",
        {"currency": ("17:00-13:45", "17:00-12:15"), "crypto": ("17:00-13:45", "17:00-12:45")},
    ),
    Difference(
        "the later close on Christmas Eve is since 2024, and its crypto does not have it",
        "2024-12-24",
        {"crypto": ("17:00-12:45", "17:00-12:15")},
    ),
    Difference(
        "the later close on Christmas Eve is since 2025, and its currencies and crypto do not have it",
        "2025-12-24 2026-12-24",
        dict.fromkeys(("currency", "crypto"), ("17:00-12:45", "17:00-12:15")),
    ),
    Difference(
        "a holiday on a Friday ends at noon; its metals and energy have that in 2026 only",
        "2025-07-04 2027-06-18",
        dict.fromkeys(("metals", "energy"), ("17:00-12:00", "17:00-13:30")),
    ),
    Difference(
        "a holiday on a Friday ends at noon; its currencies and crypto take it for one on another day",
        "2025-07-04 2026-06-19 2026-07-03 2027-06-18",
        dict.fromkeys(("currency", "crypto"), ("17:00-12:00", "17:00-16:00")),
    ),
    Difference(
        "crypto no longer closes with share indexes on the eve of Independence Day",
        "2024-07-03 2025-07-03 2028-07-03",
        {"crypto": ("17:00-16:00", "17:00-12:15")},
    ),
    Difference(
        "Juneteenth is no holiday of its agriculture",
        "2022-06-20 2023-06-19 2024-06-19 2025-06-19 2026-06-19 2027-06-18 2028-06-19",
        {"grains": (CLOSED, "19:00-13:20"), "livestock": (CLOSED, "08:30-13:05")},
    ),
    Difference(
        "the eve of Independence Day is no early close of its agriculture; it was one until 2020",
        "2018-07-03 2019-07-03 2020-07-02",
        {"grains": ("19:00-12:05", "19:00-13:20"), "livestock": ("08:30-12:05", "08:30-13:05")},
    ),
    Difference(
        "its grains have no early close on Christmas Eve",
        "2018-12-24 2019-12-24 2020-12-24 2024-12-24 2025-12-24 2026-12-24",
        {"grains": ("19:00-12:05", "19:00-13:20")},
    ),
    Difference(
        "its grains know neither the late opening nor the early close of the day after Thanksgiving",
        "2018-11-23 2019-11-29 2020-11-27 2021-11-26 2022-11-25 2023-11-24 2024-11-29 2025-11-28 2026-11-27 2027-11-26 "
        "2028-11-24",
        {"grains": ("08:30-12:05", "19:00-13:20")},
    ),
    Difference(
        "its grains open on the evening of New Year, Independence Day and Christmas; they open on the next morning",
        "2018-01-02 2018-07-05 2018-12-26 2019-01-02 2019-07-05 2019-12-26 2020-01-02 2021-07-06 2022-07-05 2022-12-27 "
        "2023-01-03 2023-07-05 2023-12-26 2024-01-02 2024-07-05 2024-12-26 2025-01-02 2025-12-26 2026-01-02 2027-07-06 "
        "2028-07-05 2028-12-26",
        {"grains": ("08:30-13:20", "19:00-13:20")},
    ),
]


def list_days() -> list[date]:
    return [FIRST_DAY + number * timedelta(days=1) for number in range((LAST_DAY - FIRST_DAY).days + 1)]


def describe(trading_day: date, opens: datetime, closes: datetime) -> str:
    """Return the hours in Chicago; an opening before noon must be of the trading day, a later one of the day before."""
    opens, closes = opens.astimezone(CHICAGO), closes.astimezone(CHICAGO)
    evening_before = opens.hour >= 12
    assert trading_day - timedelta(days=evening_before) == opens.date()
    assert trading_day == closes.date()
    return f"{opens:%H:%M}-{closes:%H:%M}"


def our_hours(session: Session | None) -> str:
    return CLOSED if session is None else describe(session.trading_day, session.opens, session.closes)


@cache
def sessions_of(calendar: str) -> dict[date, dict[str, datetime]]:
    """Return the rows of the library's schedule of all years, by trading day."""
    schedule: Any = pandas_market_calendars.get_calendar(calendar).schedule(str(FIRST_DAY), str(LAST_DAY))
    return {
        day.date(): {name: value.to_pydatetime() for name, value in row.items()}
        for day, row in zip(schedule.index, schedule.to_dict("records"), strict=True)
    }


def their_hours(calendar: str, trading_day: date) -> str:
    row = sessions_of(calendar).get(trading_day)
    return CLOSED if row is None else describe(trading_day, row["market_open"], row["market_close"])


def listed(group: str) -> dict[date, tuple[str, str]]:
    return {
        date.fromisoformat(day): difference.hours[group]
        for difference in DIFFERENCES
        if group in difference.hours
        for day in difference.days.split()
    }


@pytest.mark.parametrize("group", CALENDARS)
def test_every_session_opens_and_closes_as_in_the_library_but_for_the_listed_differences(group: str) -> None:
    found = {}
    for day in list_days():
        ours, theirs = our_hours(calendar_of(group).session_on(day)), their_hours(CALENDARS[group], day)
        if ours != theirs:
            found[day] = (ours, theirs)

    assert listed(group) == found


@pytest.mark.parametrize("group", PAUSES)
def test_every_session_pauses_as_in_the_library(group: str) -> None:
    for day, row in sessions_of(PAUSES[group]).items():
        session = calendar_of(group).session_on(day)
        if session is None or day in listed(group):
            continue
        start, end = row["break_start"], row["break_end"]
        theirs = [(start, end)] if start < end < row["market_close"] else []
        assert theirs == [(pause.start, pause.end) for pause in session.pauses], day


def test_no_difference_is_listed_twice() -> None:
    entries = [
        (group, day) for difference in DIFFERENCES for group in difference.hours for day in difference.days.split()
    ]

    assert len(entries) == len(set(entries))
