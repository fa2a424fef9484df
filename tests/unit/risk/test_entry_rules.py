"""The entries that the loss, size, side and stop rules forbid, with figures, edges, and when each lifts."""

from dataclasses import replace
from decimal import Decimal

import pytest

from shared.domain.market_data.calendar import calendar_of
from shared.domain.market_data.product_family import family_of
from shared.domain.orders.order import Direction, Side
from shared.domain.risk.account_risk import OpenEntry
from shared.domain.risk.entry_rules import SizedEntry, check_entry_rules, only_reduces
from shared.domain.risk.rule_changes import with_changes
from tests.fixtures.account_risks import COMBINE, EXPRESS, NOON, chicago, contract, held, risk, rules_of
from tests.fixtures.entry_rules import BOOK, BUY, only_finding, rule_and_lift, violations_of


def test_an_entry_within_every_rule_passes() -> None:
    assert [] == violations_of()


def test_a_breached_account_may_not_enter_and_a_locked_one_may_the_next_day() -> None:
    assert ("max_loss_limit", None) == rule_and_lift(violations_of(now=replace(risk(), is_breached=True)))
    assert ("daily_loss_limit", chicago("2026-11-24T17:00")) == rule_and_lift(
        violations_of(now=replace(risk(), is_day_locked=True))
    )


@pytest.mark.parametrize(("balance", "rules"), [("48500.01", []), ("48500", ["max_loss_limit"])])
def test_entries_are_forbidden_from_the_block_share_on(balance: str, rules: list[str]) -> None:
    assert rules == rules_of(violations_of(now=risk(balance)))


def test_a_warning_forbids_nothing() -> None:
    assert [] == violations_of(now=risk(48_800))


@pytest.mark.parametrize("missing", ["balance", "day_opening_balance", "high_water_mark"])
def test_a_missing_balance_forbids_an_entry(missing: str) -> None:
    now = replace(risk(), balance=None) if missing == "balance" else risk()
    now = replace(now, day_opening_balance=None) if missing == "day_opening_balance" else now
    now = replace(now, high_water_mark=None) if missing == "high_water_mark" else now

    assert missing == only_finding(violations_of(now=now)).rule


def test_a_missing_price_or_session_forbids_an_entry() -> None:
    blind = replace(risk(), holdings=(replace(held("MES", 1), exit_price=None),))
    assert "price" == only_finding(violations_of(now=blind)).rule

    calendar = calendar_of("equity")
    findings = check_entry_rules(BUY, risk(), BOOK, NOON, session=None, calendar=calendar)
    assert ("session", chicago("2026-11-24T17:00")) == rule_and_lift(findings)


@pytest.mark.parametrize(("quantity", "is_allowed"), [(0, False), (1, True), (5, True), (6, False)])
def test_the_quantity_of_an_order_is_limited(quantity: int, is_allowed: bool) -> None:  # noqa: FBT001
    rules = rules_of(violations_of(replace(BUY, quantity=quantity), book=COMBINE))
    assert is_allowed == {"max_quantity", "risk"}.isdisjoint(rules)


@pytest.mark.parametrize(
    ("root", "side", "quantity", "is_allowed"),
    [
        ("MNQ", Side.BUY, 25, True),  # 20 held, 5 working to buy
        ("MNQ", Side.BUY, 26, False),
        ("NQ", Side.BUY, 2, True),
        ("NQ", Side.BUY, 3, False),
        ("SIL", Side.BUY, 12, True),  # two micros each
        ("SIL", Side.BUY, 13, False),
        ("MES", Side.SELL, 25, True),  # 20 held, the other 5 work to sell
        ("MES", Side.SELL, 26, False),
        ("MNQ", Side.SELL, 10, True),  # only reduces
    ],
)
def test_minis_and_micros_of_the_whole_account_count_together_per_side(
    root: str,
    side: Side,
    quantity: int,
    is_allowed: bool,  # noqa: FBT001
) -> None:
    now = replace(
        risk(),
        holdings=(held("MNQ", 10), held("MYM", -10)),
        open_entries=(
            OpenEntry(contract("NG").id, "MES", Side.BUY, 5), OpenEntry(contract("MES").id, "MES", Side.SELL, 5),
        ),
    )  # fmt: skip
    entry = SizedEntry(contract(root), side, quantity, 1)

    assert is_allowed == ("contracts" not in rules_of(violations_of(entry, now)))


def test_an_order_that_only_reduces_passes_above_the_limit() -> None:
    over = replace(risk(), holdings=(held("NQ", 6),))
    sell = SizedEntry(contract("NQ"), Side.SELL, 6, 1)

    assert "contracts" not in rules_of(violations_of(sell, over))
    assert "contracts" in rules_of(violations_of(replace(sell, quantity=7), over)), "a reversal does not only reduce"


def test_an_exit_passes_despite_a_breach_and_an_opposite_account() -> None:
    both = {family_of("NQ"): frozenset({Direction.LONG})}
    now = replace(risk(), holdings=(held("NQ", 2),), other_directions=both, is_breached=True)
    sell = SizedEntry(contract("NQ"), Side.SELL, 2, 1)

    assert {"max_loss_limit", "forbid_opposite_sides"} & set(rules_of(violations_of(replace(sell, quantity=3), now)))
    assert not {"max_loss_limit", "forbid_opposite_sides"} & set(rules_of(violations_of(sell, now)))


