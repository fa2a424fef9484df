"""The trade history on a real Postgres: booked from fills, repaired when the past changes, and shown."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import text

from cli.main import main
from shared.db.market_data import bars, contracts
from shared.db.orders import fills
from shared.db.trades import round_trips
from shared.db.trades.round_trips import Key, RoundTripFilter
from shared.domain.market_data.bar import Bar
from shared.domain.market_data.coverage import Span
from shared.domain.orders.order import Side
from shared.domain.orders.position import Position, after_fill, in_money
from shared.ledger.jobs.accounts import BookRoundTrips
from shared.ledger.jobs.orders import ReconcileAccounts
from tests.fixtures.venue import MES, MNQ
from tests.fixtures.worker_env import WorkerEnv

BEGINS = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
TRIPS = (
    "SELECT opening_fill_id, part, direction, quantity, gross, net, has_opening_position, mae, mfe FROM round_trip "
    "ORDER BY closed_market_at, opening_fill_id, part"
)
EVERYTHING = "SELECT * FROM round_trip ORDER BY account_id, contract_id, opening_fill_id, part"


@dataclass
class Books:
    """A worker_env whose fills a test writes by hand, and which books them."""

    worker_env: WorkerEnv

    def fill(
        self, id_: int, side: str, quantity: int, price: object, pnl: object = None, *,
        minute: float | None = None, contract_id: str = MNQ, is_voided: bool = False,
    ) -> None:  # fmt: skip
        """Keep a fill as reconciling or the hub would; told again, it may be voided."""
        row = {
            "account_id": self.worker_env.venue.account_id, "venue_fill_id": id_, "venue_order_id": 1000 + id_,
            "order_id": None, "contract_id": contract_id, "side": side, "quantity": quantity,
            "price": Decimal(str(price)), "gross_pnl": None if pnl is None else Decimal(str(pnl)),
            "fees": Decimal("0.36") * quantity, "commissions": Decimal("0.25") * quantity, "is_voided": is_voided,
            "filled_market_at": BEGINS + timedelta(minutes=id_ if minute is None else minute),
        }  # fmt: skip
        with self.worker_env.ledger.engine.begin() as connection:
            fills.store(connection, [row])

    def book(self) -> dict[str, int]:
        """Book what is due; return what the job reports."""
        state, result, error = self.worker_env.do(BookRoundTrips())
        assert "succeeded" == state, error
        found: dict[str, int] = result
        return found

    def trips(self) -> list[tuple[Any, ...]]:
        """The round trips that are booked, oldest first: opening fill, part, direction, quantity, gross."""
        return [row[:5] for row in self.worker_env.rows(TRIPS)]

    def minutes(self, *lows_and_highs: tuple[int, int], contract_id: str = MNQ) -> None:
        """Hold these bars from the beginning on, and nothing later."""
        made = [
            Bar(BEGINS + timedelta(minutes=minute), low * 4, high * 4, low * 4, high * 4, 1)
            for minute, (low, high) in enumerate(lows_and_highs)
        ]
        with self.worker_env.ledger.engine.begin() as connection:
            connection.execute(text("DELETE FROM bar_minute"))
            bars.store(connection, contract_id, made)
            contracts.add_coverage(connection, contract_id, Span(BEGINS, BEGINS + timedelta(minutes=len(made))))


@pytest.fixture
def books(worker_env: WorkerEnv) -> Books:
    """No bar is held, so that each test says which are."""
    worker_env.execute("UPDATE contract SET held = '{}'")
    return Books(worker_env)


def test_a_round_trip_is_booked_with_its_costs(books: Books) -> None:
    books.fill(1, "BUY", 2, 20000)
    books.fill(2, "SELL", 2, "20010.25", 41)

    assert {"booked": 1, "measured": 0} == books.book()
    assert [(1, 0, "LONG", 2, 41, Decimal("38.56"), False, None, None)] == books.worker_env.rows(TRIPS)


def test_booking_twice_changes_nothing(books: Books) -> None:
    books.fill(1, "BUY", 1, 100)
    books.fill(2, "SELL", 3, 110, 20)
    books.fill(3, "BUY", 2, 100, 40)
    books.book()
    before = books.worker_env.rows(EVERYTHING)
    books.fill(3, "BUY", 2, 100, 40)  # told twice

    assert {"booked": 0, "measured": 0} == books.book()
    assert before == books.worker_env.rows(EVERYTHING)
    books.worker_env.execute(
        "INSERT INTO booking_due (account_id, contract_id, filled_market_at) "
        "SELECT account_id, contract_id, min(filled_market_at) FROM fill GROUP BY 1, 2"
    )
    assert {"booked": 2, "measured": 0} == books.book()
    assert [row[:-1] for row in before] == [row[:-1] for row in books.worker_env.rows(EVERYTHING)]  # but booked_at


def test_fills_that_come_one_by_one_become_what_they_would_at_once(books: Books) -> None:
    books.fill(1, "BUY", 1, 100)
    assert {"booked": 0, "measured": 0} == books.book()
    books.fill(2, "SELL", 3, 110, 20)
    books.book()
    assert [(1, 0, "LONG", 1, 20)] == books.trips()
    books.fill(3, "BUY", 2, 100, 40)
    books.book()
    books.fill(4, "BUY", 1, 100)
    books.fill(5, "SELL", 1, 101, 2)
    books.book()

    assert [(1, 0, "LONG", 1, 20), (2, 1, "SHORT", 2, 40), (4, 0, "LONG", 1, 2)] == books.trips()


def test_a_fill_that_is_voided_repairs_the_past(books: Books) -> None:
    for id_, side, pnl in ((1, "BUY", None), (2, "SELL", 20), (3, "SELL", None), (4, "BUY", 20), (5, "BUY", None)):
        books.fill(id_, side, 1, 110 if side == "SELL" else 100, pnl)
    books.book()
    assert [(1, 0, "LONG", 1, 20), (3, 0, "SHORT", 1, 20)] == books.trips()
    books.fill(1, "BUY", 1, 100, is_voided=True)
    books.fill(2, "SELL", 1, 110, 20, is_voided=True)
    books.book()

    assert [(3, 0, "SHORT", 1, 20)] == books.trips()
    books.fill(1, "BUY", 1, 100)
    books.fill(2, "SELL", 1, 110, 20)
    books.book()
    assert [(1, 0, "LONG", 1, 20), (3, 0, "SHORT", 1, 20)] == books.trips()


def test_a_fill_that_comes_late_repairs_the_past_and_leaves_what_was_before(books: Books) -> None:
    for id_, side, pnl in ((1, "BUY", None), (2, "SELL", 20), (4, "SELL", 20), (5, "BUY", None), (6, "SELL", 20)):
        books.fill(id_, side, 1, 110 if side == "SELL" else 100, pnl)
    books.book()
    assert [(1, False), (4, True), (5, False)] == [(row[0], row[6]) for row in books.worker_env.rows(TRIPS)]
    books.worker_env.execute("UPDATE round_trip SET booked_at = '2000-01-01' WHERE opening_fill_id = 1")
    books.fill(3, "BUY", 1, 100)
    books.book()

    assert [(1, False), (3, False), (5, False)] == [(row[0], row[6]) for row in books.worker_env.rows(TRIPS)]


@pytest.mark.parametrize("seed", range(2))
def test_however_fills_arrive_and_are_voided_the_books_end_as_if_written_at_once(books: Books, seed: int) -> None:
    random = Random(seed)
    position, told = Position(), []
    for id_ in range(1, 31):
        side = random.choice(list(Side))
        quantity, ticks = random.randint(1, 3), random.randint(390, 410)
        position, parts = after_fill(position, side, quantity, ticks)
        pnl = None if parts[0].realised is None else in_money(parts[0].realised, Decimal("0.50"))
        told.append((id_, side, quantity, ticks * Decimal("0.25"), pnl))
    arrived = told + random.sample(told, 10)
    random.shuffle(arrived)
    voided = random.sample(told, 6)
    while arrived or voided:
        if (voided and random.random() < 0.2) or not arrived:
            books.fill(*voided.pop(), is_voided=True)
        else:
            books.fill(*arrived.pop())
        if random.random() < 0.6:
            books.book()
    books.book()
    step_by_step = books.worker_env.rows(EVERYTHING)
    books.worker_env.execute("DELETE FROM round_trip")
    books.worker_env.execute("UPDATE fill SET fees = fees + 1")
    books.worker_env.execute("UPDATE fill SET fees = fees - 1")
    books.book()

    assert step_by_step
    assert [row[:-1] for row in books.worker_env.rows(EVERYTHING)] == [row[:-1] for row in step_by_step]


def test_accounts_and_contracts_do_not_mix(books: Books) -> None:
    books.worker_env.execute("INSERT INTO account (id, name, balance, can_trade) VALUES (7, 'PRAC-7', 0, true)")
    books.fill(1, "BUY", 1, 100)
    books.fill(2, "SELL", 1, 110, 50, contract_id=MES)
    books.worker_env.execute("UPDATE fill SET account_id = 7 WHERE venue_fill_id = 2")
    books.fill(3, "SELL", 1, 110, 20)
    books.book()

    assert [(7, MES), (20001, MNQ)] == books.worker_env.rows(
        "SELECT account_id, contract_id FROM round_trip ORDER BY 1"
    )


def test_excursions_follow_when_the_bars_have_come(books: Books) -> None:
    books.fill(1, "BUY", 1, 100, minute=0.5)
    books.fill(2, "SELL", 1, 110, 20, minute=2.5)
    books.minutes((99, 101), (95, 104))

    assert {"booked": 1, "measured": 0} == books.book()  # the minute of the exit is not over
    books.minutes((99, 101), (95, 104), (103, 112))
    assert {"booked": 0, "measured": 1} == books.book()
    assert [(-10, 24)] == [row[7:] for row in books.worker_env.rows(TRIPS)]
    assert {"booked": 0, "measured": 0} == books.book()


def test_while_another_run_books_this_one_leaves_it_to_that(books: Books) -> None:
    books.fill(1, "BUY", 1, 100)
    books.fill(2, "SELL", 1, 110, 20)
    with books.worker_env.ledger.engine.begin() as other:
        assert round_trips.may_book(other)
        assert {"booked": 0, "measured": 0} == books.book()

    assert {"booked": 1, "measured": 0} == books.book()


def test_what_the_desk_traded_is_booked_under_its_origin_and_no_cancelled_leg_with_it(worker_env: WorkerEnv) -> None:
    worker_env.alert(take_profit_ticks=800)
    worker_env.work()
    worker_env.alert(action="close")
    worker_env.work()
    worker_env.do(ReconcileAccounts())
    worker_env.do(BookRoundTrips())

    ((entry, quantity, strategy, origin, net),) = worker_env.rows(
        "SELECT entry_order_id, quantity, strategy, origin, net FROM round_trip"
    )
    assert [(entry,)] == worker_env.rows("SELECT id FROM orders WHERE role = 'ENTRY'")
    assert (1, None, "alert") == (quantity, strategy, origin)
    assert [(net,)] == worker_env.rows("SELECT sum(coalesce(gross_pnl, 0) - fees - commissions) FROM fill")
    assert {"CANCELLED"} == {row[0] for row in worker_env.rows("SELECT state FROM orders WHERE parent_id IS NOT NULL")}


def test_a_strategys_name_comes_from_the_signal_of_the_entry_that_found_its_order_late(books: Books) -> None:
    books.fill(1, "BUY", 1, 100)
    books.fill(2, "SELL", 1, 110, 20)
    books.book()
    assert [(None, None)] == books.worker_env.rows("SELECT strategy, origin FROM round_trip")
    books.worker_env.execute(f"""
        WITH wish AS (
            INSERT INTO signal (id, origin, strategy, account_id, action, verdict, correlation_id, decided_market_at)
            VALUES (gen_random_uuid(), 'strategy', 'overnight_range', 20001, 'BUY', 'accepted', gen_random_uuid(),
                    now())
            RETURNING id
        ), entry AS (
            INSERT INTO orders (id, account_id, contract_id, signal_id, origin, role, side, type, quantity, state,
                                correlation_id)
            SELECT gen_random_uuid(), 20001, '{MNQ}', id, 'strategy', 'ENTRY', 'BUY', 'MARKET', 1, 'FILLED',
                   gen_random_uuid() FROM wish RETURNING id
        )
        UPDATE fill SET order_id = entry.id FROM entry WHERE venue_fill_id = 1
    """)
    books.book()

    assert [("overnight_range", "strategy")] == books.worker_env.rows("SELECT strategy, origin FROM round_trip")


def test_pages_follow_one_another_without_a_gap(books: Books) -> None:
    for number in range(5):
        books.fill(2 * number, "BUY", 1, 100)
        books.fill(2 * number + 1, "SELL", 1, 110, 20, minute=9)  # all closed in one instant
    books.worker_env.execute("UPDATE fill SET filled_market_at = '2026-03-10 15:00:00Z'")
    books.book()
    seen: list[int] = []
    with books.worker_env.ledger.engine.connect() as connection:
        before = None
        while rows := round_trips.page(connection, RoundTripFilter(), limit=2, before=before):
            seen += [row["opening_fill_id"] for row in rows]
            before = Key(**{name: rows[-1][name] for name in Key._fields})

    assert [8, 6, 4, 2, 0] == seen


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit status."""

    status: int
    out: str
    error: str


