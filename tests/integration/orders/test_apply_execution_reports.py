"""Execution reports of the user hub, applied in any order of arrival."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from shared.clock import machine_now
from shared.ids import new_id
from shared.ledger.jobs.orders import ApplyExecutionReports, PollFills
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

EARLY, LATE = "2026-03-10T15:00:00.100Z", "2026-03-10T15:00:00.200Z"


def make_update(worker_env: WorkerEnv, status: int, at: str, **more: Any) -> dict[str, Any]:
    """Return an OrderModel for a purchase of two MNQ as the hub reports it, without nulls."""
    return {
        "id": 501, "accountId": worker_env.venue.account_id, "contractId": MNQ,
        "symbolId": "F.US.MNQ", "status": status,
        "type": 2, "side": 0, "size": 2, "fillVolume": 0, "customTag": "our-tag", "creationTimestamp": EARLY,
        "updateTimestamp": at,
    } | more  # fmt: skip


def make_filled_update(worker_env: WorkerEnv, at: str) -> dict[str, Any]:
    return make_update(worker_env, 2, at, fillVolume=2, filledPrice="25000.25")


def make_fill(worker_env: WorkerEnv, **more: Any) -> dict[str, Any]:
    return {
        "id": 9001, "orderId": 501, "accountId": worker_env.venue.account_id, "contractId": MNQ, "side": 0, "size": 2,
        "price": "25000.25", "profitAndLoss": None, "fees": "0.72", "voided": False, "creationTimestamp": LATE,
    } | more  # fmt: skip


def make_reports(worker_env: WorkerEnv, **documents: list[dict[str, Any]]) -> ApplyExecutionReports:
    return ApplyExecutionReports(account_id=worker_env.venue.account_id, reported_at=machine_now(), **documents)


def apply_updates(worker_env: WorkerEnv, *documents: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Apply order updates one after another, and return our row of the order."""
    for document in documents:
        state, _, error = worker_env.run(make_reports(worker_env, orders=[document]))
        assert "succeeded" == state, error
    return worker_env.rows("SELECT state, filled_quantity FROM orders WHERE venue_order_id = 501")


def test_updates_in_order_bring_an_order_to_its_end(worker_env: WorkerEnv) -> None:
    assert [("WORKING", 0)] == apply_updates(worker_env, make_update(worker_env, 6, EARLY))
    assert [("WORKING", 1)] == apply_updates(worker_env, make_update(worker_env, 1, LATE, fillVolume=1))
    assert [("FILLED", 2)] == apply_updates(worker_env, make_filled_update(worker_env, "2026-03-10T15:00:00.300Z"))


def test_an_older_update_never_overwrites_a_newer_one(worker_env: WorkerEnv) -> None:
    assert [("WORKING", 1)] == apply_updates(
        worker_env, make_update(worker_env, 1, LATE, fillVolume=1), make_update(worker_env, 6, EARLY)
    )


def test_a_later_report_never_changes_a_final_state(worker_env: WorkerEnv) -> None:
    assert [("FILLED", 2)] == apply_updates(
        worker_env,
        make_filled_update(worker_env, EARLY),
        make_update(worker_env, 1, LATE),
        make_update(worker_env, 3, LATE),
    )


@pytest.mark.parametrize("later", [8, 1])
def test_of_two_updates_of_one_instant_the_more_advanced_one_stays(worker_env: WorkerEnv, later: int) -> None:
    working = make_update(worker_env, 1, LATE, fillVolume=1)

    assert [("WORKING", 1)] == apply_updates(worker_env, working, make_update(worker_env, later, LATE))


def test_an_update_without_a_timestamp_counts_from_the_orders_creation(worker_env: WorkerEnv) -> None:
    without_timestamp = make_update(worker_env, 6, EARLY)
    del without_timestamp["updateTimestamp"]

    assert [("WORKING", 0)] == apply_updates(worker_env, without_timestamp)


def test_costs_that_are_reported_later_are_stored_and_stay(worker_env: WorkerEnv) -> None:
    apply_updates(worker_env, make_filled_update(worker_env, LATE))
    for fees in ("0", "0.72", "0"):
        assert "succeeded" == worker_env.run(make_reports(worker_env, fills=[make_fill(worker_env, fees=fees)]))[0]

    assert [(Decimal("0.72"),)] == worker_env.rows("SELECT fees FROM fill")


def test_an_unknown_status_changes_nothing(worker_env: WorkerEnv) -> None:
    assert [("WORKING", 0)] == apply_updates(
        worker_env, make_update(worker_env, 1, EARLY), make_update(worker_env, 42, LATE)
    )


