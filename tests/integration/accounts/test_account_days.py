"""The basis of the maximum loss limit: the balance at the end of each trading day, even of an unwatched one."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Connection

from shared.db.accounts import account_days, accounts
from shared.domain.risk.account_risk import loss_limit_level_for
from shared.domain.risk.rule_book import PRESETS
from tests.integration.accounts.reports import DAY, MONDAY, report_balance


def loss_limit_level(row: accounts.AccountRow) -> Decimal | None:
    return None if row.high_water_mark is None else loss_limit_level_for(PRESETS["combine-50k"], row.high_water_mark)


def test_the_loss_limit_level_follows_each_days_last_balance_and_stops_at_the_start(connection: Connection) -> None:
    assert Decimal(48_000) == loss_limit_level(report_balance(connection, MONDAY, "50000"))
    assert Decimal(48_000) == loss_limit_level(report_balance(connection, MONDAY + timedelta(hours=2), "51000")), (
        "the day goes on"
    )
    assert Decimal(49_000) == loss_limit_level(report_balance(connection, MONDAY + DAY, "51000"))
    assert Decimal(49_000) == loss_limit_level(report_balance(connection, MONDAY + DAY + timedelta(hours=1), "50200"))
    new_day = report_balance(connection, MONDAY + 2 * DAY, "50200")

    assert Decimal(49_000) == loss_limit_level(new_day), "it never falls"
    assert Decimal(50_200) == new_day.day_opening_balance
    ended = [(day.isoformat(), result) for day, result in account_days.list_ended(connection, 1)]
    assert [("2026-03-09", Decimal(1_000)), ("2026-03-10", Decimal(-800))] == ended
    report_balance(connection, MONDAY + 2 * DAY + timedelta(hours=1), "53000")
    assert Decimal(50_000) == loss_limit_level(report_balance(connection, MONDAY + 3 * DAY, "53000"))


@pytest.mark.parametrize(
    ("name", "balance", "highest"),
    [
        ("50KTC-V2-1", "50000", 50_000),  # the starting balance
        ("50KTC-V2-1", "50500", None),  # it may have been higher
        ("50KTC-V2-1", "49000", None),
        ("50KTC-V2-1", "54500", 54_500),  # above this the loss limit level no longer rises
        ("EXPRESS-V2-1", "0", 0),
        ("EXPRESS-V2-1", "700", None),
        ("PRAC-V2-1", "148234.50", Decimal("148234.50")),  # a practice account, which no loss ends
    ],
)
def test_the_high_water_mark_of_an_account_first_seen_late_is_not_invented(
    connection: Connection, name: str, balance: str, highest: Decimal | None
) -> None:
    assert highest == report_balance(connection, MONDAY, balance, name).high_water_mark


def test_a_higher_balance_after_an_unwatched_time_counts_as_the_days_last(
    connection: Connection,
) -> None:
    report_balance(connection, MONDAY, "50000")
    new_day = report_balance(connection, MONDAY + DAY, "51500")

    assert (Decimal(51_500), Decimal(51_500)) == (new_day.high_water_mark, new_day.day_opening_balance)


def test_the_high_water_mark_is_unknown_after_unwatched_days(connection: Connection) -> None:
    report_balance(connection, MONDAY, "50000")
    assert 50_000 == report_balance(connection, MONDAY + 3 * DAY, "50000").high_water_mark, (
        "nothing was traded meanwhile"
    )
    assert report_balance(connection, MONDAY + 5 * DAY, "50100").high_water_mark is None
    report_balance(connection, MONDAY, "50000", "PRAC-V2-2", account_id=2)
    assert 50_100 == report_balance(connection, MONDAY + 5 * DAY, "50100", "PRAC-V2-2", account_id=2).high_water_mark
    friday = MONDAY + 11 * DAY
    accounts.change(connection, 1, high_water_mark=Decimal(52_000))
    report_balance(connection, friday, "50100")
    over_the_weekend = report_balance(connection, friday + 3 * DAY, "50300")
    assert 52_000 == over_the_weekend.high_water_mark