Run = Callable[..., Said]


@pytest.fixture
def trades(books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `tickwork trades` on four round trips: two of MNQ on the 10th, one on the 11th, one of MES."""
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

    def run(*arguments: str) -> Said:
        capsys.readouterr()
        monkeypatch.setattr("sys.argv", ["tickwork", "trades", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return Said(int(end.value.code or 0), *capsys.readouterr())

    return run


def test_a_person_sees_round_trips_newest_first(trades: Run) -> None:
    said = trades()
    lines = [line.split() for line in said.out.splitlines() if ".H26" in line]

    assert (0, "") == (said.status, said.error)
    assert [["MNQ.H26", "SHORT"], ["MES.H26", "LONG"], ["MNQ.H26", "LONG"], ["MNQ.H26", "LONG*"]] == [
        line[2:4] for line in lines
    ]
    assert ["2", "100", "90", "40", "2.44", "37.56", "-", "-", "0:01:00", "unknown"] == lines[0][4:]
    assert "*: some of it was held before the first fill we know" in said.out


def test_a_script_reads_exact_figures(trades: Run) -> None:
    rows = json.loads(trades("--limit", "1", "--json").out)["round_trips"]

    assert [("40.00", "37.56", False, [4, 5])] == [
        (row["gross"], row["net"], row["has_opening_position"], row["fill_ids"]) for row in rows
    ]
    assert [(4, 5, 2, "40.00")] == [
        (lot["entry_fill_id"], lot["exit_fill_id"], lot["quantity"], lot["gross"]) for lot in rows[0]["lots"]
    ]


FILTERS: list[tuple[tuple[str, ...], list[int]]] = [
    (("--contract", "MNQ"), [4, 2, 1]),
    (("--contract", MES), [6]),
    (("--since", "2026-03-11"), [4]),
    (("--until", "2026-03-10"), [6, 2, 1]),
    (("--since", "2026-03-10", "--until", "2026-03-11", "--limit", "2"), [4, 6]),
    (("--account", "20001", "--strategy", "unknown"), [4, 6, 2, 1]),
    (("--strategy", "breakout"), []),
]


def test_filters_find_what_they_say(trades: Run) -> None:
    found = [json.loads(trades(*arguments, "--json").out)["round_trips"] for arguments, _ in FILTERS]

    assert [expected for _, expected in FILTERS] == [[row["opening_fill_id"] for row in rows] for rows in found]


def test_statistics_cover_the_whole_filter_and_not_what_a_page_shows(trades: Run) -> None:
    found = json.loads(trades("--limit", "1", "stats", "--contract", "MNQ", "--json").out)["total"]

    assert (3, 2, 1, "50.00") == (found["count"], found["wins"], found["losses"], found["gross"])
    assert found == json.loads(trades("--contract", "MNQ", "stats", "--json").out)["total"]
    said = trades("stats", "--contract", "MNQ")
    assert "win rate" in said.out
    assert "66.7 %" in said.out


def test_statistics_by_day_end_with_the_total(trades: Run) -> None:
    lines = [line.split()[:2] for line in trades("stats", "--by", "day").out.splitlines()]

    assert [["2026-03-10", "3"], ["2026-03-11", "1"], ["total", "4"]] == [
        line for line in lines if line[1:] and line[1].isdigit()
    ]
    found = json.loads(trades("stats", "--by", "contract", "--json").out)
    assert [(MES, 1), (MNQ, 3)] == [(group["name"], group["count"]) for group in found["groups"]]


SENSELESS: list[tuple[tuple[str, ...], str]] = [
    (("--contract", "FOO"), "'FOO' is no symbol we know: use a root such as MNQ"),
    (("--contract", "CON.F.US.FOO.H26"), "'CON.F.US.FOO.H26' is no contract we know"),
    (("--contract", "MNQH6"), "give the root, MNQ, or the venue's id of one contract"),
    (("--since", "soon"), "'soon' is no day: write it as in 2026-03-10"),
    (("--since", "2026-03-11", "--until", "2026-03-10"), "--since 2026-03-11 is later than --until 2026-03-10"),
    (("--account", "5"), "account 5 is unknown: those we know are 20001"),
]


@pytest.mark.parametrize("command", [(), ("stats",)], ids=["list", "stats"])
def test_what_makes_no_sense_is_named_with_its_cure(trades: Run, command: tuple[str, ...]) -> None:
    for arguments, expected in SENSELESS:
        said = trades(*command, *arguments)
        assert (2, "") == (said.status, said.out)
        assert expected in said.error
        assert expected in json.loads(trades(*command, *arguments, "--json").out)["error"]


def test_nothing_found_is_said(trades: Run) -> None:
    assert "No such round trips." in trades("--contract", "ES").out
    assert "No such round trips." in trades("stats", "--contract", "ES").out
