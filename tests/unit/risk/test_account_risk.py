"""The risk of an account: its loss limit level, its open profit, and the effect of a touch and of a new day."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.orders.order import Side
from shared.domain.risk.account_risk import (
    ClosedTrade,
    OpenEntry,
    loss_limit_level,
    loss_limit_level_for,
    mark_touched_limits,
    next_day_end,
    open_profit,
)
from shared.domain.risk.rule_book import PRESETS
from shared.domain.risk.rule_changes import with_changes
from tests.fixtures.account_risks import COMBINE, EXPRESS, NOON, chicago, held, next_day, risk

CENT = Decimal("0.01")


@pytest.mark.parametrize(
    ("name", "highest", "expected"),
    [
        ("combine-50k", 50_000, 48_000),
        ("combine-50k", 51_500, 49_500),
        ("combine-50k", 52_000, 50_000),
        ("combine-50k", 60_000, 50_000),
        ("combine-50k", 49_000, 48_000),  # never below its first level
        ("express-100k", 0, -3_000),
        ("express-100k", 2_999, -1),
        ("express-100k", 8_000, 0),
        ("combine-150k", 150_000, 145_500),
    ],
)
def test_the_loss_limit_level_follows_the_high_water_mark_and_stops_at_the_starting_balance(
    name: str, highest: int, expected: int
) -> None:
    assert expected == loss_limit_level_for(PRESETS[name], Decimal(highest))


def test_the_loss_limit_level_is_zero_after_the_first_payout_and_none_without_a_limit() -> None:
    assert 0 == loss_limit_level_for(with_changes(EXPRESS, {"has_been_paid": "yes"}), Decimal(1_000))
    assert loss_limit_level_for(with_changes(EXPRESS, {"max_loss_limit": "none"}), Decimal(1_000)) is None


def test_an_opening_balance_above_the_high_water_mark_counts_as_the_mark() -> None:
    assert 49_000 == loss_limit_level(risk(51_000, opening=51_000, highest=50_000), COMBINE)


@pytest.mark.parametrize(
    ("root", "quantity", "points", "expected"),
    [
        ("MNQ", 3, "10.25", "61.50"),
        ("MNQ", -3, "10.25", "-61.50"),
        ("ES", 2, "-1.25", "-125.00"),
        ("CL", -1, "0.07", "-70.00"),
        ("6J", 1, "0.0000005", "6.25"),
        ("ZN", 1, "0.015625", "15.62"),  # half-even to the cent
    ],
)
def test_open_profit_is_the_result_of_closing_now(root: str, quantity: int, points: str, expected: str) -> None:
    assert Decimal(expected) == open_profit([held(root, quantity, points)])


def test_open_profit_is_unknown_if_one_price_or_root_is_unknown() -> None:
    known = held("MNQ", 1, "5")

    assert open_profit([known, replace(known, exit_price=None)]) is None
    assert open_profit([known, replace(known, root="XYZ")]) is None
    assert 10 == open_profit([known, replace(known, exit_price=None, quantity=0)])


def test_an_average_price_in_thirds_costs_no_cent() -> None:
    average = (Decimal(20_000) + Decimal(20_000) + Decimal("20000.25")) / 3
    position = replace(held("MNQ", 3), average_price=average, exit_price=Decimal("20000.25"))

    assert Decimal("1.00") == open_profit([position])


@pytest.mark.parametrize(("points", "expected"), [("-99.75", False), ("-100", True), ("-100.25", True)])
def test_open_losses_can_touch_the_loss_limit_level(points: str, expected: bool) -> None:  # noqa: FBT001
    at_risk = replace(risk(), holdings=(held("MNQ", 10, points),))

    assert expected is mark_touched_limits(at_risk, COMBINE).is_breached


@pytest.mark.parametrize(("balance", "expected"), [("48000.01", False), ("48000", True)])
def test_a_breach_begins_exactly_at_the_loss_limit_level(balance: str, expected: bool) -> None:  # noqa: FBT001
    assert expected is mark_touched_limits(risk(balance), COMBINE).is_breached


@pytest.mark.parametrize(("balance", "expected"), [("50500.01", False), ("50500", True)])
def test_the_daily_loss_limit_counts_from_the_days_opening_balance(balance: str, expected: bool) -> None:  # noqa: FBT001
    book = with_changes(COMBINE, {"daily_loss_limit": "1000"})

    assert expected is mark_touched_limits(risk(balance, opening=51_500, highest=51_500), book).is_day_locked


def test_a_breach_stays_when_the_price_recovers() -> None:
    touched = mark_touched_limits(replace(risk(), holdings=(held("MNQ", 10, "-100"),)), COMBINE)
    recovered = mark_touched_limits(replace(touched, holdings=(held("MNQ", 10, "50"),)), COMBINE)

    assert recovered.is_breached


def test_an_unknown_equity_changes_no_mark() -> None:
    unpriced = replace(risk(), holdings=(replace(held("MNQ", 1), exit_price=None),), is_day_locked=True)

    assert unpriced == mark_touched_limits(unpriced, COMBINE)


def test_a_breach_is_recorded_without_the_opening_balance_of_the_day() -> None:
    assert mark_touched_limits(replace(risk(48_000), day_opening_balance=None), COMBINE).is_breached


@given(st.lists(st.integers(-5_000_00, 20_000_00), min_size=1, max_size=20))
def test_the_loss_limit_level_never_falls_from_day_to_day(cents: list[int]) -> None:
    now, levels = risk(), [loss_limit_level_for(COMBINE, Decimal(50_000))]
    for cent in cents:
        now = next_day(replace(now, balance=Decimal(50_000) + cent * CENT))
        levels.append(loss_limit_level(now, COMBINE))

    assert sorted(level for level in levels if level is not None) == levels


def test_an_account_without_position_and_working_entry_is_flat() -> None:
    assert risk().is_flat
    assert replace(risk(), holdings=(held("MNQ", 0),)).is_flat
    assert not replace(risk(), holdings=(held("MNQ", -1),)).is_flat
    assert not replace(risk(), open_entries=(OpenEntry("CON.F.US.MNQ.Z26", "MNQ", Side.BUY, 1),)).is_flat


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2026-11-24T16:59:59", "2026-11-24T17:00"),
        ("2026-11-24T17:00", "2026-11-25T17:00"),
        ("2026-11-24T23:30", "2026-11-25T17:00"),
        ("2026-10-31T18:00", "2026-11-01T17:00"),  # 25 hours: the clock goes back
        ("2026-03-07T17:00", "2026-03-08T17:00"),  # 23 hours
    ],
)
def test_a_day_ends_at_1700_in_chicago(after: str, expected: str) -> None:
    assert chicago(expected) == next_day_end(chicago(after))


def test_clock_changes_make_a_day_of_23_and_one_of_25_hours() -> None:
    spring, autumn = chicago("2026-03-07T17:00"), chicago("2026-10-31T17:00")

    assert timedelta(hours=23) == next_day_end(spring) - spring
    assert timedelta(hours=25) == next_day_end(autumn) - autumn


def test_what_the_opening_balance_and_the_fills_do_not_explain_of_a_balance() -> None:
    now = replace(
        risk("50100"),
        closed_trades=(ClosedTrade(Decimal("150.50"), NOON), ClosedTrade(Decimal(-48), NOON)),
        opening_costs=Decimal("2.50"),
    )

    assert Decimal(0) == now.unexplained_balance
    assert Decimal(-2000) == replace(now, balance=Decimal(48_100)).unexplained_balance
    assert replace(now, day_opening_balance=None).unexplained_balance is None
