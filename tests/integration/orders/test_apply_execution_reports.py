"""What the user hub tells, written down in whatever order it is told."""

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


def update(worker_env: WorkerEnv, status: int, at: str, **more: Any) -> dict[str, Any]:
    """Return an OrderModel of one bought MNQ as the hub tells it, nulls left out."""
    return {
        "id": 501, "accountId": worker_env.venue.account_id, "contractId": MNQ,
        "symbolId": "F.US.MNQ", "status": status,
        "type": 2, "side": 0, "size": 2, "fillVolume": 0, "customTag": "told", "creationTimestamp": EARLY,
        "updateTimestamp": at,
    } | more  # fmt: skip


def filled(worker_env: WorkerEnv, at: str) -> dict[str, Any]:
    return update(worker_env, 2, at, fillVolume=2, filledPrice="25000.25")


def fill(worker_env: WorkerEnv, **more: Any) -> dict[str, Any]:
    return {
        "id": 9001, "orderId": 501, "accountId": worker_env.venue.account_id, "contractId": MNQ, "side": 0, "size": 2,
        "price": "25000.25", "profitAndLoss": None, "fees": "0.72", "voided": False, "creationTimestamp": LATE,
    } | more  # fmt: skip


def events(worker_env: WorkerEnv, **told: list[dict[str, Any]]) -> ApplyExecutionReports:
    return ApplyExecutionReports(account_id=worker_env.venue.account_id, reported_at=machine_now(), **told)


