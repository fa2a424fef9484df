"""The days on which a market closes early or not at all: a reviewed table, 2018 to 2028."""

from datetime import date, time

from shared.errors import OutsideCalendarError

# Closing times in Chicago of one trading day, per set of groups: "-" means closed all day, "." a regular day.
# Source: CME Globex holiday calendars as published per holiday; tests compare 2022-04 and 2024-12 with recorded bars.
# Metals and energy closed at 12:00 on most holidays until 2021 (venue.md section 7.6). 2027 and 2028 follow the rules
# of the years before. The table lacks closures at short notice; extend it every year.
FIRST_DAY, LAST_DAY = date(2018, 1, 1), date(2028, 12, 31)
_COLUMNS = {
    "equity": 0,
    "metals": 1,
    "energy": 1,
    "currency": 2,
    "rates": 2,
    "crypto": 2,
    "grains": 3,
    "livestock": 3,
}
_TABLE = """
2018-01-01 -     -     -     -     New Year
2018-01-15 12:00 12:00 12:00 -     Martin Luther King Day
2018-02-19 12:00 12:00 12:00 -     Presidents' Day
2018-03-30 -     -     -     -     Good Friday
2018-05-28 12:00 12:00 12:00 -     Memorial Day
2018-07-03 12:15 .     12:15 12:05 eve of Independence Day
2018-07-04 12:00 12:00 12:00 -     Independence Day
2018-09-03 12:00 12:00 12:00 -     Labor Day
2018-11-22 12:00 12:00 12:00 -     Thanksgiving
2018-11-23 12:15 12:45 12:15 12:05 day after Thanksgiving
2018-12-05 08:30 .     .     .     day of mourning
2018-12-24 12:15 12:45 12:15 12:05 Christmas Eve
2018-12-25 -     -     -     -     Christmas
2019-01-01 -     -     -     -     New Year
2019-01-21 12:00 12:00 12:00 -     Martin Luther King Day
2019-02-18 12:00 12:00 12:00 -     Presidents' Day
2019-04-19 -     -     -     -     Good Friday
2019-05-27 12:00 12:00 12:00 -     Memorial Day
2019-07-03 12:15 .     12:15 12:05 eve of Independence Day
2019-07-04 12:00 12:00 12:00 -     Independence Day
2019-09-02 12:00 12:00 12:00 -     Labor Day
2019-11-28 12:00 12:00 12:00 -     Thanksgiving
2019-11-29 12:15 12:45 12:15 12:05 day after Thanksgiving
2019-12-24 12:15 12:45 12:15 12:05 Christmas Eve
2019-12-25 -     -     -     -     Christmas
2020-01-01 -     -     -     -     New Year
2020-01-20 12:00 12:00 12:00 -     Martin Luther King Day
2020-02-17 12:00 12:00 12:00 -     Presidents' Day
2020-04-10 -     -     -     -     Good Friday
2020-05-25 12:00 12:00 12:00 -     Memorial Day
2020-07-03 12:00 12:00 12:00 -     Independence Day, observed
2020-09-07 12:00 12:00 12:00 -     Labor Day
2020-11-26 12:00 12:00 12:00 -     Thanksgiving
2020-11-27 12:15 12:45 12:15 12:05 day after Thanksgiving
2020-12-24 12:15 12:45 12:15 12:05 Christmas Eve
2020-12-25 -     -     -     -     Christmas
2021-01-01 -     -     -     -     New Year
2021-01-18 12:00 12:00 12:00 -     Martin Luther King Day
2021-02-15 12:00 12:00 12:00 -     Presidents' Day
2021-04-02 08:15 -     10:15 -     Good Friday, with an employment report
2021-05-31 12:00 12:00 12:00 -     Memorial Day
2021-07-05 12:00 12:00 12:00 -     Independence Day, observed
2021-09-06 12:00 12:00 12:00 -     Labor Day
2021-11-25 12:00 12:00 12:00 -     Thanksgiving
2021-11-26 12:15 12:45 12:15 12:05 day after Thanksgiving
2021-12-24 -     -     -     -     Christmas, observed
2022-01-17 12:00 13:30 12:00 -     Martin Luther King Day
2022-02-21 12:00 13:30 12:00 -     Presidents' Day
2022-04-15 -     -     -     -     Good Friday
2022-05-30 12:00 13:30 12:00 -     Memorial Day
2022-06-20 12:00 13:30 12:00 -     Juneteenth, observed
2022-07-04 12:00 13:30 12:00 -     Independence Day
2022-09-05 12:00 13:30 12:00 -     Labor Day
2022-11-24 12:00 13:30 12:00 -     Thanksgiving
2022-11-25 12:15 12:45 12:15 12:05 day after Thanksgiving
2022-12-26 -     -     -     -     Christmas, observed
2023-01-02 -     -     -     -     New Year, observed
2023-01-16 12:00 13:30 12:00 -     Martin Luther King Day
2023-02-20 12:00 13:30 12:00 -     Presidents' Day
2023-04-07 08:15 -     10:15 -     Good Friday, with an employment report
2023-05-29 12:00 13:30 12:00 -     Memorial Day
2023-06-19 12:00 13:30 12:00 -     Juneteenth
2023-07-03 12:15 .     12:15 12:05 eve of Independence Day
2023-07-04 12:00 13:30 12:00 -     Independence Day
2023-09-04 12:00 13:30 12:00 -     Labor Day
2023-11-23 12:00 13:30 12:00 -     Thanksgiving
2023-11-24 12:15 12:45 12:15 12:05 day after Thanksgiving
2023-12-25 -     -     -     -     Christmas
2024-01-01 -     -     -     -     New Year
2024-01-15 12:00 13:30 12:00 -     Martin Luther King Day
2024-02-19 12:00 13:30 12:00 -     Presidents' Day
2024-03-29 -     -     -     -     Good Friday
2024-05-27 12:00 13:30 12:00 -     Memorial Day
2024-06-19 12:00 13:30 12:00 -     Juneteenth
2024-07-03 12:15 .     12:15 12:05 eve of Independence Day
2024-07-04 12:00 13:30 12:00 -     Independence Day
2024-09-02 12:00 13:30 12:00 -     Labor Day
2024-11-28 12:00 13:30 12:00 -     Thanksgiving
2024-11-29 12:15 12:45 12:15 12:05 day after Thanksgiving
2024-12-24 12:15 12:45 12:15 12:05 Christmas Eve
2024-12-25 -     -     -     -     Christmas
2025-01-01 -     -     -     -     New Year
2025-01-09 08:30 .     .     .     day of mourning
2025-01-20 12:00 13:30 12:00 -     Martin Luther King Day
2025-02-17 12:00 13:30 12:00 -     Presidents' Day
2025-04-18 -     -     -     -     Good Friday
2025-05-26 12:00 13:30 12:00 -     Memorial Day
2025-06-19 12:00 13:30 12:00 -     Juneteenth
2025-07-03 12:15 .     12:15 12:05 eve of Independence Day
2025-07-04 12:00 12:00 12:00 -     Independence Day
2025-09-01 12:00 13:30 12:00 -     Labor Day
2025-11-27 12:00 13:30 12:00 -     Thanksgiving
2025-11-28 12:15 12:45 12:15 12:05 day after Thanksgiving
2025-12-24 12:15 12:45 12:15 12:05 Christmas Eve
2025-12-25 -     -     -     -     Christmas
2026-01-01 -     -     -     -     New Year
2026-01-19 12:00 13:30 12:00 -     Martin Luther King Day
2026-02-16 12:00 13:30 12:00 -     Presidents' Day
2026-04-03 08:15 -     10:15 -     Good Friday, with an employment report
2026-05-25 12:00 13:30 12:00 -     Memorial Day
2026-06-19 12:00 13:30 12:00 -     Juneteenth
2026-07-03 12:00 12:00 12:00 -     Independence Day, observed
2026-09-07 12:00 13:30 12:00 -     Labor Day
2026-11-26 12:00 13:30 12:00 -     Thanksgiving
2026-11-27 12:15 12:45 12:15 12:05 day after Thanksgiving
2026-12-24 12:15 12:45 12:15 12:05 Christmas Eve
2026-12-25 -     -     -     -     Christmas
2027-01-01 -     -     -     -     New Year
2027-01-18 12:00 13:30 12:00 -     Martin Luther King Day
2027-02-15 12:00 13:30 12:00 -     Presidents' Day
2027-03-26 -     -     -     -     Good Friday
2027-05-31 12:00 13:30 12:00 -     Memorial Day
2027-06-18 12:00 12:00 12:00 -     Juneteenth, observed
2027-07-05 12:00 13:30 12:00 -     Independence Day, observed
2027-09-06 12:00 13:30 12:00 -     Labor Day
2027-11-25 12:00 13:30 12:00 -     Thanksgiving
2027-11-26 12:15 12:45 12:15 12:05 day after Thanksgiving
2027-12-24 -     -     -     -     Christmas, observed
2028-01-17 12:00 13:30 12:00 -     Martin Luther King Day
2028-02-21 12:00 13:30 12:00 -     Presidents' Day
2028-04-14 -     -     -     -     Good Friday
2028-05-29 12:00 13:30 12:00 -     Memorial Day
2028-06-19 12:00 13:30 12:00 -     Juneteenth
2028-07-03 12:15 .     12:15 12:05 eve of Independence Day
2028-07-04 12:00 13:30 12:00 -     Independence Day
2028-09-04 12:00 13:30 12:00 -     Labor Day
2028-11-23 12:00 13:30 12:00 -     Thanksgiving
2028-11-24 12:15 12:45 12:15 12:05 day after Thanksgiving
2028-12-25 -     -     -     -     Christmas
"""
_DAYS = {date.fromisoformat(row[0]): row[1:5] for row in map(str.split, _TABLE.strip().splitlines())}


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


def is_closed_on(trading_day: date, group: str) -> bool:
    """Whether a market of `group` has no session at all on that trading day, weekends aside."""
    return _find_entry(trading_day, group) == "-"


def early_close_on(trading_day: date, group: str) -> time | None:
    """Return when a market of `group` closes early on that trading day, in Chicago, or None."""
    entry = _find_entry(trading_day, group)
    return None if entry in "-." else time.fromisoformat(entry)


def _find_entry(trading_day: date, group: str) -> str:
    row = _DAYS.get(trading_day)
    return row[_COLUMNS[group]] if row else "."
