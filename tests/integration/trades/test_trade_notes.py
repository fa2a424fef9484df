"""`tickwork trades note` and `tag`: they stay with their trade, also when it is booked again."""

from threading import Thread

import pytest

from shared.db.trades.trade_notes import TradeKey, change_tags
from tests.fixtures.books import Books
from tests.fixtures.operator import RunCommand
from tests.fixtures.processes import until

WAITS_FOR_A_LOCK = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@pytest.fixture
def trade(books: Books) -> str:
    """The id of one of two trades."""
    books.fill(2, "BUY", 1, 100)
    books.fill(3, "SELL", 1, 95, -10)
    books.fill(4, "BUY", 1, 100)
    books.fill(5, "SELL", 1, 105, 10)
    books.book()
    return "2"


def listed(operator: RunCommand, *words: str) -> list[tuple[int, str, list[str]]]:
    rows = operator("trades", *words, "--json").json["round_trips"]
    return [(row["opening_fill_id"], row["note"], row["tags"]) for row in rows]


def test_notes_and_tags_are_listed_with_their_trade(trade: str, operator: RunCommand) -> None:
    operator("trades", "note", trade, "Entered late, news at 15:00")
    operator("trades", "tag", trade, "Late-Entry", "breakout")
    operator("trades", "tag", trade, "news")
    operator("trades", "tag", trade, "breakout", "--remove")

    assert [(4, "", []), (2, "Entered late, news at 15:00", ["late-entry", "news"])] == listed(operator)
    assert "late-entry, news" in operator("trades").words


def test_tags_of_two_persons_at_once_are_both_kept(trade: str, books: Books, operator: RunCommand) -> None:
    engine = books.worker_env.ledger.engine
    (key,) = (
        TradeKey(*row)
        for row in books.worker_env.rows(
            "SELECT account_id, contract_id, opening_fill_id, part FROM round_trip WHERE opening_fill_id = %s",
            int(trade),
        )
    )

    def add_two() -> None:
        with engine.begin() as other:
            change_tags(other, key, added=["two"], removed=[])

    second = Thread(target=add_two)
    with engine.begin() as first:
        change_tags(first, key, added=["one"], removed=[])
        second.start()
        until(lambda: bool(books.worker_env.rows(WAITS_FOR_A_LOCK)), what="the second change waits")
    second.join()

    assert [["one", "two"]] == [tags for _, _, tags in listed(operator) if tags]


def test_a_tag_selects_trades_and_their_statistics(trade: str, operator: RunCommand) -> None:
    operator("trades", "tag", trade, "late-entry")

    assert [2] == [row[0] for row in listed(operator, "--tag", "LATE-entry")]
    assert [] == listed(operator, "--tag", "other")
    assert 1 == operator("trades", "stats", "--tag", "late-entry", "--json").json["total"]["count"]


def test_a_note_outlives_a_fill_that_comes_late(trade: str, books: Books, operator: RunCommand) -> None:
    operator("trades", "note", trade, "kept")
    books.fill(9, "BUY", 1, 99, minute=2.5)
    books.fill(10, "SELL", 1, 96, -6, minute=2.7)
    books.book()

    assert "kept" == dict(row[:2] for row in listed(operator))[2]


def test_an_empty_note_removes_it(trade: str, operator: RunCommand) -> None:
    operator("trades", "note", trade, "wrong trade")
    result = operator("trades", "note", trade, "")

    assert "tags none, note none" in result.out
    assert [(4, "", []), (2, "", [])] == listed(operator)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("note", "77", "x"), "no trade has the id 77: `tickwork trades` lists them"),
        (("note", "first", "x"), "invalid trade 'first': expected an id as `tickwork trades` lists it"),
        (("tag", "2", "two words"), "invalid tag 'two words': expected up to 40 letters"),
        (("tag", "2", "x", "--account", "5"), "account 5 is unknown"),
        (("note", "2", "x" * 4001), "the note has 4001 characters: expected at most 4000"),
    ],
)
def test_what_is_no_trade_note_or_tag_is_refused(
    trade: str, operator: RunCommand, words: tuple[str, ...], message: str
) -> None:
    assert trade
    result = operator("trades", *words)

    assert result.status
    assert message in result.error
