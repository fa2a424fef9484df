"""What the maximum loss follows: the balance at the end of each trading day, also of those that nobody watched."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Connection

from shared.db.accounts import accounts
from shared.db.engine import make_engine
from shared.domain.risk.account_risk import loss_limit_level_for
from shared.domain.risk.rule_book import PRESETS

MONDAY = datetime(2026, 3, 9, 15, 0, tzinfo=UTC)  # 10:00 in Chicago
DAY = timedelta(days=1)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    engine = make_engine(database_url, program="test", pool_size=1)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def tell(
    connection: Connection, at: datetime, balance: str, name: str = "50KTC-V2-1", account_id: int = 1
) -> accounts.AccountRow:
    """Let the venue say a balance, and return what is known of the account then."""
    accounts.store(
        connection,
        at,
        account_id=account_id,
        name=name,
        balance=Decimal(balance),
        can_trade=True,
        is_simulated=True,
        reported_at=at,
    )
    row = accounts.get(connection, account_id)
    assert row is not None
    return row


def loss_limit_level(row: accounts.AccountRow) -> Decimal | None:
    return None if row.high_water_mark is None else loss_limit_level_for(PRESETS["combine-50k"], row.high_water_mark)


def test_the_floor_follows_the_last_balance_of_each_day_and_stops_at_the_start(connection: Connection) -> None:
    assert Decimal(48_000) == loss_limit_level(tell(connection, MONDAY, "50000"))
    assert Decimal(48_000) == loss_limit_level(tell(connection, MONDAY + timedelta(hours=2), "51000")), (
        "the day goes on"
    )
    assert Decimal(49_000) == loss_limit_level(tell(connection, MONDAY + DAY, "51000"))
    assert Decimal(49_000) == loss_limit_level(tell(connection, MONDAY + DAY + timedelta(hours=1), "50200"))
    begun = tell(connection, MONDAY + 2 * DAY, "50200")

    assert Decimal(49_000) == loss_limit_level(begun), "it never falls"
    assert Decimal(50_200) == begun.day_opening_balance
    ended = [(day.isoformat(), result) for day, result in accounts.days(connection, 1)]
    assert [("2026-03-09", Decimal(1_000)), ("2026-03-10", Decimal(-800))] == ended
    tell(connection, MONDAY + 2 * DAY + timedelta(hours=1), "53000")
    assert Decimal(50_000) == loss_limit_level(tell(connection, MONDAY + 3 * DAY, "53000"))


@pytest.mark.parametrize(
    ("name", "balance", "highest"),
    [
        ("50KTC-V2-1", "50000", 50_000),  # as it begins
        ("50KTC-V2-1", "50500", None),  # it may have been higher
        ("50KTC-V2-1", "49000", None),
        ("50KTC-V2-1", "54500", 54_500),  # whatever it was, the loss_limit_level_for has stopped rising
        ("EXPRESS-V2-1", "0", 0),
        ("EXPRESS-V2-1", "700", None),
        ("PRAC-V2-1", "148234.50", Decimal("148234.50")),  # ends nothing
    ],
)
def test_the_highest_close_of_an_account_met_in_the_middle_is_not_made_up(
    connection: Connection, name: str, balance: str, highest: Decimal | None
) -> None:
    assert highest == tell(connection, MONDAY, balance, name).high_water_mark


def test_a_balance_that_moved_while_nobody_listened_counts_as_the_days_last_if_it_is_higher(
    connection: Connection,
) -> None:
    tell(connection, MONDAY, "50000")
    begun = tell(connection, MONDAY + DAY, "51500")

    assert (Decimal(51_500), Decimal(51_500)) == (begun.high_water_mark, begun.day_opening_balance)


def test_after_days_that_nobody_watched_the_highest_close_must_be_said(connection: Connection) -> None:
    tell(connection, MONDAY, "50000")
    assert 50_000 == tell(connection, MONDAY + 3 * DAY, "50000").high_water_mark, "nothing was traded meanwhile"
    assert tell(connection, MONDAY + 5 * DAY, "50100").high_water_mark is None
    tell(connection, MONDAY, "50000", "PRAC-V2-2", account_id=2)
    assert 50_100 == tell(connection, MONDAY + 5 * DAY, "50100", "PRAC-V2-2", account_id=2).high_water_mark
    friday = MONDAY + 11 * DAY
    accounts.change(connection, 1, high_water_mark=Decimal(52_000))
    tell(connection, friday, "50100")
    over_the_weekend = tell(connection, friday + 3 * DAY, "50300")
    assert 52_000 == over_the_weekend.high_water_mark
