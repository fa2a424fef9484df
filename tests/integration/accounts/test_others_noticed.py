"""Every read of the venue's orders notices those of another installation, before it adopts one or acts on it."""

from pathlib import Path

import pytest

from shared.db.orders import changes, flatten_requests
from shared.domain.orders.order import ChangeKind, Direction, Origin
from shared.ids import new_id
from shared.ledger.jobs.orders import ChangeOrder, Flatten, PlaceOrder, PollFills, ReducePosition, ResolveInDoubtOrder
from shared.ledger.ledger import Transaction
from tests.fixtures.held_locks import running_statement
from tests.fixtures.operator import RunCommand, worker_at
from tests.fixtures.two_installations import (
    CANCEL,
    OTHER,
    count_mutations,
    hold_one,
    is_working,
    read_other,
    report_fills,
    rest_as,
    trade_as,
)
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

ROOT = Path(__file__).resolve().parents[3]
EXTERNAL = "SELECT client_order_id FROM orders WHERE origin = 'external'"
REASON = f"another installation of Tickwork ({OTHER}) placed an order on it"


def request_flatten(tx: Transaction, worker_env: WorkerEnv) -> Flatten:
    """Request a flatten as guard and watch do."""
    request = flatten_requests.create(
        tx.connection,
        worker_env.venue.account_id,
        None,
        origin=Origin.PROTECTOR,
        reason="the maximum loss limit is reached",
        correlation_id=new_id(),
    )
    return Flatten(flatten_request_id=request)


def record_other(worker_env: WorkerEnv) -> None:
    """Make the account read-only, as a job that noticed another installation meanwhile does."""
    market_now = worker_env.venue.clock.now()
    worker_env.execute(f"UPDATE account SET other_installation = '{OTHER}', other_ordered_market_at = '{market_now}'")


def test_the_guard_notices_whose_position_it_is_and_places_no_stop(worker_env: WorkerEnv) -> None:
    """Only the fill was reported: by our rows alone, it is a position without a stop."""
    trade_as(worker_env)
    sent = count_mutations(worker_env)
    report_fills(worker_env)

    assert OTHER == read_other(worker_env)
    assert sent == count_mutations(worker_env)
    assert [] == worker_env.rows("SELECT 1 FROM orders")
    assert [(f"nothing: {OTHER} trades the account",)] == worker_env.rows("SELECT guarded_by FROM fill")


