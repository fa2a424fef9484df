"""The rules that forbid to move the stop of a position away from the market."""

from dataclasses import replace

import pytest

from shared.domain.orders.order import Side
from shared.domain.risk.account_risk import AccountRisk
from shared.domain.risk.entry_rules import SizedEntry, check_wider_stop
from shared.domain.risk.rule_book import RuleBook
from shared.domain.risk.rule_changes import with_changes
from tests.fixtures.account_risks import NOON, contract, held, risk, rules_of
from tests.fixtures.entry_rules import BOOK

HELD = replace(risk(), holdings=(held("MNQ", 2),))


def rules(ticks: int, *, from_average: int | None = None, now: AccountRisk = HELD, book: RuleBook = BOOK) -> list[str]:
    by_price = SizedEntry(contract("MNQ"), Side.BUY, 2, ticks)
    by_average = replace(by_price, stop_loss_ticks=ticks if from_average is None else from_average)
    return rules_of(check_wider_stop(by_average, by_price, now, book, NOON))


@pytest.mark.parametrize(("ticks", "expected"), [(1900, []), (2000, ["stop_loss"])])
def test_the_loss_at_the_stop_must_stay_above_the_loss_limit_level(ticks: int, expected: list[str]) -> None:
    assert expected == rules(ticks)


def test_the_present_stop_of_the_position_does_not_count_beside_the_new_one() -> None:
    (now,) = HELD.holdings

    assert [] == rules(1900, now=replace(HELD, holdings=(replace(now, stop_risk=now.stop_risk + 1000),)))


def test_the_risk_per_trade_counts_from_the_average_price() -> None:
    book = with_changes(BOOK, {"risk_per_trade": "100"})

    assert ([], ["risk_per_trade"]) == (
        rules(200, from_average=100, book=book),
        rules(50, from_average=101, book=book),
    )
    assert [] == rules(50, from_average=-20, book=book)


def test_a_loss_limit_forbids_a_wider_stop() -> None:
    assert ["daily_loss_limit"] == rules(40, now=replace(HELD, is_day_locked=True))


def test_a_missing_price_forbids_a_wider_stop() -> None:
    blind = replace(HELD, holdings=(replace(HELD.holdings[0], exit_price=None),))

    assert ["price"] == rules(40, now=blind)