def test_working_orders_count_before_an_order_only_reduces() -> None:
    now = replace(risk(), holdings=(held("NQ", 3),), open_entries=(OpenEntry(contract("NQ").id, "NQ", Side.SELL, 2),))

    assert only_reduces(SizedEntry(contract("NQ"), Side.SELL, 1, 1), now)
    assert not only_reduces(SizedEntry(contract("NQ"), Side.SELL, 2, 1), now)
    assert not only_reduces(SizedEntry(contract("NQ"), Side.BUY, 1, 1), now)
    assert not only_reduces(SizedEntry(contract("MNQ"), Side.SELL, 1, 1), now)


@pytest.mark.parametrize(("opening", "most"), [("1499.99", 20), ("1500", 30), ("2000", 30), ("2000.01", 50)])
def test_the_scaling_plan_uses_the_opening_balance_of_the_day(opening: str, most: int) -> None:
    book = with_changes(EXPRESS, {"max_quantity": "100"})
    now = risk(9_000, opening, 9_000)

    assert [] == violations_of(replace(BUY, quantity=most), now, book)
    finding = only_finding(violations_of(replace(BUY, quantity=most + 1), now, book))
    assert ("contracts", chicago("2026-11-24T17:00")) == (finding.rule, finding.lifts_market_at)
    assert f"{most + 1} requested are more than {most} micros ({most // 10} minis)" in finding.message


@pytest.mark.parametrize(
    ("root", "side", "other", "is_allowed"),
    [
        ("MNQ", Side.BUY, Direction.SHORT, False),
        ("NQ", Side.BUY, Direction.SHORT, False),
        ("MNQ", Side.SELL, Direction.LONG, False),
        ("MNQ", Side.BUY, Direction.LONG, True),
        ("MES", Side.BUY, Direction.SHORT, True),
    ],
)
def test_accounts_of_one_owner_never_take_opposite_sides_of_a_family(
    root: str,
    side: Side,
    other: Direction,
    is_allowed: bool,  # noqa: FBT001
) -> None:
    entry = SizedEntry(contract(root), side, 1, 40)
    now = replace(risk(), other_directions={"NQ": frozenset({other})})
    findings = violations_of(entry, now)

    assert [] == findings if is_allowed else rule_and_lift(findings) == ("forbid_opposite_sides", None)
    assert [] == violations_of(entry, now, with_changes(BOOK, {"forbid_opposite_sides": "no"}))


def test_an_entry_above_the_risk_per_trade_is_forbidden() -> None:
    book = with_changes(BOOK, {"risk_per_trade": "100"})

    assert [] == violations_of(replace(BUY, quantity=5), book=book)
    finding = only_finding(violations_of(replace(BUY, quantity=5, stop_loss_ticks=41), book=book))
    assert "risk per trade: 5 x 41 ticks x 0.50 = 102.50 is more than 100.00" == finding.message


@pytest.mark.parametrize("ticks", [None, 0, -4])
def test_an_entry_without_a_stop_is_forbidden(ticks: int | None) -> None:
    assert "stop_loss" == only_finding(violations_of(replace(BUY, stop_loss_ticks=ticks))).rule


@pytest.mark.parametrize(("balance", "rules"), [("49027.21", []), ("49027.20", ["stop_loss"])])
def test_a_stop_that_would_reach_the_loss_limit_level_with_its_costs_is_forbidden(
    balance: str, rules: list[str]
) -> None:
    entry = replace(BUY, quantity=10, stop_loss_ticks=200)  # 1,000 and 27.20 of costs; the loss limit level is 48,000
    findings = violations_of(entry, risk(balance))

    assert rules == rules_of(findings)
    if rules:
        assert "is 48,000.00, not above the loss limit level of 48,000.00" in findings[0].message


def test_the_risk_of_other_stops_counts() -> None:
    entry = replace(BUY, stop_loss_ticks=2_000)
    first = OpenEntry(contract("MNQ").id, "MNQ", Side.BUY, 1, stop_risk=Decimal(1_000))

    assert [] == violations_of(entry)
    assert "stop_loss" == only_finding(violations_of(entry, replace(risk(), open_entries=(first,)))).rule


def test_every_violated_rule_is_reported_at_once() -> None:
    book = with_changes(COMBINE, {"risk_per_trade": "10", "trading_hours": "08:30-09:00"})
    entry = SizedEntry(contract("NQ"), Side.BUY, 6, 40)
    now = replace(risk(48_400), order_count_last_minute=99, other_directions={"NQ": frozenset({Direction.SHORT})})

    assert [
        "max_loss_limit", "max_quantity", "contracts", "last_entry", "trading_hours", "max_orders_per_minute",
        "forbid_opposite_sides", "risk_per_trade", "stop_loss",
    ] == rules_of(violations_of(entry, now, book, chicago("2026-11-24T15:08")))  # fmt: skip
