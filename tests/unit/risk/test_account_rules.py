"""The findings of the rules on an account: used allowance, deadlines of the clock, and missing facts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.market_data.calendar import Session, calendar_of
from shared.domain.orders.order import Side
from shared.domain.risk.account_risk import AccountRisk, OpenEntry
from shared.domain.risk.account_rules import check_account, first_to_be_flat, quantity_for, session_of
from shared.domain.risk.findings import Finding, RuleAction, strongest_action
from shared.domain.risk.rule_book import PRESETS
from shared.domain.risk.rule_changes import with_changes
from tests.fixtures.account_risks import COMBINE, EXPRESS, NOON, TODAY, chicago, held, risk, rules_of, session_on

ENTRY = OpenEntry("CON.F.US.MNQ.Z26", "MNQ", Side.BUY, 1)


def with_open_loss(dollars: str) -> AccountRisk:
    """Return the risk of a new 50K Combine whose one open position has lost that many dollars."""
    points = -Decimal(dollars) / 2
    return replace(risk(), holdings=(held("MNQ", 1, str(points)),))


def findings_of(now: AccountRisk, at: datetime = NOON, session: Session | None = TODAY) -> list[Finding]:
    return check_account(now, COMBINE, at, session)


def test_an_account_without_losses_has_no_findings() -> None:
    assert [] == findings_of(replace(risk(), holdings=(held("MNQ", 1),)))


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("999.99", RuleAction.NONE),
        ("1000", RuleAction.WARN),
        ("1499.99", RuleAction.WARN),
        ("1500", RuleAction.BLOCK),
        ("1799.99", RuleAction.BLOCK),
        ("1800", RuleAction.FLATTEN),
        ("2000", RuleAction.FLATTEN),
    ],
)
def test_the_used_share_of_the_days_allowance_decides_the_action(loss: str, expected: RuleAction) -> None:
    assert expected is strongest_action(findings_of(with_open_loss(loss)))


def test_half_is_closed_once_a_day_if_reduce_at_is_set() -> None:
    book = with_changes(COMBINE, {"reduce_at": "0.8"})

    assert RuleAction.BLOCK is strongest_action(check_account(with_open_loss("1599.99"), book, NOON, TODAY))
    assert RuleAction.REDUCE is strongest_action(check_account(with_open_loss("1600"), book, NOON, TODAY))
    assert RuleAction.BLOCK is strongest_action(
        check_account(replace(with_open_loss("1600"), is_reduced=True), book, NOON, TODAY)
    )
    assert RuleAction.FLATTEN is strongest_action(
        check_account(replace(with_open_loss("1800"), is_reduced=True), book, NOON, TODAY)
    )


def test_the_allowance_is_the_loss_possible_when_the_day_opened() -> None:
    halfway = replace(risk(49_000, opening=49_000), holdings=(held("MNQ", 1, "-375"),))

    (finding,) = findings_of(halfway)
    assert (RuleAction.BLOCK, chicago("2026-11-24T17:00")) == (finding.action, finding.lifts_market_at)
    assert finding.message == (
        "max loss limit: 750.00 of the day's allowance of 1,000.00 is used, and block_at is 75%: equity 48,250.00"
    )


def test_a_breach_demands_flattening_and_blocks_a_flat_account_for_good() -> None:
    (finding,) = findings_of(with_open_loss("2000"))
    assert ("max_loss_limit", RuleAction.FLATTEN, None) == (finding.rule, finding.action, finding.lifts_market_at)
    assert "equity 48,000.00 touched the loss limit level 48,000.00" in finding.message

    (finding,) = findings_of(replace(risk(50_900), is_breached=True))
    assert ("max_loss_limit", RuleAction.BLOCK) == (finding.rule, finding.action)


def test_the_daily_loss_limit_has_its_own_allowance_and_lifts_at_1700() -> None:
    book = with_changes(COMBINE, {"daily_loss_limit": "1000"})

    for loss, action in {
        "499.99": RuleAction.NONE,
        "500": RuleAction.WARN,
        "750": RuleAction.BLOCK,
        "900": RuleAction.FLATTEN,
    }.items():
        assert action is strongest_action(check_account(with_open_loss(loss), book, NOON, TODAY))
    findings = check_account(with_open_loss("1000"), book, NOON, TODAY)
    assert ["daily_loss_limit", "max_loss_limit"] == rules_of(findings)
    assert (RuleAction.FLATTEN, chicago("2026-11-24T17:00")) == (findings[0].action, findings[0].lifts_market_at)
    assert "touched -1,000.00" in findings[0].message
    (finding,) = check_account(replace(risk(), is_day_locked=True), book, NOON, TODAY)
    assert RuleAction.BLOCK is finding.action


@pytest.mark.parametrize("missing", ["balance", "day_opening_balance", "high_water_mark"])
def test_a_missing_balance_blocks_with_its_name(missing: str) -> None:
    incomplete = AccountRisk(
        balance=None if missing == "balance" else Decimal(50_000),
        day_opening_balance=None if missing == "day_opening_balance" else Decimal(50_000),
        high_water_mark=None if missing == "high_water_mark" else Decimal(50_000),
    )
    (finding,) = findings_of(incomplete)

    assert (missing, RuleAction.BLOCK) == (finding.rule, finding.action)
    assert f"{missing} of the account is missing" in finding.message


def test_a_position_without_a_price_blocks_with_its_contract() -> None:
    incomplete = replace(risk(), holdings=(replace(held("MNQ", 1), exit_price=None), held("MES", 1)))
    (finding,) = findings_of(incomplete)

    assert ("price", RuleAction.BLOCK) == (finding.rule, finding.action)
    assert "CON.F.US.MNQ.Z26 is held without a fresh price" in finding.message


@pytest.mark.parametrize(
    ("day", "clock", "expected"),
    [
        ("2026-11-24", "15:07:59.999999", RuleAction.NONE),
        ("2026-11-24", "15:08:00", RuleAction.BLOCK),
        ("2026-11-24", "15:09:29.999999", RuleAction.BLOCK),
        ("2026-11-24", "15:09:30", RuleAction.FLATTEN),
        ("2026-11-24", "15:59:59", RuleAction.FLATTEN),
        ("2026-11-24", "16:00", RuleAction.FLATTEN),  # held over the close
        ("2026-07-01", "15:09:30", RuleAction.FLATTEN),  # another hour in UTC
        ("2026-11-26", "11:42:59", RuleAction.NONE),  # Thanksgiving closes at 12:00
        ("2026-11-26", "11:43", RuleAction.BLOCK),
        ("2026-11-26", "11:44:30", RuleAction.FLATTEN),
    ],
)
def test_positions_are_flattened_before_the_firm_flattens_them(day: str, clock: str, expected: RuleAction) -> None:
    at = chicago(f"{day}T{clock}")
    session = calendar_of("equity").session_at(at)

    assert expected is strongest_action(findings_of(replace(risk(), holdings=(held("MNQ", 1),)), at, session))
    assert expected is strongest_action(findings_of(replace(risk(), open_entries=(ENTRY,)), at, session))
    assert min(expected, RuleAction.BLOCK) is strongest_action(findings_of(risk(), at, session))


def test_a_session_that_does_not_contain_the_instant_counts_as_closed() -> None:
    (finding,) = findings_of(risk(), NOON, session_on("2026-11-23"))

    assert ("session", RuleAction.BLOCK) == (finding.rule, finding.action)


def test_the_session_that_must_be_flat_first_counts_and_a_closed_market_hides_none() -> None:
    grains = session_on("2026-11-24", "grains")

    assert grains == first_to_be_flat([TODAY, grains])
    assert grains == first_to_be_flat([TODAY, None, grains])
    assert first_to_be_flat([None]) is None
    assert first_to_be_flat([]) is None


@pytest.mark.parametrize(("balance", "rules"), [("52999.99", []), ("53000", ["profit_target"])])
def test_a_reached_profit_target_is_reported(balance: str, rules: list[str]) -> None:
    days = (Decimal(1_500), Decimal(1_400))
    findings = findings_of(replace(risk(balance, opening=52_900, highest=52_900), days=days))

    assert rules == rules_of(findings)
    assert strongest_action(findings) <= RuleAction.WARN


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ((1_650, 1_350), None),  # 55 percent exactly
        ((1_651, 1_349), "3,001.82"),
        ((1_651, 1_500), None),
        ((1_000,), None),  # all of the profit, but less than its share of the target
        ((3_000,), "5,454.55"),
        ((1_700, -900), "3,090.91"),
    ],
)
def test_a_best_day_above_its_share_raises_the_target(days: tuple[int, ...], expected: str | None) -> None:
    profit = 50_000 + sum(days)
    findings = findings_of(replace(risk(profit, profit, profit), days=tuple(map(Decimal, days))))
    messages = [finding.message for finding in findings if finding.rule == "consistency_share"]

    assert (expected is not None) == bool(messages)
    if expected is not None:
        assert f"must reach {expected}" in messages[0]
        assert f"the best day {max(days):,.2f} is more than 55% of the total profit {sum(days):,.2f}" in messages[0]


def test_the_result_of_today_counts_for_consistency() -> None:
    now = replace(risk(52_000, opening=50_000), days=())

    assert ["consistency_share"] == rules_of(findings_of(now))


def test_consistency_is_no_rule_of_an_express_account_unless_a_person_sets_it() -> None:
    now = replace(risk(1_000, opening=1_000, highest=1_000), days=(Decimal(401), Decimal(300), Decimal(299)))

    assert [] == rules_of(check_account(now, EXPRESS, NOON, TODAY))
    set_by_hand = with_changes(EXPRESS, {"consistency_share": "0.40"})
    assert ["consistency_share"] == rules_of(check_account(now, set_by_hand, NOON, TODAY))
    assert [] == rules_of(check_account(risk(59_000, 50_000, 59_000), PRESETS["practice-50k"], NOON, TODAY))


@pytest.mark.parametrize(
    ("budget", "ticks", "costs", "expected"),
    [
        ("100", 40, "0", 5),
        ("99.99", 40, "0", 4),
        ("100", 40, "1.22", 4),
        ("19.99", 40, "0", 0),
        ("0", 40, "0", 0),
        ("-5", 40, "0", 0),
    ],
)
def test_a_budget_covers_whole_contracts_rounded_down(budget: str, ticks: int, costs: str, expected: int) -> None:
    assert expected == quantity_for(Decimal(budget), ticks, Decimal("0.5"), Decimal(costs))


@given(st.integers(-100, 10_000_00), st.integers(1, 5_000), st.sampled_from(["0.05", "0.5", "4.20", "7.8125"]))
def test_the_quantity_is_the_largest_within_the_budget(cents: int, ticks: int, tick_value: str) -> None:
    budget, loss = Decimal(cents) / 100, ticks * Decimal(tick_value)
    quantity = quantity_for(budget, ticks, Decimal(tick_value))

    assert quantity * loss <= max(budget, Decimal(0)) < (quantity + 1) * loss


def test_a_quantity_without_a_stop_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid stop of 0 ticks"):
        quantity_for(Decimal(100), 0, Decimal("0.5"))


def test_the_time_at_which_a_finding_lifts_is_in_the_future() -> None:
    for finding in findings_of(with_open_loss("1800"), chicago("2026-11-24T15:09:40")):
        assert finding.lifts_market_at is not None
        assert timedelta(0) < finding.lifts_market_at - chicago("2026-11-24T15:09:40") < timedelta(days=1)


def test_beyond_the_holiday_table_nothing_is_entered_and_positions_are_still_closed_in_time() -> None:
    open_risk = replace(risk(), holdings=(held("MNQ", 1),))
    noon = datetime(2029, 1, 3, 18, tzinfo=UTC)
    late = datetime(2029, 1, 3, 21, 9, 45, tzinfo=UTC)  # 15:09:45 in Chicago

    [finding] = findings_of(open_risk, noon, session_of(open_risk, noon))
    assert ("calendar", RuleAction.BLOCK) == (finding.rule, finding.action)
    assert "the holiday table ends on 2028-12-31" in finding.message
    assert RuleAction.FLATTEN is strongest_action(findings_of(open_risk, late, session_of(open_risk, late)))


def test_the_table_ends_with_its_last_trading_day_and_not_at_midnight() -> None:
    evening = datetime(2028, 12, 31, 23, 30, tzinfo=UTC)  # Sunday, 17:30 in Chicago: the session of 2029-01-01

    assert "calendar" in [one.rule for one in findings_of(risk(), evening, session_of(risk(), evening))]
