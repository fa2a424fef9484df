"""`tickwork statement`: its sums are those of `tickwork trades`, to the cent, in each format."""

import csv
import io
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from shared.db.trades import round_trips
from tests.fixtures.books import Books
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MES, MNQ

AMOUNTS = ("gross", "fees", "commissions", "net")
Sums = Callable[..., dict[str, Decimal]]


@pytest.fixture
def trades(books: Books, operator: RunCommand) -> list[dict[str, Any]]:
    """Three trades of March 10 and 11, as `tickwork trades` shows them."""
    books.fill(2, "BUY", 1, 100)
    books.fill(3, "SELL", 1, 95, -10)
    books.fill(4, "SELL", 2, 100, minute=8 * 60)
    books.fill(5, "BUY", 2, "90.25", 39, minute=8 * 60 + 1)
    books.fill(6, "BUY", 1, 100, contract_id=MES)
    books.fill(7, "SELL", 1, 101, 5, contract_id=MES)
    books.book()
    found: list[dict[str, Any]] = operator("trades", "--json").json["round_trips"]
    return found


def sums_of(rows: list[dict[str, Any]]) -> dict[str, Decimal]:
    return {name: sum((Decimal(row[name]) for row in rows), start=Decimal(0)) for name in AMOUNTS}


def test_the_sums_are_those_of_the_trades_in_each_format(trades: list[dict[str, Any]], operator: RunCommand) -> None:
    expected = sums_of(trades)

    found = operator("statement", "2026-03", "--format", "json").json
    assert expected == {name: Decimal(found["total"][name]) for name in AMOUNTS}
    assert expected == sums_of(found["days"])
    assert [("2026-03-10", 2), ("2026-03-11", 1)] == [(day["trading_day"], day["trades"]) for day in found["days"]]

    rows = list(csv.DictReader(io.StringIO(operator("statement", "2026-03", "--format", "csv").out)))
    assert expected == sums_of(rows)
    assert all(re.fullmatch(r"-?\d+\.\d\d", row[name]) for row in rows for name in AMOUNTS)

    assert {MES, MNQ} == {row["contract"] for row in rows} == {row["contract"] for row in found["trades"]}
    assert all(row["closed_market_at"].endswith("+00:00") for row in rows)

    page = operator("statement", "2026-03", "--format", "html").out
    assert "<td>MNQ H26</td>" in page
    assert MNQ not in page
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", page[page.index('class="total"') :])[:6]
    assert ["total", "3", *(f"{expected[name]:.2f}" for name in AMOUNTS)] == cells

    table = operator("statement", "2026-03").out
    total = next(words for line in table.splitlines() if (words := line.split())[:1] == ["total"])
    assert ["total", "3", *(f"{expected[name]:.2f}" for name in AMOUNTS)] == total


def test_an_average_between_two_ticks_has_two_decimals_more(books: Books, operator: RunCommand) -> None:
    books.fill(2, "BUY", 1, "100.25")
    books.fill(3, "BUY", 2, "100.5")
    books.fill(4, "SELL", 3, "101", 4)
    books.book()

    (row,) = csv.DictReader(io.StringIO(operator("statement", "2026-03", "--format", "csv").out))
    assert ("100.4167", "101.00") == (row["entry_price"], row["exit_price"])
    assert '<td class="number">100.4167</td>' in operator("statement", "2026-03", "--format", "html").out


def test_another_month_has_no_trade(trades: list[dict[str, Any]], operator: RunCommand) -> None:
    assert trades
    assert "no trade was closed" in operator("statement", "2026-04").out
    assert 1 == len(operator("statement", "2026-04", "--format", "csv").out.splitlines())


def test_balances_and_payouts_come_from_the_ended_days(
    books: Books, trades: list[dict[str, Any]], operator: RunCommand
) -> None:
    assert trades
    for day, opening, closing, moved in (("10", 50_000, 49_990, 0), ("11", 49_990, 48_000, -2_000)):
        books.worker_env.execute(
            "INSERT INTO account_day (account_id, trading_day, opening_balance, closing_balance, moved) "
            f"VALUES ({books.worker_env.venue.account_id}, '2026-03-{day}', {opening}, {closing}, {moved})"
        )

    found = operator("statement", "2026-03", "--format", "json").json

    assert ["50000", "48000", "-2000"] == [found[name] for name in ("opening_balance", "closing_balance", "moved")]
    assert "payouts and deposits: -2000.00" in operator("statement", "2026-03").out


def test_a_note_is_no_formula_and_no_markup(trades: list[dict[str, Any]], operator: RunCommand) -> None:
    trade = str(trades[0]["opening_fill_id"])
    operator("trades", "note", trade, '=HYPERLINK("http://x") <b>')

    rows = list(csv.DictReader(io.StringIO(operator("statement", "2026-03", "--format", "csv").out)))
    page = operator("statement", "2026-03", "--format", "html").out

    assert ['\'=HYPERLINK("http://x") <b>'] == [row["note"] for row in rows if row["note"]]
    assert "<b>" not in page
    assert "&lt;b&gt;" in page


def test_a_trade_that_was_just_closed_is_in_it(
    books: Books, trades: list[dict[str, Any]], operator: RunCommand
) -> None:
    books.fill(8, "BUY", 1, 100, minute=9 * 60)
    books.fill(9, "SELL", 1, 103, 6, minute=9 * 60 + 1)

    result = operator("statement", "2026-03", "--format", "csv")

    assert (0, "") == (result.status, result.error)
    assert len(trades) + 1 == len(list(csv.DictReader(io.StringIO(result.out))))


def test_fills_whose_booking_another_session_holds_up_are_told(
    books: Books, trades: list[dict[str, Any]], operator: RunCommand
) -> None:
    books.fill(8, "BUY", 1, 100)

    with books.worker_env.ledger.engine.begin() as other:
        assert round_trips.try_lock_booking(other)
        result = operator("statement", "2026-03", "--format", "csv")

    assert "fills of 1 contract are not booked yet: another session holds them up" in result.error
    assert len(trades) == len(list(csv.DictReader(io.StringIO(result.out))))


def test_what_is_no_month_is_refused(operator: RunCommand) -> None:
    result = operator("statement", "march")

    assert 2 == result.status
    assert "invalid month 'march': expected a month such as 2026-11" in result.error
