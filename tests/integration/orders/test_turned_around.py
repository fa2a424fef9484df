"""A stop or target of ours that closes more than is held opens a position that was not asked for: it is flattened."""

from decimal import Decimal

import pytest

from shared.ledger.jobs.orders import ReconcileAccount
from tests.fixtures.alert_steps import run_until
from tests.fixtures.resting_orders import list_working_orders
from tests.fixtures.watched_position import entry_price
from tests.fixtures.worker_env import WorkerEnv

TICK = Decimal("0.25")
TOLD = "SELECT message FROM account_event WHERE kind = 'turned_around'"


def reconcile(worker_env: WorkerEnv) -> None:
    worker_env.run(ReconcileAccount(account_id=worker_env.venue.account_id))


@pytest.mark.parametrize(("leg", "ticks"), [("stop", -110), ("target", 210)])
@pytest.mark.parametrize(("action", "sign"), [("buy", 1), ("sell", -1)])
def test_a_position_that_a_leg_has_turned_around_is_flattened_and_told(
    worker_env: WorkerEnv, leg: str, ticks: int, action: str, sign: int
) -> None:
    worker_env.entry_alert(action=action, quantity=3, stop_loss_ticks=100, take_profit_ticks=200)
    worker_env.run_due_jobs()
    price = entry_price(worker_env)
    worker_env.venue.close_position(2)  # elsewhere, and the guard has not seen it yet
    worker_env.venue.move_price(price + sign * ticks * TICK)
    assert -2 * sign == worker_env.venue.position()
    reconcile(worker_env)

    assert 0 == worker_env.venue.position()
    assert [] == list_working_orders(worker_env)
    ((told,),) = worker_env.rows(TOLD)
    assert f"its {leg} closed more than was held and opened {-2 * sign:+}; flattened" in told
    assert [] == worker_env.rows("SELECT 1 FROM fill WHERE guarded_at IS NULL")


def test_a_turned_position_with_a_stop_that_was_placed_by_hand_is_flattened_too(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(quantity=3, stop_loss_ticks=100)
    worker_env.run_due_jobs()
    price = entry_price(worker_env)
    worker_env.venue.close_position(2)
    worker_env.venue.move_price(price - 110 * TICK)
    answer = worker_env.venue.place(type=4, side=0, size=2, stopPrice=float(price), customTag="by-hand")
    assert answer["success"], answer
    reconcile(worker_env)

    assert 0 == worker_env.venue.position()


@pytest.mark.parametrize(("role", "expected"), [("ENTRY", -2), ("OTHER", 0)])
def test_a_position_is_kept_that_an_entry_has_asked_for_whichever_filled_first(
    worker_env: WorkerEnv, role: str, expected: int
) -> None:
    """A stop of ours and an entry at its price: the entry closes, and the stop opens what the entry was to open."""
    worker_env.entry_alert(quantity=3, stop_loss_ticks=100)
    worker_env.run_due_jobs()
    worker_env.venue.close_position(2)
    worker_env.venue.move_price(entry_price(worker_env) - 110 * TICK)
    worker_env.runner.run(worker_env.enqueue(ReconcileAccount(account_id=worker_env.venue.account_id)))
    worker_env.execute(f"UPDATE orders SET role = '{role}' WHERE origin = 'external'")
    worker_env.run_due_jobs()

    assert expected == worker_env.venue.position()


def test_a_position_is_kept_that_is_entered_against_one_whose_stop_has_filled(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(stop_loss_ticks=100)
    worker_env.run_due_jobs()
    worker_env.venue.move_price(entry_price(worker_env) - 110 * TICK)
    reconcile(worker_env)
    worker_env.entry_alert(action="sell", stop_loss_ticks=100)
    worker_env.run_due_jobs()
    reconcile(worker_env)

    assert -1 == worker_env.venue.position()
    assert [] == worker_env.rows(TOLD)


def test_an_entry_of_the_position_before_keeps_no_position_that_a_stop_has_turned_around(
    worker_env: WorkerEnv,
) -> None:
    worker_env.entry_alert(action="sell", stop_loss_ticks=100)
    run_until(worker_env, -1)
    worker_env.entry_alert(quantity=4, stop_loss_ticks=100)
    run_until(worker_env, 3)
    price = entry_price(worker_env)
    worker_env.venue.close_position(2)
    worker_env.venue.move_price(price - 110 * TICK)
    assert -2 == worker_env.venue.position()
    reconcile(worker_env)

    assert 0 == worker_env.venue.position()
    assert 1 == len(worker_env.rows(TOLD))
