"""The end of a trading day: what the next one begins with."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from shared.domain.accounts.stage import Stage
from shared.domain.risk.next_day import start_next_day
from tests.fixtures.account_risks import FRIDAY, MONDAY, TUESDAY, WEDNESDAY, next_day, risk


def test_a_new_day_resets_the_lock_keeps_the_breach_and_adds_the_result() -> None:
    ended = replace(
        risk(51_000, opening=50_400, highest=50_700),
        is_breached=True, is_day_locked=True, is_reduced=True, trade_count_today=7, days=(Decimal(400),),
    )  # fmt: skip
    started = next_day(ended)

    balance = Decimal(51_000)
    assert (balance, balance, (Decimal(400), Decimal(600))) == (
        started.day_opening_balance, started.high_water_mark, started.days,
    )  # fmt: skip
    assert (True, False, False, 0) == (
        started.is_breached,
        started.is_day_locked,
        started.is_reduced,
        started.trade_count_today,
    )


@pytest.mark.parametrize(("reported", "last"), [("51500", 51_500), ("49000", 50_000), ("50000", 50_000)])
def test_of_a_balance_that_changed_unseen_the_higher_one_is_the_days_last(reported: str, last: int) -> None:
    started = start_next_day(risk(), Decimal(reported), ended=TUESDAY, today=WEDNESDAY, stage=Stage.COMBINE)

    assert (Decimal(reported), Decimal(last), Decimal(last)) == (
        started.balance,
        started.day_opening_balance,
        started.high_water_mark,
    )
    assert (Decimal(0),) == started.days, "the change belongs to no day that was seen"


@pytest.mark.parametrize(
    ("reported", "day_count", "stage", "highest"),
    [
        ("50100", 1, Stage.COMBINE, 52_000),
        ("50100", 2, Stage.COMBINE, None),  # it may have been higher on a day between
        ("50100", 2, Stage.EXPRESS, None),
        ("50000", 2, Stage.COMBINE, 52_000),  # nothing was traded
        ("50100", 2, Stage.PRACTICE, 52_000),  # no loss ends it
    ],
)
def test_the_high_water_mark_is_unknown_if_the_balance_changed_while_more_than_one_day_ended(
    reported: str, day_count: int, stage: Stage, highest: int | None
) -> None:
    before = risk(highest=52_000)
    started = start_next_day(
        before, Decimal(reported), ended=TUESDAY, today=TUESDAY + timedelta(days=day_count), stage=stage
    )

    assert highest == started.high_water_mark


def test_a_missing_balance_or_high_water_mark_is_not_invented_by_a_new_day() -> None:
    assert next_day(replace(risk(), high_water_mark=None)).high_water_mark is None
    unknown = replace(risk(highest=52_000), balance=None)
    started = start_next_day(unknown, Decimal(50_100), ended=TUESDAY, today=WEDNESDAY, stage=Stage.COMBINE)

    assert (Decimal(50_100), Decimal(52_000), ()) == (
        started.day_opening_balance,
        started.high_water_mark,
        started.days,
    )


def test_a_day_adds_its_result_to_the_week_and_a_new_week_begins_with_none() -> None:
    lost = replace(risk(49_400), moved_today=Decimal(-100), earlier_week_result=Decimal(-300), is_week_locked=True)
    tomorrow, on_monday = next_day(lost), next_day(lost, FRIDAY, MONDAY)

    assert (Decimal(-800), True) == (tomorrow.earlier_week_result, tomorrow.is_week_locked)
    assert (Decimal(0), False) == (on_monday.earlier_week_result, on_monday.is_week_locked)
    assert (Decimal(-500),) == on_monday.days


def test_a_fall_that_is_not_settled_is_no_result_of_the_day_that_ended() -> None:
    """A payout at the end of the day: the new day begins before it, so that it is found then."""
    before = replace(risk(48_200), day_opening_balance=Decimal(50_000))
    started = start_next_day(
        before, Decimal(48_200), ended=TUESDAY, today=WEDNESDAY, stage=Stage.COMBINE, unsettled=Decimal(-2_000)
    )

    assert (Decimal(200), Decimal(200)) == (started.days[-1], started.earlier_week_result)
    assert (Decimal(50_200), Decimal(48_200)) == (started.day_opening_balance, started.balance)


def test_the_day_of_a_payout_does_not_count_toward_the_next() -> None:
    paid = replace(risk(4_000, opening=5_000), moved_today=Decimal(-1_200), days_since_payout=(Decimal(300),))
    started = start_next_day(paid, Decimal(4_000), ended=TUESDAY, today=WEDNESDAY, stage=Stage.EXPRESS)

    assert (Decimal(200),) == started.days
    assert () == started.days_since_payout
