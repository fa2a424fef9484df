"""The personal limits: what a trader forbids the account beyond the firm's rules."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from shared.domain.market_data.calendar import trading_day_at, trading_week_ends, trading_week_of
from shared.domain.orders.order import Side
from shared.domain.risk.account_risk import AccountRisk, ClosedTrade, OpenEntry, mark_touched_limits
from shared.domain.risk.account_rules import check_account
from shared.domain.risk.change_effects import immediate_effects
from shared.domain.risk.entry_rules import SizedEntry
from shared.domain.risk.findings import Finding, RuleAction
from shared.domain.risk.personal_limits import losses_in_row, parse_lock_out
from shared.domain.risk.rule_book import RuleBook
from shared.domain.risk.rule_changes import with_changes
from shared.errors import RefusedError
from tests.fixtures.account_risks import COMBINE, NOON, TODAY, chicago, contract, held, next_day, risk, rules_of
from tests.fixtures.entry_rules import BUY, only_finding, rule_and_lift, violations_of

DAY_END = chicago("2026-11-24T17:00")
WEEK_END = chicago("2026-11-27T17:00")
TARGET = with_changes(COMBINE, {"daily_profit_target": "500"})
WEEKLY = with_changes(COMBINE, {"weekly_loss_limit": "1000"})


def findings_of(now: AccountRisk, book: RuleBook) -> list[Finding]:
    return check_account(now, book, NOON, TODAY)


@pytest.mark.parametrize(("points", "is_reached"), [("99.75", False), ("100", True), ("150", True)])
def test_the_days_result_reaches_the_profit_target_with_its_open_profit(
    points: str,
    is_reached: bool,  # noqa: FBT001
) -> None:
    now = replace(risk(50_300), holdings=(held("MNQ", 1, points),))

    assert is_reached == mark_touched_limits(now, TARGET).is_profit_locked
    assert not mark_touched_limits(now, COMBINE).is_profit_locked, "off by default"


def test_a_reached_profit_target_flattens_and_forbids_entries_until_17_00() -> None:
    now = replace(risk(), holdings=(held("MNQ", 1, "250"),))
    (finding,) = findings_of(now, TARGET)

    assert ("daily_profit_target", RuleAction.FLATTEN, DAY_END) == (
        finding.rule,
        finding.action,
        finding.lifts_market_at,
    )
    assert finding.message == (
        "daily profit target: the day's result reached 500.00 now or earlier; locked until 2026-11-24 17:00:00 Chicago"
    )
    assert RuleAction.BLOCK is only_finding(findings_of(risk(50_500), TARGET)).action, "nothing is left to close"
    assert "daily_profit_target" == only_finding(violations_of(now=risk(50_500), book=TARGET)).rule


def test_a_reached_profit_target_holds_when_the_profit_is_gone_and_ends_with_the_day() -> None:
    locked = mark_touched_limits(risk(50_500), TARGET)
    later = replace(locked, balance=risk(50_100).balance)

    assert ["daily_profit_target"] == rules_of(findings_of(later, TARGET))
    assert ["daily_profit_target"] == rules_of(findings_of(later, COMBINE)), "removing the rule does not lift its lock"
    assert [] == findings_of(next_day(later), TARGET)


def test_an_unknown_open_profit_reaches_no_profit_target() -> None:
    now = replace(risk(50_600), holdings=(replace(held("MNQ", 1), exit_price=None),))

    assert not mark_touched_limits(now, TARGET).is_profit_locked


def test_an_entry_that_only_reduces_passes_every_personal_limit() -> None:
    now = replace(risk(50_600), holdings=(held("MNQ", -2),))

    assert [] == violations_of(BUY, now, TARGET)


def test_a_profit_target_that_is_reached_already_asks_before_it_locks() -> None:
    (effect,) = immediate_effects((risk(50_600), COMBINE), (risk(50_600), TARGET), NOON)

    assert "daily profit target: the day's result reached 500.00" in effect
    assert [] == immediate_effects((risk(50_400), COMBINE), (risk(50_400), TARGET), NOON)


@pytest.mark.parametrize(
    ("earlier", "points", "is_touched"),
    [(0, "-499.75", False), (0, "-500", True), (-600, "-199", False), (-600, "-200", True), (400, "-600", False)],
)
def test_the_weeks_result_counts_its_closed_days_and_today_with_the_open_profit(
    earlier: int,
    points: str,
    is_touched: bool,  # noqa: FBT001
) -> None:
    now = replace(risk(), earlier_week_result=Decimal(earlier), holdings=(held("MNQ", 1, points),))

    assert is_touched == mark_touched_limits(now, WEEKLY).is_week_locked
    assert not mark_touched_limits(now, COMBINE).is_week_locked, "off by default"


def test_a_touched_weekly_loss_limit_flattens_and_forbids_entries_until_friday_17_00() -> None:
    lost = replace(risk(49_500), earlier_week_result=Decimal(-300), holdings=(held("MNQ", 1, "-100"),))
    (finding,) = findings_of(lost, WEEKLY)

    assert ("weekly_loss_limit", RuleAction.FLATTEN, WEEK_END) == (
        finding.rule,
        finding.action,
        finding.lifts_market_at,
    )
    assert finding.message == (
        "weekly loss limit: the week's result touched -1,000.00 now or earlier; "
        "locked until 2026-11-27 17:00:00 Chicago"
    )
    flat = replace(lost, holdings=(), balance=Decimal(49_000))
    assert "weekly_loss_limit" in rules_of(violations_of(now=flat, book=WEEKLY))


def test_the_lock_of_the_week_survives_the_day() -> None:
    tomorrow = next_day(mark_touched_limits(risk(49_000), WEEKLY))

    assert ["weekly_loss_limit"] == rules_of(findings_of(tomorrow, WEEKLY))


def test_a_weekly_loss_limit_that_is_touched_already_asks_before_it_locks() -> None:
    lost = replace(risk(49_900), earlier_week_result=Decimal(-900))
    (effect,) = immediate_effects((lost, COMBINE), (lost, WEEKLY), NOON)

    assert "weekly loss limit: the week's result touched -1,000.00" in effect


@pytest.mark.parametrize(
    ("at", "week", "ends"),
    [
        ("2026-11-20T16:59:59", "2026-11-16", "2026-11-20T17:00"),
        ("2026-11-20T17:00", "2026-11-23", "2026-11-27T17:00"),
        ("2026-11-22T17:00", "2026-11-23", "2026-11-27T17:00"),
        ("2026-11-25T17:00", "2026-11-23", "2026-11-27T17:00"),
        ("2026-10-30T12:00", "2026-10-26", "2026-10-30T17:00"),
    ],
)
def test_a_trading_week_begins_on_sunday_evening_and_ends_on_friday_at_17_00(at: str, week: str, ends: str) -> None:
    found = trading_week_of(trading_day_at(chicago(at)))

    assert (date.fromisoformat(week), chicago(ends)) == (found, trading_week_ends(found))


def trades(*results: str) -> AccountRisk:
    """Return the risk of an account whose trades had these results, a minute apart, the last at 12:00."""
    last = len(results) - 1
    closed = (
        ClosedTrade(Decimal(result), NOON - timedelta(minutes=last - index)) for index, result in enumerate(results)
    )
    return replace(risk(), closed_trades=tuple(closed))


@pytest.mark.parametrize(
    ("results", "count"),
    [
        ((), 0),
        (("-5", "-0.01"), 2),
        (("-5", "3", "-1"), 1),
        (("-5", "-1", "0.01"), 0),
        (("-5", "0", "-1", "0"), 2),
    ],
)
def test_a_profit_ends_the_row_of_losses_and_an_even_trade_counts_for_nothing(
    results: tuple[str, ...], count: int
) -> None:
    assert count == len(losses_in_row(trades(*results).closed_trades))


def test_losses_in_a_row_forbid_entries_until_17_00() -> None:
    book = with_changes(COMBINE, {"max_consecutive_losses": "3"})
    finding = only_finding(violations_of(now=trades("-10", "-20", "0", "-5"), book=book))

    assert ("max_consecutive_losses", DAY_END) == (finding.rule, finding.lifts_market_at)
    assert "3 trades lost in a row today, and max_consecutive_losses is 3" in finding.message
    assert [] == violations_of(now=trades("-10", "-20"), book=book)
    assert [] == violations_of(now=next_day(trades("-10", "-20", "-5")), book=book)
    holding = replace(trades("-10", "-20", "-5"), holdings=(held("MNQ", 1),))
    assert [RuleAction.BLOCK] == [one.action for one in findings_of(holding, book)], "nothing is closed"


@pytest.mark.parametrize(
    ("results", "minutes_later", "is_forbidden"),
    [
        (("-10",), 0, False),
        (("-10", "-10"), 0, True),
        (("-10", "-10"), 14, True),
        (("-10", "-10"), 15, False),
        (("-10", "-10", "-10"), 14, True),
        (("-10", "-10", "10"), 0, False),
    ],
)
def test_a_loss_pause_lasts_for_its_minutes_after_the_last_loss(
    results: tuple[str, ...],
    minutes_later: int,
    is_forbidden: bool,  # noqa: FBT001
) -> None:
    book = with_changes(COMBINE, {"loss_pause": "2, 15"})
    found = violations_of(now=trades(*results), book=book, at=NOON + timedelta(minutes=minutes_later))

    assert is_forbidden == (["loss_pause"] == rules_of(found))
    assert {NOON + timedelta(minutes=15)} >= {finding.lifts_market_at for finding in found}


def test_losses_that_end_the_day_at_once_ask_first_and_a_pause_does_not() -> None:
    now = trades("-10", "-10")
    for name, value, count in (("max_consecutive_losses", "2", 1), ("loss_pause", "2, 15", 0)):
        effects = immediate_effects((now, COMBINE), (now, with_changes(COMBINE, {name: value})), NOON)
        assert count == len(effects)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (replace(BUY, quantity=1), []),
        (replace(BUY, quantity=2), ["max_by_root"]),
        (replace(BUY, contract=contract("NQ"), quantity=1), []),
        (replace(BUY, contract=contract("ES"), quantity=2), ["max_by_root"]),
        (replace(BUY, side=Side.SELL, quantity=1), []),
        (replace(BUY, side=Side.SELL, quantity=4), ["max_by_root"]),
    ],
)
def test_the_contracts_of_a_root_are_limited_with_those_held_and_working_on_the_side(
    entry: SizedEntry, expected: list[str]
) -> None:
    """One MNQ is held and one to buy is working; a sale of one only closes."""
    book = with_changes(COMBINE, {"max_by_root": "MNQ 3, ES 1"})
    working = OpenEntry(contract("MNQ").id, "MNQ", Side.BUY, 1)
    now = replace(risk(), holdings=(held("MNQ", 1),), open_entries=(working,))

    assert expected == rules_of(violations_of(entry, now, book))


def test_the_figures_of_a_root_are_named() -> None:
    book = with_changes(COMBINE, {"max_by_root": "MNQ 3"})
    now = replace(risk(), holdings=(held("MNQ", 3),))

    assert "contracts of MNQ: 3 held, 0 working to BUY and 1 requested are more than the 3 of max_by_root" == (
        only_finding(violations_of(BUY, now, book)).message
    )


def test_a_lock_out_forbids_entries_until_its_end_and_closes_nothing() -> None:
    now = replace(risk(), locked_out_until_market_at=NOON + timedelta(minutes=1), holdings=(held("MNQ", -2),))

    assert [("lock_out", RuleAction.BLOCK)] == [(one.rule, one.action) for one in findings_of(now, COMBINE)]
    other = replace(BUY, contract=contract("MES"))
    assert ("lock_out", NOON + timedelta(minutes=1)) == rule_and_lift(violations_of(other, now))
    assert [] == violations_of(BUY, now), "it only reduces"
    assert [] == violations_of(other, now, at=NOON + timedelta(minutes=1))


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("12:01", "2026-11-24T12:01"),
        ("12:00", "2026-11-25T12:00"),
        ("08:30", "2026-11-25T08:30"),
        ("2026-12-01T08:30-06:00", "2026-12-01T08:30"),
        ("2026-12-01T14:30Z", "2026-12-01T08:30"),
    ],
)
def test_a_lock_out_ends_at_a_later_instant_or_at_the_next_time_of_chicagos_clock(text: str, until: str) -> None:
    assert chicago(until) == parse_lock_out(text, NOON)


@pytest.mark.parametrize(
    "text", ["24:00", "8:30", "2026-12-01T08:30", "2026-11-24T12:00-06:00", "9999-12-31T23:59-14:00", ""]
)
def test_a_lock_out_that_does_not_end_later_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(RefusedError, match=f"invalid end of a lock-out {text!r}: expected HH:MM of Chicago's clock"):
        parse_lock_out(text, NOON)
