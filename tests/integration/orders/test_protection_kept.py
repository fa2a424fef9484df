"""What protects a position stays until it is flat, also what a person placed elsewhere or the venue names oddly."""

import pytest

from shared.gateway import wire
from shared.ledger.jobs.orders import GuardPosition, ReconcileAccounts, ReducePosition
from tests.fixtures.hand_orders import place_target
from tests.fixtures.operator import RunCommand
from tests.fixtures.resting_orders import list_working_orders
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

CLOSE = "/api/Position/closeContract"
QUERY = "/api/Order/v2/query"


@pytest.fixture
def unreadable(worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch) -> WorkerEnv:
    """Long two with a bracket, by which one was sold elsewhere; the venue then names directions that we do not know."""
    worker_env.entry_alert(quantity=2, take_profit_ticks=800)
    worker_env.run_due_jobs()
    monkeypatch.setattr(wire, "_DIRECTIONS", {})
    return worker_env


@pytest.mark.parametrize("is_listed", [True, False], ids=["by the venue's list", "by our rows"])
def test_a_flatten_whose_close_fails_leaves_the_stop_that_was_placed_by_hand(
    bought_by_hand: WorkerEnv, *, is_listed: bool
) -> None:
    bought_by_hand.venue.faults(path=CLOSE, kind="reject", count=1, error_code=5, message="outside trading hours")
    if not is_listed:
        bought_by_hand.venue.faults(path=QUERY, kind="status", status=500, count=1)
    bought_by_hand.runner.run(bought_by_hand.flatten(MNQ, "a test"))
    assert 1 == bought_by_hand.venue.position()
    assert [1, 4] == sorted(order["type"] for order in list_working_orders(bought_by_hand))
    bought_by_hand.run_due_jobs()
    bought_by_hand.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    bought_by_hand.execute(
        "UPDATE contract_close SET sent_at = sent_at - interval '20 s', ended_at = ended_at - interval '20 s'"
    )
    bought_by_hand.run_due_jobs()

    assert 0 == bought_by_hand.venue.position()
    assert [] == list_working_orders(bought_by_hand)


def test_a_flatten_cancels_an_order_by_hand_that_is_larger_than_the_position(bought_by_hand: WorkerEnv) -> None:
    place_target(bought_by_hand, size=3)
    bought_by_hand.venue.faults(path=CLOSE, kind="reject", count=1, error_code=5, message="outside trading hours")
    bought_by_hand.runner.run(bought_by_hand.flatten(MNQ, "a test"))

    assert [1, 1] == [order["size"] for order in list_working_orders(bought_by_hand)]


def test_cancel_all_leaves_the_stop_and_the_target_that_were_placed_by_hand(
    operator: RunCommand, bought_by_hand: WorkerEnv
) -> None:
    place_target(bought_by_hand, size=3)
    bought_by_hand.run(ReconcileAccounts())
    result = operator("orders", "cancel", "--all", "--yes", "--wait", "0.1")
    bought_by_hand.run_due_jobs()

    assert 1 == len(bought_by_hand.rows("SELECT 1 FROM order_change")), result
    assert [1, 1] == [order["size"] for order in list_working_orders(bought_by_hand)]


def test_a_guard_cancels_no_stop_of_a_position_whose_direction_it_cannot_read(unreadable: WorkerEnv) -> None:
    unreadable.venue.close_position(1)
    unreadable.execute("UPDATE fill SET guarded_at = NULL, recorded_at = now() - interval '5 s'")
    unreadable.runner.run(unreadable.enqueue(GuardPosition(account_id=unreadable.venue.account_id, contract_id=MNQ)))

    assert {1, 4} <= {order["type"] for order in list_working_orders(unreadable)}


def test_an_exit_of_a_position_whose_direction_it_cannot_read_goes_by_our_rows(unreadable: WorkerEnv) -> None:
    account_id = unreadable.venue.account_id
    assert "succeeded" == unreadable.run(ReducePosition(account_id=account_id, contract_id=MNQ, quantity=1))[0]

    assert 1 == unreadable.venue.position()


def test_a_position_that_cannot_be_read_keeps_no_exit_in_another_root_waiting(unreadable: WorkerEnv) -> None:
    unreadable.execute("UPDATE position SET direction = 'FLAT', quantity = 0")
    job_id = unreadable.critical_alert(symbol="MES", quantity=1)
    unreadable.runner.run(job_id)

    assert "queued" != unreadable.job(job_id)[0], unreadable.job(job_id)


def test_an_exit_of_a_position_whose_direction_is_unknown_to_both_sides_waits_and_says_so(
    unreadable: WorkerEnv,
) -> None:
    unreadable.execute("UPDATE position SET direction = 'FLAT', quantity = 0")
    job_id = unreadable.enqueue(ReducePosition(account_id=unreadable.venue.account_id, contract_id=MNQ, quantity=1))
    unreadable.runner.run(job_id)

    state, _, error = unreadable.job(job_id)
    assert "queued" == state
    assert "the direction cannot be read: close it by hand" in (error or "")
