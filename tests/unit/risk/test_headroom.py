"""The loss that a position may still make before the equity touches a loss limit."""

from dataclasses import replace
from decimal import Decimal

import pytest

from shared.domain.market_data.contract import ROOTS
from shared.domain.orders.order import Side
from shared.domain.risk.account_risk import OpenEntry
from shared.domain.risk.headroom import headroom_of_position, list_headroom, most_stop_ticks
from shared.domain.risk.rule_changes import with_changes
from tests.fixtures.account_risks import COMBINE, contract, held, risk

MNQ = contract("MNQ").id
COSTS = Decimal("2.72")  # of one micro
HELD = replace(risk(balance=48_150), holdings=(held("MNQ", 1, "-10"),))


def test_the_open_result_of_the_position_itself_does_not_count() -> None:
    """Its stop is measured from its average price: what it has lost since is a part of that."""
    assert 150 - COSTS == headroom_of_position(HELD, COMBINE, MNQ)


def test_the_nearer_of_the_two_limits_counts() -> None:
    today = replace(HELD, day_opening_balance=Decimal(48_200))

    assert 50 - COSTS == headroom_of_position(today, with_changes(COMBINE, {"daily_loss_limit": "100"}), MNQ)
    assert 150 - COSTS == headroom_of_position(today, with_changes(COMBINE, {"daily_loss_limit": "500"}), MNQ)


def test_other_positions_count_with_the_loss_at_their_stops_and_entries_with_theirs() -> None:
    other = replace(held("MES", -2, "-1"), stop_risk=Decimal(30))  # short: a point lower is 10 dollars of profit
    entry = OpenEntry(MNQ, "MNQ", Side.BUY, 1, Decimal(25))
    now = replace(HELD, holdings=(*HELD.holdings, other), open_entries=(entry,))

    assert 150 + 10 - 30 - 25 - 4 * COSTS == headroom_of_position(now, COMBINE, MNQ)
    without_price = replace(now, holdings=(*HELD.holdings, replace(other, exit_price=None)))
    assert 150 - 30 - 25 - 4 * COSTS == headroom_of_position(without_price, COMBINE, MNQ)


def test_without_a_balance_or_a_limit_the_headroom_is_unknown() -> None:
    assert headroom_of_position(replace(HELD, balance=None), COMBINE, MNQ) is None
    assert headroom_of_position(HELD, replace(COMBINE, max_loss_limit=None), MNQ) is None


@pytest.mark.parametrize(
    ("dollars", "quantity", "ticks"),
    [("100", 1, 199), ("100.10", 1, 200), ("100", 3, 66), ("0", 1, -1), ("-5", 1, -11)],
)
def test_the_loss_at_the_widest_stop_stays_below_the_headroom(dollars: str, quantity: int, ticks: int) -> None:
    assert ticks == most_stop_ticks(Decimal(dollars), ROOTS["MNQ"].tick_value, quantity)


def test_the_weekly_loss_limit_counts_with_the_weeks_earlier_days() -> None:
    book = with_changes(COMBINE, {"weekly_loss_limit": "1500"})
    now = replace(risk(), earlier_week_result=Decimal(-900), holdings=(held("MNQ", 1),))

    assert 600 - COSTS == headroom_of_position(now, book, MNQ)


def test_the_headroom_of_an_entry_is_told_for_each_limit_after_every_stop_is_hit() -> None:
    now = replace(HELD, day_opening_balance=Decimal(48_200), earlier_week_result=Decimal(-20))
    book = with_changes(COMBINE, {"daily_loss_limit": "100", "weekly_loss_limit": "150"})
    stopped = (now.equity or Decimal(0)) - HELD.holdings[0].stop_risk - COSTS

    assert [
        ("max loss limit", stopped - 48_000),
        ("daily loss limit", stopped - 48_100),
        ("weekly loss limit", stopped - 48_070),
    ] == list_headroom(now, book)


def test_a_position_that_an_entry_closes_first_has_no_stop_to_be_hit() -> None:
    assert HELD.equity is not None
    assert [("max loss limit", HELD.equity - 48_000)] == list_headroom(HELD, COMBINE, closed=MNQ)
    unknown = replace(HELD, holdings=(replace(HELD.holdings[0], exit_price=None),))
    assert [] == list_headroom(unknown, COMBINE)
