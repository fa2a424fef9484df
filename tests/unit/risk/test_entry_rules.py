"""Which entries the rules forbid, each with its figures, its edge, and when it lifts."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from shared.domain.market_data.calendar import calendar_of
from shared.domain.market_data.product_family import family_of
from shared.domain.orders.order import Direction, Side
from shared.domain.risk.account_risk import AccountRisk, Working
from shared.domain.risk.account_rules import Finding, RuleAction
from shared.domain.risk.entry_rules import EntryIntent, entry_violations, only_reduces
from shared.domain.risk.rule_book import NewsWindow, RuleBook
from shared.domain.risk.rule_changes import with_changes
from tests.fixtures.account_risks import COMBINE, EXPRESS, NOON, chicago, contract, held, risk, rules_of

BUY = EntryIntent(contract("MNQ"), Side.BUY, 1, 40)
BOOK = with_changes(COMBINE, {"max_quantity": "100"})


def against(
    entry: EntryIntent = BUY,
    now: AccountRisk | None = None,
    book: RuleBook = BOOK,
    at: datetime = NOON,
    group: str = "equity",
) -> list[Finding]:
    calendar = calendar_of(group)
    return entry_violations(entry, now or risk(), book, at, session=calendar.session_at(at), calendar=calendar)


def only(findings: list[Finding]) -> Finding:
    (finding,) = findings
    assert RuleAction.BLOCK <= finding.action
    return finding


def test_an_entry_within_every_rule_passes() -> None:
    assert [] == against()


def test_a_breached_account_enters_nothing_and_a_locked_one_tomorrow() -> None:
    assert ("max_loss_limit", None) == told(against(now=replace(risk(), is_breached=True)))
    assert ("daily_loss_limit", chicago("2026-11-24T17:00")) == told(against(now=replace(risk(), is_day_locked=True)))


def told(findings: list[Finding]) -> tuple[str, datetime | None]:
    finding = only(findings)
    return finding.rule, finding.lifts_market_at


@pytest.mark.parametrize(("balance", "rules"), [("48500.01", []), ("48500", ["max_loss_limit"])])
def test_entries_stop_where_the_watch_blocks(balance: str, rules: list[str]) -> None:
    assert rules == rules_of(against(now=risk(balance)))


def test_a_warning_forbids_nothing() -> None:
    assert [] == against(now=risk(48_800))


@pytest.mark.parametrize("missing", ["balance", "day_opening_balance", "high_water_mark"])
def test_a_missing_balance_forbids(missing: str) -> None:
    now = replace(risk(), balance=None) if missing == "balance" else risk()
    now = replace(now, day_opening_balance=None) if missing == "day_opening_balance" else now
    now = replace(now, high_water_mark=None) if missing == "high_water_mark" else now

    assert missing == only(against(now=now)).rule


def test_a_missing_price_or_session_forbids() -> None:
    blind = replace(risk(), holdings=(replace(held("MES", 1), exit_price=None),))
    assert "price" == only(against(now=blind)).rule

    calendar = calendar_of("equity")
    findings = entry_violations(BUY, risk(), BOOK, NOON, session=None, calendar=calendar)
    assert ("session", chicago("2026-11-24T17:00")) == told(findings)


@pytest.mark.parametrize(("quantity", "is_allowed"), [(0, False), (1, True), (5, True), (6, False)])
def test_an_order_has_a_largest_quantity(quantity: int, is_allowed: bool) -> None:  # noqa: FBT001
    assert is_allowed == ("max_quantity" not in rules_of(against(replace(BUY, quantity=quantity), book=COMBINE)))


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
        working=(
            Working(contract("NG").id, "MES", Side.BUY, 5), Working(contract("MES").id, "MES", Side.SELL, 5),
        ),
    )  # fmt: skip
    wish = EntryIntent(contract(root), side, quantity, 1)

    assert is_allowed == ("contracts" not in rules_of(against(wish, now)))


def test_an_order_that_only_reduces_passes_even_over_the_limit() -> None:
    over = replace(risk(), holdings=(held("NQ", 6),))
    sell = EntryIntent(contract("NQ"), Side.SELL, 6, 1)

    assert "contracts" not in rules_of(against(sell, over))
    assert "contracts" in rules_of(against(replace(sell, quantity=7), over)), "turning is no reducing"


def test_an_exit_passes_whatever_was_lost_and_whichever_way_another_account_lies() -> None:
    both = {family_of("NQ"): frozenset({Direction.LONG})}
    now = replace(risk(), holdings=(held("NQ", 2),), other_directions=both, is_breached=True)
    sell = EntryIntent(contract("NQ"), Side.SELL, 2, 1)

    assert {"max_loss_limit", "forbid_opposite_sides"} & set(rules_of(against(replace(sell, quantity=3), now)))
    assert not {"max_loss_limit", "forbid_opposite_sides"} & set(rules_of(against(sell, now)))


def test_what_works_already_may_not_reduce_twice() -> None:
    now = replace(risk(), holdings=(held("NQ", 3),), working=(Working(contract("NQ").id, "NQ", Side.SELL, 2),))

    assert only_reduces(EntryIntent(contract("NQ"), Side.SELL, 1, 1), now)
    assert not only_reduces(EntryIntent(contract("NQ"), Side.SELL, 2, 1), now)
    assert not only_reduces(EntryIntent(contract("NQ"), Side.BUY, 1, 1), now)
    assert not only_reduces(EntryIntent(contract("MNQ"), Side.SELL, 1, 1), now)


@pytest.mark.parametrize(("opening", "most"), [("1499.99", 20), ("1500", 30), ("2000", 30), ("2000.01", 50)])
def test_the_scaling_plan_looks_at_the_balance_the_day_opened_with(opening: str, most: int) -> None:
    book = with_changes(EXPRESS, {"max_quantity": "100"})
    now = risk(9_000, opening, 9_000)

    assert [] == against(replace(BUY, quantity=most), now, book)
    finding = only(against(replace(BUY, quantity=most + 1), now, book))
    assert ("contracts", chicago("2026-11-24T17:00")) == (finding.rule, finding.lifts_market_at)
    assert f"{most + 1} wished are more than {most} micros ({most // 10} minis)" in finding.message


@pytest.mark.parametrize(
    ("at", "group", "rules", "lifts"),
    [
        ("2026-11-24T15:07:59.999999", "equity", [], None),
        ("2026-11-24T15:08", "equity", ["last_entry"], "2026-11-24T17:00"),
        ("2026-11-24T15:30", "equity", ["last_entry"], "2026-11-24T17:00"),
        ("2026-11-24T16:00", "equity", ["session"], "2026-11-24T17:00"),
        ("2026-11-24T17:00", "equity", [], None),
        ("2026-11-27T11:57:59", "equity", [], None),  # closes at 12:15
        ("2026-11-27T11:58", "equity", ["last_entry"], "2026-11-29T17:00"),
        ("2026-11-28T12:00", "equity", ["session"], "2026-11-29T17:00"),
        ("2026-12-25T10:00", "equity", ["session"], "2026-12-27T17:00"),
        ("2026-11-24T07:44:59", "grains", [], None),
        ("2026-11-24T07:45", "grains", ["session"], "2026-11-24T08:30"),
        ("2026-11-24T13:03", "grains", ["last_entry"], "2026-11-24T19:00"),
        ("2026-03-06T15:08", "equity", ["last_entry"], "2026-03-08T17:00"),  # the clock goes forward that Sunday
        ("2026-10-30T15:08", "equity", ["last_entry"], "2026-11-01T17:00"),  # and back
    ],
)
def test_the_session_opens_and_closes_entries(at: str, group: str, rules: list[str], lifts: str | None) -> None:
    findings = against(at=chicago(at), group=group)

    assert rules == rules_of(findings)
    assert [chicago(lifts)] * len(rules) == [finding.lifts_market_at for finding in findings] if lifts else not rules


@pytest.mark.parametrize(
    ("hours", "at", "lifts"),
    [
        ("08:30-15:00", "2026-11-24T08:29:59", "2026-11-24T08:30"),
        ("08:30-15:00", "2026-11-24T08:30", None),
        ("08:30-15:00", "2026-11-24T14:59:59", None),
        ("08:30-15:00", "2026-11-24T15:00", "2026-11-25T08:30"),
        ("18:00-02:00", "2026-11-24T23:59", None),
        ("18:00-02:00", "2026-11-24T01:59:59", None),
        ("18:00-02:00", "2026-11-24T02:00", "2026-11-24T18:00"),
        ("18:00-02:00", "2026-11-24T12:00", "2026-11-24T18:00"),
        ("18:30-02:00", "2026-11-01T18:00", "2026-11-01T18:30"),  # winter time since the morning
    ],
)
def test_a_person_trades_within_hours_of_chicago(hours: str, at: str, lifts: str | None) -> None:
    findings = against(book=with_changes(BOOK, {"trading_hours": hours}), at=chicago(at))

    if lifts is None:
        assert [] == findings
    else:
        assert ("trading_hours", chicago(lifts)) == told(findings)


@pytest.mark.parametrize(
    ("at", "is_within"),
    [("07:24:59", False), ("07:25", True), ("07:35", True), ("07:35:01", False)],
)
def test_news_keep_minis_of_share_indices_out_and_micros_where_asked(at: str, is_within: bool) -> None:  # noqa: FBT001
    cpi = NewsWindow("CPI", chicago("2026-11-24T07:30"))
    mini = replace(BUY, contract=contract("NQ"))
    instant = chicago(f"2026-11-24T{at}")
    book = replace(BOOK, news=(cpi,))
    strict = replace(BOOK, news=(replace(cpi, blocks_micros=True),))

    findings = against(mini, book=book, at=instant)
    assert (["news"] if is_within else []) == rules_of(findings)
    assert all(chicago("2026-11-24T07:35:01") == finding.lifts_market_at for finding in findings)
    assert [] == against(BUY, book=book, at=instant), "micros may"
    assert is_within == ("news" in rules_of(against(BUY, book=strict, at=instant)))
    assert [] == against(replace(BUY, contract=contract("GC")), book=strict, at=instant, group="metals")


@pytest.mark.parametrize(("made", "on_the_way", "is_allowed"), [(2, 0, True), (3, 0, False), (2, 1, False)])
def test_trades_of_a_day_have_a_most_and_those_on_their_way_count(
    made: int,
    on_the_way: int,
    is_allowed: bool,  # noqa: FBT001
) -> None:
    book = with_changes(BOOK, {"max_trades_per_day": "3"})
    orders = (Working(contract("MES").id, "MES", Side.BUY, 1),) * on_the_way
    findings = against(now=replace(risk(), trade_count_today=made, working=orders), book=book)

    assert [] == findings if is_allowed else told(findings) == ("max_trades_per_day", chicago("2026-11-24T17:00"))


def test_orders_of_a_minute_have_a_most_and_it_lifts_a_minute_after_the_oldest() -> None:
    oldest = NOON - timedelta(seconds=20)
    busy = replace(risk(), order_count_last_minute=30, oldest_order_market_at=oldest)

    assert [] == against(now=replace(busy, order_count_last_minute=29))
    assert ("max_orders_per_minute", oldest + timedelta(minutes=1)) == told(against(now=busy))
    unknown = replace(busy, oldest_order_market_at=None)
    assert ("max_orders_per_minute", NOON + timedelta(minutes=1)) == told(against(now=unknown))


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
def test_own_accounts_never_take_opposite_sides_of_one_family(
    root: str,
    side: Side,
    other: Direction,
    is_allowed: bool,  # noqa: FBT001
) -> None:
    wish = EntryIntent(contract(root), side, 1, 40)
    now = replace(risk(), other_directions={"NQ": frozenset({other})})
    findings = against(wish, now)

    assert [] == findings if is_allowed else told(findings) == ("forbid_opposite_sides", None)
    assert [] == against(wish, now, with_changes(BOOK, {"forbid_opposite_sides": "no"}))


def test_a_trade_risks_no_more_than_its_budget() -> None:
    book = with_changes(BOOK, {"risk_per_trade": "100"})

    assert [] == against(replace(BUY, quantity=5), book=book)
    finding = only(against(replace(BUY, quantity=5, stop_loss_ticks=41), book=book))
    assert "risk per trade: 5 x 41 ticks x 0.50 = 102.50 is more than 100.00" == finding.message


@pytest.mark.parametrize("ticks", [None, 0, -4])
def test_an_entry_without_a_stop_is_forbidden(ticks: int | None) -> None:
    assert "stop_loss" == only(against(replace(BUY, stop_loss_ticks=ticks))).rule


@pytest.mark.parametrize(("balance", "rules"), [("49027.21", []), ("49027.20", ["stop_loss"])])
def test_a_stop_that_would_reach_the_floor_with_its_costs_is_forbidden(balance: str, rules: list[str]) -> None:
    wish = replace(BUY, quantity=10, stop_loss_ticks=200)  # 1,000 and 27.20 of costs; the floor is 48,000
    findings = against(wish, risk(balance))

    assert rules == rules_of(findings)
    if rules:
        assert "is 48,000.00, not above the floor of 48,000.00" in findings[0].message


def test_what_other_stops_may_lose_counts() -> None:
    wish = replace(BUY, stop_loss_ticks=2_000)
    first = Working(contract("MNQ").id, "MNQ", Side.BUY, 1, stop_risk=Decimal(1_000))

    assert [] == against(wish)
    assert "stop_loss" == only(against(wish, replace(risk(), working=(first,)))).rule


def test_every_rule_that_forbids_is_told_at_once() -> None:
    book = with_changes(COMBINE, {"risk_per_trade": "10", "trading_hours": "08:30-09:00"})
    wish = EntryIntent(contract("NQ"), Side.BUY, 6, 40)
    now = replace(risk(48_400), order_count_last_minute=99, other_directions={"NQ": frozenset({Direction.SHORT})})

    assert [
        "max_loss_limit", "max_quantity", "contracts", "last_entry", "trading_hours", "max_orders_per_minute",
        "forbid_opposite_sides", "risk_per_trade", "stop_loss",
    ] == rules_of(against(wish, now, book, chicago("2026-11-24T15:08")))  # fmt: skip
