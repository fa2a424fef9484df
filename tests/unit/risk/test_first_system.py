"""What the first system got wrong about risk, each failure a test. Source: origin-inventory.md section 3."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from shared.domain.market_data.calendar import calendar_of
from shared.domain.orders.order import Side
from shared.domain.risk.account_risk import AccountRisk, day_ends, loss_limit_level, marked, next_day
from shared.domain.risk.account_rules import RuleAction, quantity_for, strongest, watch
from shared.domain.risk.entry_rules import EntryIntent, entry_violations
from shared.domain.risk.rule_book import PRESETS, preset_for
from shared.domain.risk.rule_changes import with_changes
from shared.errors import RefusedError
from tests.fixtures.account_risks import COMBINE, NOON, TODAY, chicago, contract, held, risk


def at_clock(now: AccountRisk, was: datetime, at: datetime) -> AccountRisk:
    """The risk at `at`, its day changed as often as a day ended since `was`."""
    while day_ends(was) <= at:
        was = day_ends(was)
        now = next_day(now)
    return now


def test_losing_900_a_day_of_3000_allowed_locks_no_day() -> None:
    book = with_changes(PRESETS["combine-150k"], {"daily_loss_limit": "3000"})
    now, clock = risk(150_000, 150_000, 150_000), chicago("2026-11-16T10:00")
    for _ in range(4):
        now = marked(replace(now, balance=(now.balance or Decimal(0)) - 900), book)
        assert not now.is_day_locked
        assert "daily_loss_limit" not in [finding.rule for finding in watch(now, book, clock, TODAY)]
        now, clock = at_clock(now, clock, clock + timedelta(days=1)), clock + timedelta(days=1)

    assert (Decimal(146_400), (Decimal(-900),) * 4) == (now.balance, now.days)


@pytest.mark.parametrize("midnight", ["2026-11-24T00:00+00:00", "2026-07-07T00:00+00:00"])
def test_midnight_in_utc_lies_inside_a_session_and_ends_no_day(midnight: str) -> None:
    at = datetime.fromisoformat(midnight)
    before, after = at - timedelta(seconds=1), at + timedelta(seconds=1)
    high = risk(51_900)

    assert high == at_clock(high, before, after)
    assert 48_000 == loss_limit_level(at_clock(high, before, after), COMBINE)
    assert day_ends(before) == day_ends(after)


def test_an_account_looked_at_again_keeps_its_highest_close_and_one_without_is_blocked() -> None:
    risen = next_day(risk(51_500))
    fallen = next_day(replace(risen, balance=Decimal(49_900)))

    assert 49_500 == loss_limit_level(fallen, COMBINE), "not 49,900 - 2,000"
    forgotten = replace(fallen, high_water_mark=None)
    assert RuleAction.BLOCK is strongest(watch(forgotten, COMBINE, NOON, TODAY))
    assert loss_limit_level(forgotten, COMBINE) is None


def test_an_account_nobody_knows_anything_of_may_not_enter() -> None:
    unknown = AccountRisk(balance=None, day_opening_balance=None, high_water_mark=None)
    wish = EntryIntent(contract("MNQ"), Side.BUY, 1, 40)

    for book in PRESETS.values():
        assert entry_violations(wish, unknown, book, NOON, session=TODAY, calendar=calendar_of("equity"))
        assert RuleAction.BLOCK is strongest(watch(unknown, book, NOON, TODAY))


def test_an_open_loss_counts_and_a_violation_asks_for_an_action() -> None:
    losing = replace(risk(), holdings=(held("MNQ", 10, "-100"),))

    assert RuleAction.FLATTEN is strongest(watch(losing, COMBINE, NOON, TODAY))


def test_a_name_nobody_knows_has_no_limits_of_its_own() -> None:
    with pytest.raises(RefusedError):
        preset_for("Account-12345", Decimal(150_000))


def test_a_budget_too_small_for_one_contract_buys_none() -> None:
    quantity = quantity_for(Decimal(19), 40, Decimal("0.5"))
    findings = entry_violations(
        EntryIntent(contract("MNQ"), Side.BUY, quantity, 40),
        risk(), COMBINE, NOON, session=TODAY, calendar=calendar_of("equity"),
    )  # fmt: skip

    assert 0 == quantity
    assert ["max_quantity"] == [finding.rule for finding in findings]


def test_there_is_one_table_of_limits() -> None:
    assert {(50_000, Decimal(2_000)), (100_000, Decimal(3_000)), (150_000, Decimal(4_500))} == {
        (book.size, book.max_loss_limit) for book in PRESETS.values()
    }
