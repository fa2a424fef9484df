"""The risk errors of the first system, an earlier trading bot for the same venue, one test for each."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from shared.domain.market_data.calendar import calendar_of
from shared.domain.orders.order import Side
from shared.domain.risk.account_risk import (
    AccountRisk,
    loss_limit_level,
    mark_touched_limits,
    next_day_end,
)
from shared.domain.risk.account_rules import check_account, quantity_for
from shared.domain.risk.entry_rules import SizedEntry, check_entry_rules
from shared.domain.risk.findings import RuleAction, strongest_action
from shared.domain.risk.rule_book import PRESETS, preset_for
from shared.domain.risk.rule_changes import with_changes
from shared.errors import RefusedError
from tests.fixtures.account_risks import COMBINE, NOON, TODAY, chicago, contract, held, next_day, risk


def risk_at(now: AccountRisk, was: datetime, at: datetime) -> AccountRisk:
    """Return the risk at `at`: a new day is started for each day that ended since `was`."""
    while next_day_end(was) <= at:
        was = next_day_end(was)
        now = next_day(now)
    return now


def test_a_loss_of_900_with_a_daily_loss_limit_of_3000_locks_no_day() -> None:
    book = with_changes(PRESETS["combine-150k"], {"daily_loss_limit": "3000"})
    now, clock = risk(150_000, 150_000, 150_000), chicago("2026-11-16T10:00")
    for _ in range(4):
        now = mark_touched_limits(replace(now, balance=(now.balance or Decimal(0)) - 900), book)
        assert not now.is_day_locked
        assert "daily_loss_limit" not in [finding.rule for finding in check_account(now, book, clock, TODAY)]
        now, clock = risk_at(now, clock, clock + timedelta(days=1)), clock + timedelta(days=1)

    assert (Decimal(146_400), (Decimal(-900),) * 4) == (now.balance, now.days)


@pytest.mark.parametrize("midnight", ["2026-11-24T00:00+00:00", "2026-07-07T00:00+00:00"])
def test_midnight_in_utc_ends_no_trading_day(midnight: str) -> None:
    at = datetime.fromisoformat(midnight)
    before, after = at - timedelta(seconds=1), at + timedelta(seconds=1)
    high = risk(51_900)

    assert high == risk_at(high, before, after)
    assert 48_000 == loss_limit_level(risk_at(high, before, after), COMBINE)
    assert next_day_end(before) == next_day_end(after)


def test_an_account_keeps_its_high_water_mark_and_is_blocked_without_one() -> None:
    risen = next_day(risk(51_500))
    fallen = next_day(replace(risen, balance=Decimal(49_900)))

    assert 49_500 == loss_limit_level(fallen, COMBINE), "not 49,900 - 2,000"
    unmarked = replace(fallen, high_water_mark=None)
    assert RuleAction.BLOCK is strongest_action(check_account(unmarked, COMBINE, NOON, TODAY))
    assert loss_limit_level(unmarked, COMBINE) is None


def test_an_account_without_any_known_balance_may_not_enter() -> None:
    unknown = AccountRisk(balance=None, day_opening_balance=None, high_water_mark=None)
    entry = SizedEntry(contract("MNQ"), Side.BUY, 1, 40)

    for book in PRESETS.values():
        assert check_entry_rules(entry, unknown, book, NOON, session=TODAY, calendar=calendar_of("equity"))
        assert RuleAction.BLOCK is strongest_action(check_account(unknown, book, NOON, TODAY))


def test_an_open_loss_at_the_limit_demands_flattening() -> None:
    at_loss = replace(risk(), holdings=(held("MNQ", 10, "-100"),))

    assert RuleAction.FLATTEN is strongest_action(check_account(at_loss, COMBINE, NOON, TODAY))


def test_an_unknown_account_name_has_no_limits() -> None:
    with pytest.raises(RefusedError):
        preset_for("Account-12345", Decimal(150_000))


def test_a_budget_too_small_for_one_contract_gives_a_quantity_of_zero() -> None:
    quantity = quantity_for(Decimal(19), 40, Decimal("0.5"))
    findings = check_entry_rules(
        SizedEntry(contract("MNQ"), Side.BUY, quantity, 40),
        risk(), COMBINE, NOON, session=TODAY, calendar=calendar_of("equity"),
    )  # fmt: skip

    assert 0 == quantity
    assert ["risk"] == [finding.rule for finding in findings]


def test_there_is_one_table_of_limits() -> None:
    assert {(50_000, Decimal(2_000)), (100_000, Decimal(3_000)), (150_000, Decimal(4_500))} == {
        (book.size, book.max_loss_limit) for book in PRESETS.values()
    }
