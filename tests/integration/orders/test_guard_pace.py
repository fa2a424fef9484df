"""A guard that the venue refuses, or does not answer, asks ever less often and still protects what is new."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from shared.ledger.jobs.orders import GuardPosition, ReconcileAccount
from tests.fixtures.passing_time import run_through_pauses
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

CANCEL, MODIFY, QUERY = "/api/Order/cancel", "/api/Order/modify", "/api/Order/v2/query"
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


def test_a_shrink_of_a_stop_that_the_venue_rejects_is_requested_ever_less_often(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(quantity=3)
    worker_env.run_due_jobs()
    worker_env.venue.faults(path=MODIFY, kind="reject", count=None, error_code=3, message="Invalid quantity.")
    worker_env.venue.close_position(2)
    guard, read = reconcile(worker_env), count_reads(worker_env)
    run_through_pauses(worker_env, guard, _MINUTE)

    assert 2 <= len(worker_env.venue.requests(MODIFY)) <= 5
    assert 15 > count_reads(worker_env) - read
    assert [("REJECTED",)] == worker_env.rows("SELECT DISTINCT state FROM order_change")
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


def test_a_new_position_is_guarded_while_the_shrink_of_an_older_stop_is_refused(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(quantity=2)
    worker_env.run_due_jobs()
    worker_env.venue.faults(path=MODIFY, kind="reject", count=None, error_code=3, message="Invalid quantity.")
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
