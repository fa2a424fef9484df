"""Which changes of rules are looser than what the firm allows."""

from dataclasses import replace
from decimal import Decimal

import pytest

from shared.domain.risk.loosened_rules import list_loosened
from shared.domain.risk.rule_book import PRESETS
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


def test_a_stricter_rule_one_of_our_own_and_one_that_stays_as_it_was_are_not_told() -> None:
    loose = replace(PRACTICE, daily_loss_limit=Decimal(99999))
    assert [] == list_loosened(PRACTICE, replace(PRACTICE, daily_loss_limit=Decimal(400)), PRACTICE)
    assert [] == list_loosened(COMBINE, replace(COMBINE, daily_loss_limit=Decimal(99999)), COMBINE)
    assert [] == list_loosened(PRACTICE, replace(PRACTICE, max_quantity=50), PRACTICE)
    assert [] == list_loosened(loose, replace(loose, max_trades_per_day=4), PRACTICE)
