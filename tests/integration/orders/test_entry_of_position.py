"""Only an entry that built the present position sets the distance of its stop and moves it."""

from decimal import Decimal

import pytest

from shared.ledger.jobs.orders import ReconcileAccounts
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

TICK = Decimal("0.25")
STOPS = "SELECT stop_price FROM orders WHERE role = 'STOP_LOSS' AND state = 'WORKING'"
MOVES = "SELECT stop_price FROM order_change WHERE kind = 'MODIFY' AND stop_price IS NOT NULL"


def average_price(worker_env: WorkerEnv) -> Decimal:
    price: Decimal = worker_env.rows("SELECT average_price FROM position")[0][0]
    return price


def watch_far_above(worker_env: WorkerEnv) -> None:
    """Run the watch while the price is 50 points above the average price of the position."""
    price = average_price(worker_env) // TICK * TICK + 50
    worker_env.venue.move_price(price)
    worker_env.write_quote(bid=price)
    worker_env.watch()
    worker_env.run_due_jobs()


@pytest.fixture
def bought_by_hand(worker_env: WorkerEnv) -> WorkerEnv:
    """Long one by hand, after a position whose entry had a stop of 100 ticks and a trailing distance of 8."""
    worker_env.entry_alert(stop_loss_ticks=100, trail_ticks=8)
    worker_env.run_due_jobs()
    worker_env.critical_alert()
    worker_env.run_due_jobs()
    assert 0 == worker_env.venue.position()
    worker_env.venue.trade()
    worker_env.run(ReconcileAccounts())
    return worker_env


def test_the_distance_of_an_earlier_entry_is_not_that_of_a_later_position(bought_by_hand: WorkerEnv) -> None:
    """200 dollars are 400 ticks."""
    assert [(average_price(bought_by_hand) - 400 * TICK,)] == bought_by_hand.rows(STOPS)


def test_the_trail_of_an_earlier_entry_moves_no_stop_of_a_later_position(bought_by_hand: WorkerEnv) -> None:
    watch_far_above(bought_by_hand)

    assert [] == bought_by_hand.rows(MOVES)


def test_a_trail_is_refused_for_a_position_that_no_entry_of_ours_built(bought_by_hand: WorkerEnv) -> None:
    job = bought_by_hand.critical_alert(action="trail", trail_ticks=40)
    bought_by_hand.run_due_jobs()

    assert "it has no entry of ours that can store the distance" in (bought_by_hand.job(job)[2] or "")


def test_an_entry_that_adds_to_a_position_moves_its_stops(bought_by_hand: WorkerEnv) -> None:
    bought_by_hand.entry_alert(trail_ticks=8)
    bought_by_hand.run_due_jobs()
    watch_far_above(bought_by_hand)

    assert 2 == len(bought_by_hand.rows(MOVES))


def test_an_entry_against_a_position_moves_no_stop_of_it(worker_env: WorkerEnv) -> None:
    worker_env.venue.trade(size=2)
    worker_env.run(ReconcileAccounts())
    worker_env.entry_alert(action="sell", trail_ticks=8)
    worker_env.run_due_jobs()
    assert 1 == worker_env.venue.position(MNQ)
    watch_far_above(worker_env)

    assert [] == worker_env.rows(MOVES)