def test_a_take_over_protects_at_once_what_the_guard_left_without_a_stop(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    trade_as(worker_env)
    report_fills(worker_env)
    assert [] == worker_env.rows("SELECT 1 FROM orders WHERE role = 'STOP_LOSS'")
    done = operator("accounts", "take-over", "20001", "--yes")
    worker_env.run_due_jobs()

    assert 0 == done.status, done
    assert [("SELL", 1, "WORKING")] == worker_env.rows(
        "SELECT side, quantity, state FROM orders WHERE role = 'STOP_LOSS'"
    )


def test_the_guard_still_protects_a_position_that_a_person_opened_elsewhere(worker_env: WorkerEnv) -> None:
    worker_env.venue.trade()
    report_fills(worker_env)

    assert [("PROTECTOR", "WORKING")] == [
        (origin.upper(), state)
        for origin, state in worker_env.rows("SELECT origin, state FROM orders WHERE role = 'STOP_LOSS'")
    ]


def test_an_entry_that_waits_to_be_sent_is_denied_once_another_installation_is_noticed(worker_env: WorkerEnv) -> None:
    hold_one(worker_env)
    worker_env.execute("UPDATE orders SET state = 'CREATED', venue_order_id = NULL, created_at = now()")
    ((order_id,),) = worker_env.rows("SELECT id FROM orders WHERE role = 'ENTRY'")
    record_other(worker_env)
    sent = count_mutations(worker_env)
    state, _, error = worker_env.run(PlaceOrder(order_id=order_id))

    assert ("failed", "RefusedError: another installation of Tickwork trades the account") == (state, error)
    assert sent == count_mutations(worker_env)


def test_resolving_an_order_in_doubt_adopts_no_order_of_another_installation(worker_env: WorkerEnv) -> None:
    hold_one(worker_env)
    worker_env.execute("UPDATE orders SET state = 'IN_DOUBT', venue_order_id = NULL WHERE role = 'ENTRY'")
    rest_as(worker_env)
    ((order_id,),) = worker_env.rows("SELECT id FROM orders WHERE role = 'ENTRY'")
    assert {"order": "found"} == worker_env.run(ResolveInDoubtOrder(order_id=order_id))[1]

    assert OTHER == read_other(worker_env)
    assert [] == worker_env.rows(EXTERNAL)


def test_a_poll_for_fills_notices_another_installation(worker_env: WorkerEnv) -> None:
    hold_one(worker_env)
    worker_env.execute("UPDATE orders SET state = 'WORKING' WHERE role = 'ENTRY'")
    rest_as(worker_env)
    ((order_id,),) = worker_env.rows("SELECT id FROM orders WHERE role = 'ENTRY'")
    worker_env.run(PollFills(order_id=order_id))

    assert OTHER == read_other(worker_env)


def test_a_flatten_of_the_watch_stops_at_the_sight_of_another_installation(worker_env: WorkerEnv) -> None:
    hold_one(worker_env)
    resting = rest_as(worker_env)
    with worker_env.ledger.transaction() as tx:
        job_id = tx.enqueue(request_flatten(tx, worker_env), publish_on_commit=False).job_id
    worker_env.run_due_jobs()

    assert REASON in worker_env.job(job_id)[1]["not_flattened"]
    assert OTHER == read_other(worker_env)
    assert is_working(worker_env, resting)
    assert [] == worker_env.rows(EXTERNAL)
    assert [] == worker_env.venue.requests(CANCEL)


def test_a_flatten_by_hand_cancels_the_orders_of_both_and_adopts_none(worker_env: WorkerEnv) -> None:
    hold_one(worker_env)
    resting = rest_as(worker_env)
    job_id = worker_env.flatten()
    worker_env.run_due_jobs()

    assert "succeeded" == worker_env.job(job_id)[0]
    assert OTHER == read_other(worker_env)
    assert not is_working(worker_env, resting)
    assert 0 == worker_env.venue.position(MNQ)
    assert [] == worker_env.rows(EXTERNAL + " AND client_order_id IS NOT NULL")


def test_a_flatten_by_hand_does_not_wait_for_the_lock_that_hides_another_installation(worker_env: WorkerEnv) -> None:
    hold_one(worker_env)
    resting = rest_as(worker_env)
    job_id = worker_env.flatten()
    with running_statement(worker_env.settings.require_database(), "SELECT 1 FROM account FOR UPDATE"):
        worker_env.runner.run(job_id)
        assert 0 == worker_env.venue.position(MNQ)
        assert not is_working(worker_env, resting)
    worker_env.run_due_jobs()

    assert "succeeded" == worker_env.job(job_id)[0]
    assert OTHER == read_other(worker_env)
    assert [] == worker_env.rows(EXTERNAL + " AND client_order_id IS NOT NULL")


def test_a_queued_flatten_of_the_watch_ends_without_acting(worker_env: WorkerEnv) -> None:
    hold_one(worker_env)
    with worker_env.ledger.transaction() as tx:
        job_id = tx.enqueue(request_flatten(tx, worker_env), publish_on_commit=False).job_id
    record_other(worker_env)
    sent = count_mutations(worker_env)
    worker_env.run_due_jobs()
    worker_env.watch()
    worker_env.run_due_jobs()

    state, result, _ = worker_env.job(job_id)
    assert "succeeded" == state
    assert REASON in result["not_flattened"]
    assert sent == count_mutations(worker_env)
    ((flat_at, is_dropped, progress),) = worker_env.rows(
        "SELECT flat_at, dropped_at IS NOT NULL, progress FROM flatten_request"
    )
    assert (None, True) == (flat_at, is_dropped)
    assert REASON in progress


def test_a_person_who_joins_a_flatten_of_the_watch_gets_it(operator: RunCommand, worker_env: WorkerEnv) -> None:
    hold_one(worker_env)
    with worker_env.ledger.transaction() as tx:
        request_flatten(tx, worker_env)
    record_other(worker_env)
    with worker_at(worker_env):
        done = operator("flatten", "--yes")

    assert 0 == done.status, done
    assert 0 == worker_env.venue.position(MNQ)


@pytest.mark.parametrize(("origin", "closes"), [(Origin.PROTECTOR, 0), (Origin.MANUAL, 1), (Origin.ALERT, 1)])
def test_only_a_queued_reduction_of_the_watch_ends_without_acting(
    worker_env: WorkerEnv, origin: Origin, closes: int
) -> None:
    hold_one(worker_env)
    record_other(worker_env)
    request = ReducePosition(account_id=20001, contract_id=MNQ, quantity=1, direction=Direction.LONG, origin=origin)
    state, result, _ = worker_env.run(request)

    assert "succeeded" == state
    assert 1 - closes == worker_env.venue.position(MNQ)
    assert (not closes) is (REASON in result.get("nothing_to_do", ""))


@pytest.mark.parametrize(("origin", "state"), [(Origin.PROTECTOR, "TOO_LATE"), (Origin.MANUAL, "DONE")])
def test_only_a_queued_change_of_the_watch_ends_without_being_sent(
    worker_env: WorkerEnv, origin: Origin, state: str
) -> None:
    """As a move of a trailing stop, or the cancel of a barred entry."""
    hold_one(worker_env)
    ((stop_id,),) = worker_env.rows("SELECT id FROM orders WHERE role = 'STOP_LOSS'")
    with worker_env.ledger.transaction() as tx:
        change = changes.create(
            tx.connection, stop_id, ChangeKind.CANCEL, origin=origin, reason="a test", correlation_id=new_id()
        )
    record_other(worker_env)
    worker_env.run(ChangeOrder(change_id=change.id))

    ((found, outcome),) = worker_env.rows("SELECT state, outcome FROM order_change")
    assert state == found
    assert (origin is Origin.PROTECTOR) is (REASON in (outcome or ""))
    assert (origin is Origin.PROTECTOR) is (
        1 == worker_env.venue.position(MNQ) and [] == worker_env.venue.requests(CANCEL)
    )


def test_a_person_who_joins_a_cancel_of_the_watch_gets_it(operator: RunCommand, worker_env: WorkerEnv) -> None:
    hold_one(worker_env)
    ((stop_id, short),) = worker_env.rows("SELECT id, id::text FROM orders WHERE role = 'STOP_LOSS'")
    with worker_env.ledger.transaction() as tx:
        changes.create(
            tx.connection, stop_id, ChangeKind.CANCEL, origin=Origin.PROTECTOR, reason="a test", correlation_id=new_id()
        )
    record_other(worker_env)
    with worker_at(worker_env):
        operator("orders", "cancel", short)

    assert [("manual", "DONE")] == worker_env.rows("SELECT origin, state FROM order_change")


def test_workers_read_orders_only_where_others_are_noticed() -> None:
    readers = ("gateway.orders_since(", "gateway.orders_working(", "gateway.order(")
    files = [file for file in (ROOT / "workers").rglob("*.py") if any(one in file.read_text() for one in readers)]

    assert ["venue_view.py"] == [file.name for file in files]
