"""The guard: every position has a working stop of its size, and no order is left over when flat."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from shared.ledger.jobs.orders import GuardPosition, ReconcileAccounts
from tests.fixtures.entries import GUARDED
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.fixtures.worker_processes import process
from workers.wiring import open_runner

PLACE = "/api/Order/place"
STOPS = "SELECT side, quantity, stop_price FROM orders WHERE role = 'STOP_LOSS' AND state = 'WORKING'"


def stops_at_venue(worker_env: WorkerEnv) -> list[dict[str, Any]]:
    """Return the working stops at the venue."""
    body = {"filter": {"accountId": worker_env.venue.account_id, "statuses": [1]}}
    orders = worker_env.venue.post("/api/Order/v2/query", **body)["orders"]
    return [order for order in orders if order["type"] == 4]


def test_a_fill_whose_bracket_works_is_guarded_in_the_transaction_that_records_it(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()

    assert [("the bracket's stop", True)] == worker_env.rows("SELECT guarded_by, guarded_at = recorded_at FROM fill")
    assert [] == worker_env.rows(GUARDED)  # no job was needed
    assert 1 == len(stops_at_venue(worker_env))


def test_an_external_position_gets_a_stop_of_the_protector(worker_env: WorkerEnv) -> None:
    worker_env.venue.trade(size=2)
    worker_env.run(ReconcileAccounts())

    assert [("SELL", 2)] == [row[:2] for row in worker_env.rows(STOPS)]
    assert [2] == [order["size"] for order in stops_at_venue(worker_env)]
    assert [("a stop of the protector",)] == worker_env.rows("SELECT guarded_by FROM fill")


def test_complaint_2_a_stop_cancelled_by_hand_is_placed_again_at_its_price(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    (stop,) = stops_at_venue(worker_env)
    worker_env.venue.post("/api/Order/cancel", accountId=worker_env.venue.account_id, orderId=stop["id"])
    worker_env.run(ReconcileAccounts())

    (again,) = stops_at_venue(worker_env)
    assert again["id"] != stop["id"]
    assert abs(Decimal(str(again["stopPrice"])) - Decimal(str(stop["stopPrice"]))) <= Decimal("0.25")


def test_a_position_whose_stop_the_venue_rejects_is_flattened(worker_env: WorkerEnv) -> None:
    worker_env.venue.trade()
    worker_env.venue.faults(path=PLACE, kind="reject", count=None, error_code=2, message="Invalid price.")
    worker_env.run(ReconcileAccounts())

    assert 0 == worker_env.venue.position(MNQ)
    assert [] == stops_at_venue(worker_env)
    ((reason,),) = worker_env.rows("SELECT reason FROM flatten_request WHERE flat_at IS NOT NULL")
    assert "Invalid price." in reason
    assert [("unprotected",)] == worker_env.rows("SELECT kind FROM account_event WHERE kind = 'unprotected'")


def test_a_stop_whose_answer_was_lost_is_found_and_not_placed_twice(worker_env: WorkerEnv) -> None:
    worker_env.venue.trade()
    worker_env.venue.faults(path=PLACE, kind="lose_answer_after")
    worker_env.run(ReconcileAccounts())

    assert 1 == len(stops_at_venue(worker_env))
    assert 1 == worker_env.venue.position(MNQ)


def test_an_unsent_stop_does_not_prevent_a_later_one(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    worker_env.execute(f"""
        INSERT INTO orders (id, account_id, contract_id, client_order_id, origin, role, side, type, quantity,
                            stop_price, state, correlation_id)
        SELECT gen_random_uuid(), account_id, contract_id, 'tw-lost', 'protector', 'STOP_LOSS', 'SELL', 'STOP', 1, 1000,
               'CREATED', gen_random_uuid() FROM position WHERE contract_id = '{MNQ}'
    """)
    (stop,) = stops_at_venue(worker_env)
    worker_env.venue.post("/api/Order/cancel", accountId=worker_env.venue.account_id, orderId=stop["id"])
    worker_env.run(ReconcileAccounts())

    assert 1 == len(stops_at_venue(worker_env))
    assert [("CANCELLED", "its guard did not send it")] == worker_env.rows(
        "SELECT state, reason FROM orders WHERE client_order_id = 'tw-lost'"
    )


def test_an_unsent_stop_is_placed_once_the_venue_accepts_it(worker_env: WorkerEnv) -> None:
    worker_env.venue.trade()
    worker_env.redis.delete(*worker_env.redis.keys("*token*"))
    worker_env.venue.faults(path=PLACE, kind="status", status=401, count=2)
    worker_env.run(ReconcileAccounts())

    assert [("SELL", 1)] == [row[:2] for row in worker_env.rows(STOPS)]
    assert 1 == len(stops_at_venue(worker_env))
    assert [] == worker_env.rows("SELECT 1 FROM orders WHERE state = 'CREATED'")


def test_legs_that_outlive_their_position_are_cancelled(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(take_profit_ticks=800)
    worker_env.run_due_jobs()
    worker_env.venue.close_position()
    worker_env.run(ReconcileAccounts())

    assert 0 == worker_env.venue.position(MNQ)
    assert [] == stops_at_venue(worker_env)
    assert [] == worker_env.rows("SELECT id FROM orders WHERE state IN ('WORKING', 'SUSPENDED')")
    assert {("CANCEL", "DONE")} == set(worker_env.rows("SELECT kind, state FROM order_change"))


def test_an_opposite_entry_leaves_no_stop_that_could_open_a_position(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    worker_env.entry_alert(action="sell")
    worker_env.run_due_jobs()

    assert 0 == worker_env.venue.position(MNQ)
    assert [] == stops_at_venue(worker_env)


def test_a_reversal_has_a_stop_of_the_new_size_on_the_new_side_only(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    worker_env.entry_alert(action="sell", quantity=3)
    worker_env.run_due_jobs()

    assert -2 == worker_env.venue.position(MNQ)
    assert [(0, 2)] == [(order["side"], order["size"]) for order in stops_at_venue(worker_env)]


def test_a_position_reduced_by_hand_keeps_a_stop_of_its_size(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(quantity=3, take_profit_ticks=800)
    worker_env.run_due_jobs()
    worker_env.venue.close_position(2)
    worker_env.run(ReconcileAccounts())

    assert 1 == worker_env.venue.position(MNQ)
    assert [1] == [order["size"] for order in stops_at_venue(worker_env)]


def test_a_fill_whose_guard_was_lost_is_guarded_by_the_watch(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    worker_env.execute("UPDATE fill SET guarded_at = NULL, recorded_at = now() - interval '3 seconds'")
    worker_env.write_quote()
    worker_env.watch()
    worker_env.run_due_jobs()

    assert [] == worker_env.rows("SELECT 1 FROM fill WHERE guarded_at IS NULL")


def test_an_account_whose_live_orders_were_never_on_is_left_alone(worker_env: WorkerEnv) -> None:
    """The simulator plays the real venue; a person trades there by hand, without a stop."""
    worker_env.venue.trade()
    placed = len(worker_env.venue.requests(PLACE))
    real = replace(worker_env.settings, venue=replace(worker_env.settings.venue, is_simulator=False))
    with open_runner(real, process("real/1"), program="test") as runner:
        runner.run(worker_env.enqueue(ReconcileAccounts()))
        for name in ("orders.reconcile_account", "orders.guard_position"):
            for (job_id,) in worker_env.rows("SELECT id FROM job WHERE name = %s AND state = 'queued'", name):
                runner.run(job_id)
        worker_env.watch(real)
        closed = worker_env.critical_alert()
        runner.run(closed)

    assert 1 == worker_env.venue.position(MNQ)
    assert placed == len(worker_env.venue.requests(PLACE))
    assert [("nothing: live orders were never on",)] == worker_env.rows("SELECT guarded_by FROM fill")
    assert [] == worker_env.rows("SELECT 1 FROM flatten_request")
    assert "were never on" in (worker_env.job(closed)[2] or "")


def test_a_second_guard_changes_nothing(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    placed = len(worker_env.venue.requests(PLACE))
    for _ in range(2):
        worker_env.run(GuardPosition(account_id=worker_env.venue.account_id, contract_id=MNQ))

    assert placed == len(worker_env.venue.requests(PLACE))
    assert 1 == len(stops_at_venue(worker_env))


@pytest.mark.parametrize(("columns", "moved_to"), [({"breakeven_ticks": 4}, 0), ({"trail_ticks": 8}, 12)])
def test_breakeven_and_trailing_distance_move_the_stop(
    worker_env: WorkerEnv, columns: dict[str, int], moved_to: int
) -> None:
    """`moved_to` is the expected stop, in ticks above the entry, once the price is 20 ticks above the entry."""
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    ((entry,),) = worker_env.rows("SELECT average_fill_price FROM orders WHERE role = 'ENTRY'")
    assignments = ", ".join(f"{name} = {value}" for name, value in columns.items())
    worker_env.execute(f"UPDATE orders SET {assignments} WHERE role = 'ENTRY'")
    up = entry + 5
    worker_env.venue.move_price(up)
    worker_env.write_quote(bid=up)
    worker_env.watch()
    worker_env.run_due_jobs()

    wanted = entry + moved_to * Decimal("0.25")
    assert [wanted] == [Decimal(str(order["stopPrice"])) for order in stops_at_venue(worker_env)]
    assert [("MODIFY", "DONE")] == worker_env.rows("SELECT kind, state FROM order_change")
