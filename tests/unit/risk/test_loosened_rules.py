"""Which changes of rules are looser than what the firm allows."""

from dataclasses import replace
from decimal import Decimal

import pytest

from shared.domain.risk.loosened_rules import list_loosened
from shared.domain.risk.rule_book import PRESETS, RuleBook
from shared.domain.risk.rule_changes import with_changes

PRACTICE, EXPRESS, COMBINE = (PRESETS[name] for name in ("practice-50k", "express-50k", "combine-50k"))


def test_a_cap_above_that_of_the_firm_is_told_with_both() -> None:
    (told,) = list_loosened(PRACTICE, replace(PRACTICE, daily_loss_limit=Decimal(99999)), PRACTICE)

    assert told.startswith("daily_loss_limit 99,999.00 is looser than the firm's 1,000.00: the firm still acts")


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_loss_limit", "none"), ("max_minis", "6"), ("micros_per_mini", "20"), ("forbid_opposite_sides", "no")],
)
def test_each_rule_of_the_firm_counts(name: str, value: str) -> None:
    assert 1 == len(list_loosened(PRACTICE, with_changes(PRACTICE, {name: value}), PRACTICE))


def test_a_dropped_scaling_plan_is_told() -> None:
    assert 1 == len(list_loosened(EXPRESS, replace(EXPRESS, scaling_plan=()), EXPRESS))


@pytest.mark.parametrize(
    ("preset", "changes", "words"),
    [
        (COMBINE, {"starting_balance": "0"}, "at 0.00: the firm's is 48,000.00"),
        (EXPRESS, {"scaling_plan": "5, 5 from 1500"}, "allows 50 micros with a balance of 0.00"),
        (EXPRESS, {"scaling_plan": "2, 5 from 1500"}, "allows 50 micros with a balance of 1,500.00"),
        (COMBINE, {"heavy_micros": "none"}, "SIL, MBT, MET weigh more"),
        (COMBINE, {"heavy_micro_weight": "1"}, "SIL, MBT, MET weigh more"),
    ],
)
def test_what_allows_more_by_another_way_is_told(preset: RuleBook, changes: dict[str, str], words: str) -> None:
    (told,) = list_loosened(preset, with_changes(preset, changes), preset)

    assert words in told


def test_a_plan_that_is_stricter_and_the_preset_of_a_larger_account_are_told_apart() -> None:
    assert [] == list_loosened(EXPRESS, with_changes(EXPRESS, {"scaling_plan": "1, 2 from 1500"}), EXPRESS)
    larger = list_loosened(COMBINE, PRESETS["combine-150k"], COMBINE)
    assert {"max_loss_limit", "max_minis"} <= {told.split()[0] for told in larger}


def test_a_stricter_rule_one_of_our_own_and_one_that_stays_as_it_was_are_not_told() -> None:
    loose = replace(PRACTICE, daily_loss_limit=Decimal(99999))
    assert [] == list_loosened(PRACTICE, replace(PRACTICE, daily_loss_limit=Decimal(400)), PRACTICE)
    assert [] == list_loosened(COMBINE, replace(COMBINE, daily_loss_limit=Decimal(99999)), COMBINE)
    assert [] == list_loosened(PRACTICE, replace(PRACTICE, max_quantity=50), PRACTICE)
    assert [] == list_loosened(loose, replace(loose, max_trades_per_day=4), PRACTICE)