def tell(worker_env: WorkerEnv, *documents: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Record order updates one after another, and return what we hold of the order."""
    for document in documents:
        state, _, error = worker_env.do(events(worker_env, orders=[document]))
        assert "succeeded" == state, error
    return worker_env.rows("SELECT state, filled_quantity FROM orders WHERE venue_order_id = 501")


def test_updates_in_order_bring_an_order_to_its_end(worker_env: WorkerEnv) -> None:
    assert [("WORKING", 0)] == tell(worker_env, update(worker_env, 6, EARLY))
    assert [("WORKING", 1)] == tell(worker_env, update(worker_env, 1, LATE, fillVolume=1))
    assert [("FILLED", 2)] == tell(worker_env, filled(worker_env, "2026-03-10T15:00:00.300Z"))


def test_an_older_update_never_overwrites_a_newer_one(worker_env: WorkerEnv) -> None:
    assert [("WORKING", 1)] == tell(worker_env, update(worker_env, 1, LATE, fillVolume=1), update(worker_env, 6, EARLY))


def test_a_final_state_stays_whatever_is_told_later(worker_env: WorkerEnv) -> None:
    assert [("FILLED", 2)] == tell(
        worker_env, filled(worker_env, EARLY), update(worker_env, 1, LATE), update(worker_env, 3, LATE)
    )


@pytest.mark.parametrize("later", [8, 1])
def test_of_two_updates_of_one_instant_the_one_that_is_further_stays(worker_env: WorkerEnv, later: int) -> None:
    working = update(worker_env, 1, LATE, fillVolume=1)

    assert [("WORKING", 1)] == tell(worker_env, working, update(worker_env, later, LATE))


def test_an_update_without_its_instant_counts_from_the_orders_creation(worker_env: WorkerEnv) -> None:
    nameless = update(worker_env, 6, EARLY)
    del nameless["updateTimestamp"]

    assert [("WORKING", 0)] == tell(worker_env, nameless)


def test_costs_that_are_told_later_are_kept_and_never_forgotten(worker_env: WorkerEnv) -> None:
    tell(worker_env, filled(worker_env, LATE))
    for fees in ("0", "0.72", "0"):
        assert "succeeded" == worker_env.do(events(worker_env, fills=[fill(worker_env, fees=fees)]))[0]

    assert [(Decimal("0.72"),)] == worker_env.rows("SELECT fees FROM fill")


def test_a_status_that_is_new_to_us_says_nothing(worker_env: WorkerEnv) -> None:
    assert [("WORKING", 0)] == tell(worker_env, update(worker_env, 1, EARLY), update(worker_env, 42, LATE))


def test_a_status_that_is_new_to_us_of_an_order_placed_elsewhere_says_that_it_is_there_and_no_more(
    worker_env: WorkerEnv,
) -> None:
    assert [("WORKING", 0)] == tell(worker_env, update(worker_env, 42, EARLY, customTag=None))
    assert [("WORKING", 0)] == tell(worker_env, update(worker_env, 42, LATE, customTag=None))
    assert [("CANCELLED", 0)] == tell(worker_env, update(worker_env, 3, "2026-03-10T15:00:00.300Z", customTag=None))


def test_an_order_over_no_contracts_is_left_out_and_its_job_ends(worker_env: WorkerEnv) -> None:
    assert [] == tell(worker_env, update(worker_env, 3, LATE, size=0))


def submit(worker_env: WorkerEnv) -> UUID:
    """Have an order of ours under way whose tag the events carry."""
    order_id = new_id()
    worker_env.execute(
        "INSERT INTO orders (id, account_id, contract_id, client_order_id, origin, role, side, type, quantity, state, "
        f"correlation_id) VALUES ('{order_id}', {worker_env.venue.account_id}, '{MNQ}', 'told', 'manual', "
        f"'ENTRY', 'BUY', 'MARKET', 2, 'SUBMITTING', '{order_id}')"
    )
    return order_id


def test_an_event_that_comes_before_the_venues_answer_finds_our_order_by_its_tag(worker_env: WorkerEnv) -> None:
    order_id = submit(worker_env)
    tell(worker_env, filled(worker_env, LATE))

    assert [(order_id, 501, "FILLED")] == worker_env.rows("SELECT id, venue_order_id, state FROM orders")


@pytest.mark.parametrize("turn", [1, -1])
def test_what_is_told_once_more_in_the_same_moment_hides_no_news(worker_env: WorkerEnv, turn: int) -> None:
    submit(worker_env)
    assert [("WORKING", 0)] == tell(worker_env, update(worker_env, 1, EARLY))
    together = [update(worker_env, 1, EARLY), filled(worker_env, LATE)][::turn]

    assert "succeeded" == worker_env.do(events(worker_env, orders=together))[0]

    assert [("FILLED", 2)] == worker_env.rows("SELECT state, filled_quantity FROM orders")


def test_a_fill_told_before_its_order_is_tied_to_it_later_and_told_twice_is_one(worker_env: WorkerEnv) -> None:
    for _ in range(2):
        assert "succeeded" == worker_env.do(events(worker_env, fills=[fill(worker_env)]))[0]
    assert [(None,)] == worker_env.rows("SELECT order_id FROM fill")
    tell(worker_env, filled(worker_env, LATE))

    assert [("FILLED",)] == worker_env.rows("SELECT state FROM fill JOIN orders ON orders.id = order_id")


def test_a_fill_that_is_voided_later_is_noted_as_such(worker_env: WorkerEnv) -> None:
    worker_env.do(events(worker_env, fills=[fill(worker_env)]))
    worker_env.do(events(worker_env, fills=[fill(worker_env, voided=True)]))

    assert [(True,)] == worker_env.rows("SELECT is_voided FROM fill")


def test_a_look_for_fills_that_were_told_asks_the_venue_for_nothing(worker_env: WorkerEnv) -> None:
    worker_env.alert()
    worker_env.work()
    ((order_id,),) = worker_env.rows("SELECT id FROM orders WHERE role = 'ENTRY' AND state = 'FILLED'")
    paths = ("/api/Order/search", "/api/Trade/search", "/api/Position/searchOpen")
    before = [len(worker_env.venue.requests(path)) for path in paths]
    state, result, error = worker_env.do(PollFills(order_id=order_id))

    assert ("succeeded", "FILLED") == (state, result["order"]), error
    assert before == [len(worker_env.venue.requests(path)) for path in paths]


def test_an_event_that_cannot_be_kept_holds_up_none_that_were_told_with_it(worker_env: WorkerEnv) -> None:
    good, bad = fill(worker_env), fill(worker_env, id=9002, price="1e200000")
    worker_env.do(events(worker_env, fills=[bad, good], orders=[filled(worker_env, LATE)]))

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
    late = events(worker_env, accounts=[shown | {"balance": "50000.00"}])
    worker_env.do(events(worker_env, accounts=[shown]))
    worker_env.do(late)

    assert "50100.00" == str(worker_env.rows("SELECT balance FROM account")[0][0])
