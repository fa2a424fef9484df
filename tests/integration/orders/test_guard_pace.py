"""A guard that the venue refuses, or does not answer, asks ever less often and still protects what is new."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.ledger.jobs.orders import GuardPosition, ReconcileAccount
from tests.fixtures.passing_time import run_through_pauses
from tests.fixtures.resting_orders import list_working_orders
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

CANCEL, MODIFY, PLACE, QUERY = "/api/Order/cancel", "/api/Order/modify", "/api/Order/place", "/api/Order/v2/query"
POSITIONS = "/api/Position/searchOpen"
_GUARD = "SELECT id FROM job WHERE name = 'orders.guard_position' AND state = 'queued'"
_MINUTE = timedelta(minutes=1)


def list_stops(worker_env: WorkerEnv) -> list[dict[str, Any]]:
    """Return the working stops at the venue."""
    body = {"filter": {"accountId": worker_env.venue.account_id, "statuses": [1]}}
    return [order for order in worker_env.venue.post(QUERY, **body)["orders"] if order["type"] == 4]


def reconcile(worker_env: WorkerEnv) -> UUID:
    """Reconcile the account, and return the guard that this has enqueued."""
    worker_env.runner.run(worker_env.enqueue(ReconcileAccount(account_id=worker_env.venue.account_id)))
    ((guard,),) = worker_env.rows(_GUARD)
    found: UUID = guard
    return found


def count_reads(worker_env: WorkerEnv) -> int:
    return len(worker_env.venue.requests(QUERY)) + len(worker_env.venue.requests(POSITIONS))


def close_two_of_three(worker_env: WorkerEnv, **entry: Any) -> UUID:
    """Close two of three contracts elsewhere while the venue refuses new sizes; return the guard's job."""
    worker_env.entry_alert(quantity=3, **entry)
    worker_env.run_due_jobs()
    worker_env.venue.faults(path=MODIFY, kind="reject", count=None, error_code=3, message="Invalid quantity.")
    worker_env.venue.close_position(2)
    return reconcile(worker_env)


def test_a_stop_that_the_venue_does_not_shrink_is_replaced_by_one_of_the_right_size(worker_env: WorkerEnv) -> None:
    guard = close_two_of_three(worker_env, take_profit_ticks=800)
    (before,) = list_stops(worker_env)
    run_through_pauses(worker_env, guard, _MINUTE)

    assert [(1, before["stopPrice"])] == [(one["size"], one["stopPrice"]) for one in list_stops(worker_env)]
    assert [1] == [one["size"] for one in list_working_orders(worker_env)]  # the target of the old stop is gone too
    # The position is never without a stop: ids are in the order of their creation.
    assert [(True,)] == worker_env.rows("""
        SELECT max(orders.id::text) < min(order_change.id::text) FROM orders, order_change
        WHERE orders.origin = 'protector' AND order_change.kind = 'CANCEL'
    """)
    assert "succeeded" == worker_env.job(guard)[0]


@pytest.mark.parametrize(("refusals", "left"), [(1, [(1, 1), (4, 1)]), (2, [(4, 1)])])
def test_a_target_that_the_venue_does_not_shrink_is_cancelled_after_a_second_refusal(
    worker_env: WorkerEnv, refusals: int, left: list[tuple[int, int]]
) -> None:
    worker_env.entry_alert(quantity=3, take_profit_ticks=800)
    worker_env.run_due_jobs()
    worker_env.venue.close_position(2)
    worker_env.execute(f"""
        INSERT INTO order_change (id, order_id, kind, quantity, state, origin, reason, correlation_id, created_at)
        SELECT gen_random_uuid(), id, 'MODIFY', 1, 'REJECTED', 'protector', 'a test', gen_random_uuid(),
               now() - number * interval '6 seconds' FROM orders, generate_series(1, {refusals}) AS number
        WHERE role = 'TAKE_PROFIT'
    """)
    run_through_pauses(worker_env, reconcile(worker_env), _MINUTE)

    assert left == sorted((one["type"], one["size"]) for one in list_working_orders(worker_env))


def test_a_stop_that_would_replace_a_too_large_one_and_is_rejected_is_placed_ever_less_often(
    worker_env: WorkerEnv,
) -> None:
    guard = close_two_of_three(worker_env)
    worker_env.venue.faults(path=PLACE, kind="reject", count=None, error_code=2, message="Not now.")
    placed, read = len(worker_env.venue.requests(PLACE)), count_reads(worker_env)
    run_through_pauses(worker_env, guard, _MINUTE)

    assert 2 <= len(worker_env.venue.requests(PLACE)) - placed <= 5
    assert 25 > count_reads(worker_env) - read
    assert [3] == [order["size"] for order in list_stops(worker_env)]
    assert 1 == worker_env.venue.position()
    worker_env.venue.remove_faults()
    run_through_pauses(worker_env, guard, _MINUTE)
    assert [1] == [order["size"] for order in list_stops(worker_env)]


def test_a_cancel_of_a_left_over_stop_that_the_venue_rejects_is_requested_ever_less_often(
    worker_env: WorkerEnv,
) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    worker_env.venue.faults(path=CANCEL, kind="reject", count=None, error_code=3, message="Not now.")
    worker_env.venue.close_position()
    guard, read = reconcile(worker_env), count_reads(worker_env)
    run_through_pauses(worker_env, guard, _MINUTE)

    assert 2 <= len(worker_env.venue.requests(CANCEL)) <= 8
    assert 40 > count_reads(worker_env) - read
    worker_env.venue.remove_faults()
    run_through_pauses(worker_env, guard, _MINUTE)
    assert [] == list_stops(worker_env)


def test_a_new_position_is_guarded_while_every_change_of_an_older_stop_is_refused(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(quantity=2)
    worker_env.run_due_jobs()
    worker_env.venue.faults(path=MODIFY, kind="reject", count=None, error_code=3, message="Invalid quantity.")
    worker_env.venue.faults(path=CANCEL, kind="reject", count=None, error_code=3, message="Not now.")
    worker_env.venue.close_position(1)
    guard = reconcile(worker_env)
    run_through_pauses(worker_env, guard, _MINUTE)
    worker_env.venue.trade(size=3)
    worker_env.runner.run(worker_env.enqueue(ReconcileAccount(account_id=worker_env.venue.account_id)))
    run_through_pauses(worker_env, guard, _MINUTE)

    assert 4 == worker_env.venue.position()
    assert 4 == sum(order["size"] for order in list_stops(worker_env))


def test_a_guard_asks_ever_less_often_while_the_venue_lists_no_orders_and_protects_once_it_does(
    worker_env: WorkerEnv,
) -> None:
    worker_env.venue.trade()
    guard = reconcile(worker_env)
    worker_env.venue.faults(path=QUERY, kind="status", status=500, count=None)
    asked = len(worker_env.venue.requests(QUERY))
    run_through_pauses(worker_env, guard, _MINUTE)
    assert 35 * 3 >= len(worker_env.venue.requests(QUERY)) - asked

    worker_env.venue.remove_faults()
    ((is_soon,),) = worker_env.rows("SELECT run_at - now() <= interval '2 seconds' FROM job WHERE id = %s", guard)
    assert is_soon
    worker_env.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    worker_env.runner.run(guard)
    assert [1] == [order["size"] for order in list_stops(worker_env)]
    worker_env.run(GuardPosition(account_id=worker_env.venue.account_id, contract_id=MNQ))
    assert [("a stop of the protector",)] == worker_env.rows("SELECT guarded_by FROM fill")
