"""The way of an Express account to its next payout, and a day whose balance the firm has moved."""

from dataclasses import replace
from decimal import Decimal

import pytest

from shared.domain.risk.account_risk import day_result, mark_touched_limits
from shared.domain.risk.account_rules import check_account
from shared.domain.risk.findings import RuleAction
from shared.domain.risk.headroom import headroom_of_position
from shared.domain.risk.payouts import list_payout_ways
from shared.domain.risk.rule_book import PRESETS
from shared.domain.risk.rule_changes import with_changes
from tests.fixtures.account_risks import COMBINE, EXPRESS, NOON, TODAY, held, risk

LIMITED = with_changes(COMBINE, {"daily_loss_limit": "1000"})


def moneys(*amounts: int) -> tuple[Decimal, ...]:
    return tuple(map(Decimal, amounts))


@pytest.mark.parametrize(
    ("days", "today", "done", "lacks"),
    [
        ((), 0, (0, 0), "5 more winning days of at least 150.00"),
        ((150, 149, 400, -300), 0, (2, 4), "3 more winning days of at least 150.00"),
        ((150, 150, 150, 150), 149, (4, 5), "1 more winning day of at least 150.00"),
        ((150, 150, 150, 150), 150, (5, 5), None),
    ],
)
def test_winning_days_of_150_net_count_for_the_standard_payout(
    days: tuple[int, ...], today: int, done: tuple[int, int], lacks: str | None
) -> None:
    now = replace(risk(4_000 + today, 4_000), days_since_payout=moneys(*days))
    standard, consistency = list_payout_ways(now, EXPRESS)

    assert done == (standard.days, consistency.days)
    assert (5, lacks) == (standard.days_needed, standard.lacks)


@pytest.mark.parametrize(
    ("days", "lacks"),
    [
        ((400, 300, 300), None),
        ((401, 300, 299), "a profit of 1,002.50, as the best day 401.00 is 40.1% of the 1,000.00 made"),
        ((400, 300), "1 more trading day and a profit of 1,000.00, as the best day 400.00 is 57.1% of the 700.00 made"),
        ((-100, 50, 20), "a profit; the total since the last payout is -30.00"),
    ],
)
def test_the_consistency_payout_needs_three_days_and_no_best_day_above_40_percent(
    days: tuple[int, ...], lacks: str | None
) -> None:
    found = list_payout_ways(replace(risk(1_000, 1_000), days_since_payout=moneys(*days)), EXPRESS)[1].lacks
    assert lacks == (None if found is None else found.removesuffix(", and 40% is allowed"))


@pytest.mark.parametrize(
    ("preset", "balance", "most"),
    [
        ("express-50k", 1_000, (500, 500)),
        ("express-50k", 5_000, (2_000, 2_500)),
        ("express-100k", 10_000, (3_000, 4_000)),
        ("express-150k", 20_000, (5_000, 6_000)),
        ("express-50k", -100, (0, 0)),
    ],
)
def test_a_payout_is_at_most_half_the_balance_and_the_cap_of_its_size(
    preset: str, balance: int, most: tuple[int, int]
) -> None:
    ways = list_payout_ways(risk(balance, balance), PRESETS[preset])
    assert moneys(*most) == tuple(way.most for way in ways)


def test_only_an_express_account_has_payouts() -> None:
    assert [] == list_payout_ways(risk(60_000, 60_000), COMBINE)


def test_a_moved_balance_is_no_result_and_uses_no_limit() -> None:
    moved = replace(risk(53_000, 55_000, 55_000), moved_today=Decimal(-2_000))

    assert Decimal(0) == day_result(moved)
    assert moved == mark_touched_limits(moved, LIMITED)
    found = check_account(moved, LIMITED, NOON, TODAY)
    assert {"balance_moves": RuleAction.WARN} == {
        one.rule: one.action for one in found if one.rule not in {"profit_target", "consistency_share"}
    }
    assert Decimal(1_000) == headroom_of_position(moved, LIMITED, "")


def test_a_deposit_gives_back_no_part_of_a_loss_limit() -> None:
    lost = replace(risk(50_000, 50_000), moved_today=Decimal(900))

    assert Decimal(-900) == day_result(lost)
    (finding,) = [one for one in check_account(lost, LIMITED, NOON, TODAY) if one.rule == "daily_loss_limit"]
    assert "900.00 of the day's allowance of 1,000.00 is used" in finding.message


def test_a_loss_after_a_payout_touches_the_daily_limit_where_its_own_dollars_do() -> None:
    moved = replace(risk(53_000, 55_000, 55_000), moved_today=Decimal(-2_000))

    assert not mark_touched_limits(replace(moved, holdings=(held("NQ", 1, "-49"),)), LIMITED).is_day_locked
    assert mark_touched_limits(replace(moved, holdings=(held("NQ", 1, "-50"),)), LIMITED).is_day_locked