def test_an_external_order_of_unknown_status_is_working_until_a_known_status_comes(
    worker_env: WorkerEnv,
) -> None:
    assert [("WORKING", 0)] == apply_updates(worker_env, make_update(worker_env, 42, EARLY, customTag=None))
    assert [("WORKING", 0)] == apply_updates(worker_env, make_update(worker_env, 42, LATE, customTag=None))
    assert [("CANCELLED", 0)] == apply_updates(
        worker_env, make_update(worker_env, 3, "2026-03-10T15:00:00.300Z", customTag=None)
    )


def test_an_order_of_zero_contracts_is_left_out_and_its_job_succeeds(worker_env: WorkerEnv) -> None:
    assert [] == apply_updates(worker_env, make_update(worker_env, 3, LATE, size=0))


def insert_submitting_order(worker_env: WorkerEnv) -> UUID:
    """Insert a SUBMITTING order of ours with the tag of the events; return its id."""
    order_id = new_id()
    worker_env.execute(
        "INSERT INTO orders (id, account_id, contract_id, client_order_id, origin, role, side, type, quantity, state, "
        f"correlation_id) VALUES ('{order_id}', {worker_env.venue.account_id}, '{MNQ}', 'our-tag', 'manual', "
        f"'ENTRY', 'BUY', 'MARKET', 2, 'SUBMITTING', '{order_id}')"
    )
    return order_id


def test_an_event_that_comes_before_the_venues_answer_finds_our_order_by_its_tag(worker_env: WorkerEnv) -> None:
    order_id = insert_submitting_order(worker_env)
    apply_updates(worker_env, make_filled_update(worker_env, LATE))

    assert [(order_id, 501, "FILLED")] == worker_env.rows("SELECT id, venue_order_id, state FROM orders")


@pytest.mark.parametrize("step", [1, -1])
def test_a_repeated_update_hides_no_newer_one_of_the_same_batch(worker_env: WorkerEnv, step: int) -> None:
    insert_submitting_order(worker_env)
    assert [("WORKING", 0)] == apply_updates(worker_env, make_update(worker_env, 1, EARLY))
    together = [make_update(worker_env, 1, EARLY), make_filled_update(worker_env, LATE)][::step]

    assert "succeeded" == worker_env.run(make_reports(worker_env, orders=together))[0]

    assert [("FILLED", 2)] == worker_env.rows("SELECT state, filled_quantity FROM orders")


def test_a_fill_reported_twice_before_its_order_is_stored_once_and_joined_to_it_later(worker_env: WorkerEnv) -> None:
    for _ in range(2):
        assert "succeeded" == worker_env.run(make_reports(worker_env, fills=[make_fill(worker_env)]))[0]
    assert [(None,)] == worker_env.rows("SELECT order_id FROM fill")
    apply_updates(worker_env, make_filled_update(worker_env, LATE))

    assert [("FILLED",)] == worker_env.rows("SELECT state FROM fill JOIN orders ON orders.id = order_id")


def test_a_fill_that_is_voided_later_is_marked_as_voided(worker_env: WorkerEnv) -> None:
    worker_env.run(make_reports(worker_env, fills=[make_fill(worker_env)]))
    worker_env.run(make_reports(worker_env, fills=[make_fill(worker_env, voided=True)]))

    assert [(True,)] == worker_env.rows("SELECT is_voided FROM fill")


def test_a_poll_for_fills_that_were_reported_sends_no_request(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    ((order_id,),) = worker_env.rows("SELECT id FROM orders WHERE role = 'ENTRY' AND state = 'FILLED'")
    paths = ("/api/Order/search", "/api/Trade/search", "/api/Position/searchOpen")
    before = [len(worker_env.venue.requests(path)) for path in paths]
    state, result, error = worker_env.run(PollFills(order_id=order_id))

    assert ("succeeded", "FILLED") == (state, result["order"]), error
    assert before == [len(worker_env.venue.requests(path)) for path in paths]


def test_an_event_that_cannot_be_stored_delays_no_other_of_its_batch(worker_env: WorkerEnv) -> None:
    good, bad = make_fill(worker_env), make_fill(worker_env, id=9002, price="1e200000")
    worker_env.run(make_reports(worker_env, fills=[bad, good], orders=[make_filled_update(worker_env, LATE)]))

    assert [(9001,)] == worker_env.rows("SELECT venue_fill_id FROM fill")
    assert [("FILLED",)] == worker_env.rows("SELECT state FROM orders WHERE venue_order_id = 501")


def test_an_older_balance_never_overwrites_a_newer_one(worker_env: WorkerEnv) -> None:
    shown = {
        "id": worker_env.venue.account_id,
        "name": "PRAC-1",
        "balance": "50100.00",
        "canTrade": True,
        "simulated": True,
    }
    late = make_reports(worker_env, accounts=[shown | {"balance": "50000.00"}])
    worker_env.run(make_reports(worker_env, accounts=[shown]))
    worker_env.run(late)

    assert "50100.00" == str(worker_env.rows("SELECT balance FROM account")[0][0])
