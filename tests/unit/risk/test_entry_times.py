"""The entries that session, trading hours, news and order rates forbid, with edges, and when each lifts."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.orders.order import Side
from shared.domain.risk.account_risk import OpenEntry
from shared.domain.risk.rule_book import NewsWindow
from shared.domain.risk.rule_changes import with_changes
from tests.fixtures.account_risks import NOON, chicago, contract, risk, rules_of
from tests.fixtures.entry_rules import BOOK, BUY, rule_and_lift, violations_of


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
def test_entries_are_allowed_only_in_a_session_before_its_last_entry(
    at: str, group: str, rules: list[str], lifts: str | None
) -> None:
    findings = violations_of(at=chicago(at), group=group)

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
def test_entries_are_allowed_only_within_the_trading_hours(hours: str, at: str, lifts: str | None) -> None:
    findings = violations_of(book=with_changes(BOOK, {"trading_hours": hours}), at=chicago(at))

    if lifts is None:
        assert [] == findings
    else:
        assert ("trading_hours", chicago(lifts)) == rule_and_lift(findings)


@pytest.mark.parametrize(
    ("at", "is_within"),
    [("07:24:59", False), ("07:25", True), ("07:35", True), ("07:35:01", False)],
)
def test_news_forbid_minis_of_share_indices_and_micros_if_set(at: str, is_within: bool) -> None:  # noqa: FBT001
    cpi = NewsWindow("CPI", chicago("2026-11-24T07:30"))
    mini = replace(BUY, contract=contract("NQ"))
    instant = chicago(f"2026-11-24T{at}")
    book = replace(BOOK, news=(cpi,))
    strict = replace(BOOK, news=(replace(cpi, blocks_micros=True),))

    findings = violations_of(mini, book=book, at=instant)
    assert (["news"] if is_within else []) == rules_of(findings)
    assert all(chicago("2026-11-24T07:35:01") == finding.lifts_market_at for finding in findings)
    assert [] == violations_of(BUY, book=book, at=instant), "micros are allowed"
    assert is_within == ("news" in rules_of(violations_of(BUY, book=strict, at=instant)))
    assert [] == violations_of(replace(BUY, contract=contract("GC")), book=strict, at=instant, group="metals")


@pytest.mark.parametrize(("made", "on_the_way", "is_allowed"), [(2, 0, True), (3, 0, False), (2, 1, False)])
def test_the_trades_of_a_day_are_limited_and_working_entries_count(
    made: int,
    on_the_way: int,
    is_allowed: bool,  # noqa: FBT001
) -> None:
    book = with_changes(BOOK, {"max_trades_per_day": "3"})
    orders = (OpenEntry(contract("MES").id, "MES", Side.BUY, 1),) * on_the_way
    findings = violations_of(now=replace(risk(), trade_count_today=made, open_entries=orders), book=book)

    assert (
        [] == findings if is_allowed else rule_and_lift(findings) == ("max_trades_per_day", chicago("2026-11-24T17:00"))
    )


def test_the_orders_of_a_minute_are_limited_until_a_minute_after_the_oldest() -> None:
    oldest = NOON - timedelta(seconds=20)
    busy = replace(risk(), order_count_last_minute=30, oldest_order_market_at=oldest)

    assert [] == violations_of(now=replace(busy, order_count_last_minute=29))
    assert ("max_orders_per_minute", oldest + timedelta(minutes=1)) == rule_and_lift(violations_of(now=busy))
    unknown = replace(busy, oldest_order_market_at=None)
    assert ("max_orders_per_minute", NOON + timedelta(minutes=1)) == rule_and_lift(violations_of(now=unknown))
