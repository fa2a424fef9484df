"""`tickwork trades`: the list of round trips, its filters, and the statistics."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from cli.main import main
from shared.db.trades import round_trips
from tests.fixtures.books import Books
from tests.fixtures.json_schemas import check_output
from tests.fixtures.venue import MES, MNQ
from tests.unit.cli.test_tables import Screen


@dataclass(frozen=True)
class CommandResult:
    """The exit status of a command and its output."""

    status: int
    out: str
    error: str


Run = Callable[..., CommandResult]


@pytest.fixture
def trades(books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs `tickwork trades` on three round trips of MNQ, one on the 11th, and one of MES."""
    monkeypatch.setenv("TICKWORK_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", books.worker_env.settings.database_url)
    monkeypatch.setenv("COLUMNS", "200")
    books.fill(1, "SELL", 1, 110, 20)
    books.fill(2, "BUY", 1, 100)
    books.fill(3, "SELL", 1, 95, -10)
    evening = 8 * 60
    books.fill(4, "SELL", 2, 100, minute=evening)
    books.fill(5, "BUY", 2, 90, 40, minute=evening + 1)
    books.fill(6, "BUY", 1, 100, contract_id=MES)
    books.fill(7, "SELL", 1, 101, 5, contract_id=MES)
    books.book()

    def run(*arguments: str) -> CommandResult:
        capsys.readouterr()
        monkeypatch.setattr("sys.argv", ["tickwork", "trades", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        out, error = capsys.readouterr()
        check_output(["trades", *arguments], out)
        return CommandResult(int(end.value.code or 0), out, error)

    return run


def test_the_list_shows_round_trips_newest_first(trades: Run) -> None:
    result = trades()
    lines = [line.split() for line in result.out.splitlines() if " H26 " in line]

    assert (0, "") == (result.status, result.error)
    assert [["MNQ", "SHORT"], ["MES", "LONG"], ["MNQ", "LONG"], ["MNQ", "LONG*"]] == [line[3:6:2] for line in lines]
    assert ["2", "100.00", "90.00", "40.00", "2.44", "37.56", "-", "-", "0:01:00", "unknown", "4", "-", "-"] == lines[
        0
    ][6:]
    assert "includes an opening position, held before the first known fill" in result.out


def test_an_average_price_fits_a_narrow_terminal(books: Books, trades: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    books.fill(8, "BUY", 1, "100.25", minute=600)
    books.fill(9, "BUY", 2, "100.5", minute=601)
    books.fill(10, "SELL", 3, "101.25", "5.00", minute=602)
    books.book()
    monkeypatch.setenv("COLUMNS", "80")
    screen = Screen()
    monkeypatch.setattr("sys.stdout", screen)

    trades("--limit", "2")
    lines = click.unstyle(screen.getvalue()).splitlines()
    assert ["3", "100.4167", "101.25"] == lines[4].split()[5:8]
    assert ["2", "100.00", "90.00"] == lines[5].split()[5:8]
    assert 80 >= max(map(len, lines))


def test_the_json_has_exact_figures(trades: Run) -> None:
    rows = json.loads(trades("--limit", "1", "--json").out)["round_trips"]

    assert [("40.00", "37.56", False, [4, 5])] == [
        (row["gross"], row["net"], row["has_unknown_entry"], row["fill_ids"]) for row in rows
    ]
    assert [(4, 5, 2, "40.00")] == [
        (lot["entry_fill_id"], lot["exit_fill_id"], lot["quantity"], lot["gross"]) for lot in rows[0]["lots"]
    ]


FILTERS: list[tuple[tuple[str, ...], list[int]]] = [
    (("--contract", "MNQ"), [4, 2, 1]),
    (("--contract", MES), [6]),
    (("--contract", "CME_MINI:MNQ1!"), [4, 2, 1]),
    (("--contract", f"MNQ{MNQ[-3]}{MNQ[-1]}"), [4, 2, 1]),
    (("--contract", f"mnq{MNQ[-3]}20{MNQ[-2:]}"), [4, 2, 1]),
    (("--contract", "MNQM9"), []),
    (("--since", "2026-03-11"), [4]),
    (("--until", "2026-03-10"), [6, 2, 1]),
    (("--since", "2026-03-10", "--until", "2026-03-11", "--limit", "2"), [4, 6]),
    (("--account", "20001", "--strategy", "unknown"), [4, 6, 2, 1]),
    (("--strategy", "breakout"), []),
]


def test_each_filter_selects_its_round_trips(trades: Run) -> None:
    found = [json.loads(trades(*arguments, "--json").out)["round_trips"] for arguments, _ in FILTERS]

    assert [expected for _, expected in FILTERS] == [[row["opening_fill_id"] for row in rows] for rows in found]


def test_statistics_cover_the_whole_filter_and_not_one_page(trades: Run) -> None:
    found = json.loads(trades("--limit", "1", "stats", "--contract", "MNQ", "--json").out)["total"]

    assert (3, 2, 1, "50.00") == (found["count"], found["wins"], found["losses"], found["gross"])
    assert found == json.loads(trades("--contract", "MNQ", "stats", "--json").out)["total"]
    result = trades("stats", "--contract", "MNQ")
    assert "win rate" in result.out
    assert "66.7 %" in result.out


def test_statistics_by_day_end_with_the_total(trades: Run) -> None:
    lines = [line.split()[:2] for line in trades("stats", "--by", "day").out.splitlines()]

    assert [["2026-03-10", "3"], ["2026-03-11", "1"], ["total", "4"]] == [
        line for line in lines if line[1:] and line[1].isdigit()
    ]
    found = json.loads(trades("stats", "--by", "contract", "--json").out)
    assert [(MES, 1), (MNQ, 3)] == [(group["name"], group["count"]) for group in found["groups"]]


INVALID: list[tuple[tuple[str, ...], str]] = [
    (("--contract", "FOO"), "unknown symbol 'FOO': expected a root such as MNQ"),
    (("--contract", "CON.F.US.FOO.H26"), "unknown contract id 'CON.F.US.FOO.H26'"),
    (("--contract", "MNQA6"), "MNQA6"),
    (("--since", "soon"), "invalid date 'soon': expected a day such as 2026-03-10"),
    (("--since", "2026-03-11", "--until", "2026-03-10"), "--since 2026-03-11 is later than --until 2026-03-10"),
]


@pytest.mark.parametrize("command", [(), ("stats",)], ids=["list", "stats"])
def test_an_invalid_filter_fails_with_a_hint(trades: Run, command: tuple[str, ...]) -> None:
    for arguments, expected in INVALID:
        result = trades(*command, *arguments)
        assert (2, "") == (result.status, result.out)
        assert expected in result.error
        assert expected in json.loads(trades(*command, *arguments, "--json").out)["error"]


def test_an_empty_result_is_reported(trades: Run) -> None:
    assert "No round trips with --contract ES.\n" == trades("--contract", "ES").out
    assert "No round trips with --contract ES.\n" == trades("stats", "--contract", "ES").out


def test_an_account_is_named_as_in_every_other_command(trades: Run, books: Books) -> None:
    ((name,),) = books.worker_env.rows("SELECT name FROM account")
    for word in ("20001", name, name.lower()):
        assert 4 == len(json.loads(trades("--account", word, "--json").out)["round_trips"])

    refused = trades("stats", "--account", "5")
    assert (1, f"tickwork: account 5 is unknown; known: 20001 ({name})\n") == (refused.status, refused.error)


def test_a_round_trip_is_listed_right_after_its_fill(trades: Run, books: Books) -> None:
    books.fill(8, "BUY", 1, 100, minute=9 * 60)
    books.fill(9, "SELL", 1, 103, 6, minute=9 * 60 + 1)

    (row,) = json.loads(trades("--limit", "1", "--json").out)["round_trips"]
    assert ("6.00", [8, 9]) == (row["gross"], row["fill_ids"])
    books.fill(10, "BUY", 1, 100, minute=10 * 60)
    books.fill(11, "SELL", 1, 104, 8, minute=10 * 60 + 1)
    assert 6 == json.loads(trades("stats", "--json").out)["total"]["count"]
    assert {"booked": 0, "measured": 0} == books.book(), "the schedule finds nothing left"


def test_a_booking_that_another_session_holds_up_hides_no_earlier_round_trip(trades: Run, books: Books) -> None:
    with books.worker_env.ledger.engine.begin() as other:
        assert round_trips.try_lock_booking(other)
        assert 4 == len(json.loads(trades("--json").out)["round_trips"])
