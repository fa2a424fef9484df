"""The trade history on a real Postgres: booked from fills, and corrected when the past changes."""

from decimal import Decimal
from random import Random

import pytest

from shared.db.trades import round_trips
from shared.db.trades.round_trips import Key, RoundTripFilter
from shared.domain.orders.order import Side
from shared.domain.orders.position import Position, apply_fill, to_dollars
from shared.ledger.jobs.orders import ReconcileAccounts
from shared.ledger.jobs.trades import BookRoundTrips
from tests.fixtures.books import TRIPS, Books
from tests.fixtures.venue import MES, MNQ
from tests.fixtures.worker_env import WorkerEnv

EVERYTHING = "SELECT * FROM round_trip ORDER BY account_id, contract_id, opening_fill_id, part"


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
    books.fill(3, "BUY", 2, 100, 40)  # reported twice

    assert {"booked": 0, "measured": 0} == books.book()
    assert before == books.worker_env.rows(EVERYTHING)
    books.worker_env.execute(
        "INSERT INTO booking_due (account_id, contract_id, filled_market_at) "
        "SELECT account_id, contract_id, min(filled_market_at) FROM fill GROUP BY 1, 2"
    )
    assert {"booked": 2, "measured": 0} == books.book()
    assert [row[:-1] for row in before] == [row[:-1] for row in books.worker_env.rows(EVERYTHING)]  # all but booked_at


def test_fills_booked_one_by_one_give_the_same_round_trips_as_at_once(books: Books) -> None:
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


def test_a_voided_fill_corrects_past_round_trips(books: Books) -> None:
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


def test_a_late_fill_corrects_later_round_trips_and_leaves_earlier_ones(books: Books) -> None:
    for id_, side, pnl in ((1, "BUY", None), (2, "SELL", 20), (4, "SELL", 20), (5, "BUY", None), (6, "SELL", 20)):
        books.fill(id_, side, 1, 110 if side == "SELL" else 100, pnl)
    books.book()
    assert [(1, False), (4, True), (5, False)] == [(row[0], row[6]) for row in books.worker_env.rows(TRIPS)]
    books.worker_env.execute("UPDATE round_trip SET booked_at = '2000-01-01' WHERE opening_fill_id = 1")
    books.fill(3, "BUY", 1, 100)
    books.book()

    assert [(1, False), (3, False), (5, False)] == [(row[0], row[6]) for row in books.worker_env.rows(TRIPS)]


@pytest.mark.parametrize("seed", range(2))
def test_round_trips_do_not_depend_on_the_order_of_fills_and_voids(books: Books, seed: int) -> None:
    random = Random(seed)
    position, reported = Position(), []
    for id_ in range(1, 31):
        side = random.choice(list(Side))
        quantity, ticks = random.randint(1, 3), random.randint(390, 410)
        position, parts = apply_fill(position, side, quantity, ticks)
        pnl = None if parts[0].realised is None else to_dollars(parts[0].realised, Decimal("0.50"))
        reported.append((id_, side, quantity, ticks * Decimal("0.25"), pnl))
    arrived = reported + random.sample(reported, 10)
    random.shuffle(arrived)
    voided = random.sample(reported, 6)
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


def test_excursions_are_measured_once_the_bars_are_stored(books: Books) -> None:
    books.fill(1, "BUY", 1, 100, minute=0.5)
    books.fill(2, "SELL", 1, 110, 20, minute=2.5)
    books.minutes((99, 101), (95, 104))

    assert {"booked": 1, "measured": 0} == books.book()  # the minute of the exit is not over
    books.minutes((99, 101), (95, 104), (103, 112))
    assert {"booked": 0, "measured": 1} == books.book()
    assert [(-10, 24)] == [row[7:] for row in books.worker_env.rows(TRIPS)]
    assert {"booked": 0, "measured": 0} == books.book()


def test_no_excursion_is_measured_without_a_minute_whose_record_was_set_aside(books: Books) -> None:
    """The minute that is missing may be the one with the worst price."""
    books.fill(1, "BUY", 1, 100, minute=0.5)
    books.fill(2, "SELL", 1, 110, 20, minute=2.5)
    books.minutes((99, 101), (95, 104), (103, 112))
    worst = "start = (SELECT start FROM bar_minute ORDER BY low_ticks LIMIT 1)"
    books.worker_env.execute(
        "INSERT INTO rejected_bar (contract_id, record, start, reason)"
        f" SELECT contract_id, 'spoilt', start, 'a test' FROM bar_minute WHERE {worst}"
    )
    books.worker_env.execute(f"DELETE FROM bar_minute WHERE {worst}")

    assert {"booked": 1, "measured": 0} == books.book()
    books.minutes((99, 101), (95, 104), (103, 112))
    assert {"booked": 0, "measured": 1} == books.book()


def test_a_second_booking_at_the_same_time_books_nothing(books: Books) -> None:
    books.fill(1, "BUY", 1, 100)
    books.fill(2, "SELL", 1, 110, 20)
    with books.worker_env.ledger.engine.begin() as other:
        assert round_trips.try_lock_booking(other)
        assert {"booked": 0, "measured": 0} == books.book()

    assert {"booked": 1, "measured": 0} == books.book()


def test_a_round_trip_has_the_origin_of_its_entry_and_no_cancelled_leg(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(take_profit_ticks=800)
    worker_env.run_due_jobs()
    worker_env.critical_alert()
    worker_env.run_due_jobs()
    worker_env.run(ReconcileAccounts())
    worker_env.run(BookRoundTrips())

    ((entry, quantity, strategy, origin, net),) = worker_env.rows(
        "SELECT entry_order_id, quantity, strategy, origin, net FROM round_trip"
    )
    assert [(entry,)] == worker_env.rows("SELECT id FROM orders WHERE role = 'ENTRY'")
    assert (1, None, "alert") == (quantity, strategy, origin)
    assert [(net,)] == worker_env.rows("SELECT sum(coalesce(gross_pnl, 0) - fees - commissions) FROM fill")
    assert {"CANCELLED"} == {row[0] for row in worker_env.rows("SELECT state FROM orders WHERE parent_id IS NOT NULL")}


def test_a_round_trip_gets_its_strategy_from_an_entry_that_is_joined_late(books: Books) -> None:
    books.fill(1, "BUY", 1, 100)
    books.fill(2, "SELL", 1, 110, 20)
    books.book()
    assert [(None, None)] == books.worker_env.rows("SELECT strategy, origin FROM round_trip")
    books.worker_env.execute(f"""
        WITH entry_signal AS (
            INSERT INTO signal (id, origin, strategy, account_id, action, verdict, correlation_id, decided_market_at)
            VALUES (gen_random_uuid(), 'strategy', 'overnight_range', 20001, 'BUY', 'accepted', gen_random_uuid(),
                    now())
            RETURNING id
        ), entry AS (
            INSERT INTO orders (id, account_id, contract_id, signal_id, origin, role, side, type, quantity, state,
                                correlation_id)
            SELECT gen_random_uuid(), 20001, '{MNQ}', id, 'strategy', 'ENTRY', 'BUY', 'MARKET', 1, 'FILLED',
                   gen_random_uuid() FROM entry_signal RETURNING id
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
        while rows := round_trips.list_page(connection, RoundTripFilter(), limit=2, before=before):
            seen += [row["opening_fill_id"] for row in rows]
            before = Key(**{name: rows[-1][name] for name in Key._fields})

    assert [8, 6, 4, 2, 0] == seen
