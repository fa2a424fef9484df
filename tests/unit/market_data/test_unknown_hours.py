"""The table of holidays itself, and what it says of hours that are not known."""

from datetime import date, timedelta

import pytest

from shared.domain.market_data.contract import ROOTS
from shared.domain.market_data.holiday_table import DAYS, RULES
from shared.domain.market_data.holidays import FIRST_DAY, LAST_DAY, describe_doubts

DAY = timedelta(days=1)


def rows(table: str) -> list[list[str]]:
    return [row.split(maxsplit=2) for row in table.strip().splitlines()]


def test_the_rules_have_a_column_for_the_group_of_every_root() -> None:
    _, *groups = RULES.strip().splitlines()[0].split()

    assert {root.group for root in ROOTS.values()} == set(groups)


def test_the_days_are_in_order_once_each_within_the_table_and_no_weekends() -> None:
    days = [date.fromisoformat(row[0]) for row in rows(DAYS)]

    assert sorted(set(days)) == days
    assert [] == [day for day in days if not FIRST_DAY <= day <= LAST_DAY or day.weekday() > 4]


def test_every_rule_is_that_of_a_day() -> None:
    assert {row[0] for row in rows(RULES)[1:]} == {row[1] for row in rows(DAYS)}


def test_every_holiday_after_the_published_ones_is_marked() -> None:
    unmarked = [row[0] for row in rows(DAYS) if row[0] > "2027-01-01" and not row[2].endswith(" *")]

    assert ["2027-06-18"] == unmarked, "the exchange had published this one"
    assert not [row for row in rows(DAYS) if row[0] <= "2027-01-01" and "*" in row[2]]


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        (date(2026, 11, 30), None),
        (date(2027, 1, 10), None),
        (date(2027, 1, 11), "had not published its hours of 2027-01-18 (Martin Luther King Day) when this version was"),
        (date(2027, 1, 18), "2027-01-18 (Martin Luther King Day)"),
        (date(2027, 1, 19), None),
        (date(2027, 6, 17), None),  # the next day has published hours
        (LAST_DAY - 56 * DAY, None),
        (LAST_DAY - 55 * DAY, "the holiday table ends on 2028-12-31, in 55 days, and nothing is entered after it"),
        (LAST_DAY, "the holiday table ends on 2028-12-31, in 0 days"),
        (LAST_DAY + DAY, "no market hours are known after 2028-12-31: nothing is entered"),
    ],
)
def test_what_is_not_known_of_the_coming_hours_is_said(today: date, expected: str | None) -> None:
    found = describe_doubts(today)

    assert (expected is None) == (found is None), found
    assert (expected or "") in (found or "")
