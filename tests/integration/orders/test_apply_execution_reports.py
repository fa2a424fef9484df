"""What the user hub tells, written down in whatever order it is told."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from shared.clock import machine_now
from shared.ids import new_id
from shared.ledger.jobs.orders import ApplyExecutionReports, PollFills
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import Desk

EARLY, LATE = "2026-03-10T15:00:00.100Z", "2026-03-10T15:00:00.200Z"


def update(desk: Desk, status: int, at: str, **more: Any) -> dict[str, Any]:
    """Return an OrderModel of one bought MNQ as the hub tells it, nulls left out."""
    return {
        "id": 501, "accountId": desk.venue.account_id, "contractId": MNQ, "symbolId": "F.US.MNQ", "status": status,
        "type": 2, "side": 0, "size": 2, "fillVolume": 0, "customTag": "told", "creationTimestamp": EARLY,
        "updateTimestamp": at,
    } | more  # fmt: skip


def filled(desk: Desk, at: str) -> dict[str, Any]:
    return update(desk, 2, at, fillVolume=2, filledPrice="25000.25")


def fill(desk: Desk, **more: Any) -> dict[str, Any]:
    return {
        "id": 9001, "orderId": 501, "accountId": desk.venue.account_id, "contractId": MNQ, "side": 0, "size": 2,
        "price": "25000.25", "profitAndLoss": None, "fees": "0.72", "voided": False, "creationTimestamp": LATE,
    } | more  # fmt: skip


def events(desk: Desk, **told: list[dict[str, Any]]) -> ApplyExecutionReports:
    return ApplyExecutionReports(account_id=desk.venue.account_id, reported_at=machine_now(), **told)


def tell(desk: Desk, *documents: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Record order updates one after another, and return what we hold of the order."""
    for document in documents:
        state, _, error = desk.do(events(desk, orders=[document]))
        assert "succeeded" == state, error
    return desk.rows("SELECT state, filled_quantity FROM orders WHERE venue_order_id = 501")


def test_updates_in_order_bring_an_order_to_its_end(desk: Desk) -> None:
    assert [("WORKING", 0)] == tell(desk, update(desk, 6, EARLY))
    assert [("WORKING", 1)] == tell(desk, update(desk, 1, LATE, fillVolume=1))
    assert [("FILLED", 2)] == tell(desk, filled(desk, "2026-03-10T15:00:00.300Z"))


def test_an_older_update_never_overwrites_a_newer_one(desk: Desk) -> None:
    assert [("WORKING", 1)] == tell(desk, update(desk, 1, LATE, fillVolume=1), update(desk, 6, EARLY))


def test_a_final_state_stays_whatever_is_told_later(desk: Desk) -> None:
    assert [("FILLED", 2)] == tell(desk, filled(desk, EARLY), update(desk, 1, LATE), update(desk, 3, LATE))


@pytest.mark.parametrize("later", [8, 1])
def test_of_two_updates_of_one_instant_the_one_that_is_further_stays(desk: Desk, later: int) -> None:
    working = update(desk, 1, LATE, fillVolume=1)

    assert [("WORKING", 1)] == tell(desk, working, update(desk, later, LATE))


def test_an_update_without_its_instant_counts_from_the_orders_creation(desk: Desk) -> None:
    nameless = update(desk, 6, EARLY)
    del nameless["updateTimestamp"]

    assert [("WORKING", 0)] == tell(desk, nameless)


def test_costs_that_are_told_later_are_kept_and_never_forgotten(desk: Desk) -> None:
    tell(desk, filled(desk, LATE))
    for fees in ("0", "0.72", "0"):
        assert "succeeded" == desk.do(events(desk, fills=[fill(desk, fees=fees)]))[0]

    assert [(Decimal("0.72"),)] == desk.rows("SELECT fees FROM fill")


def test_a_status_that_is_new_to_us_says_nothing(desk: Desk) -> None:
    assert [("WORKING", 0)] == tell(desk, update(desk, 1, EARLY), update(desk, 42, LATE))


def test_a_status_that_is_new_to_us_of_an_order_placed_elsewhere_says_that_it_is_there_and_no_more(desk: Desk) -> None:
    assert [("WORKING", 0)] == tell(desk, update(desk, 42, EARLY, customTag=None))
    assert [("WORKING", 0)] == tell(desk, update(desk, 42, LATE, customTag=None))
    assert [("CANCELLED", 0)] == tell(desk, update(desk, 3, "2026-03-10T15:00:00.300Z", customTag=None))


def test_an_order_over_no_contracts_is_left_out_and_its_job_ends(desk: Desk) -> None:
    assert [] == tell(desk, update(desk, 3, LATE, size=0))


def submit(desk: Desk) -> UUID:
    """Have an order of ours under way whose tag the events carry."""
    order_id = new_id()
    desk.execute(
        "INSERT INTO orders (id, account_id, contract_id, client_order_id, origin, role, side, type, quantity, state, "
        f"correlation_id) VALUES ('{order_id}', {desk.venue.account_id}, '{MNQ}', 'told', 'manual', 'ENTRY', 'BUY', "
        f"'MARKET', 2, 'SUBMITTING', '{order_id}')"
    )
    return order_id


def test_an_event_that_comes_before_the_venues_answer_finds_our_order_by_its_tag(desk: Desk) -> None:
    order_id = submit(desk)
    tell(desk, filled(desk, LATE))

    assert [(order_id, 501, "FILLED")] == desk.rows("SELECT id, venue_order_id, state FROM orders")


@pytest.mark.parametrize("turn", [1, -1])
def test_what_is_told_once_more_in_the_same_moment_hides_no_news(desk: Desk, turn: int) -> None:
    submit(desk)
    assert [("WORKING", 0)] == tell(desk, update(desk, 1, EARLY))
    together = [update(desk, 1, EARLY), filled(desk, LATE)][::turn]

    assert "succeeded" == desk.do(events(desk, orders=together))[0]

    assert [("FILLED", 2)] == desk.rows("SELECT state, filled_quantity FROM orders")


def test_a_fill_told_before_its_order_is_tied_to_it_later_and_told_twice_is_one(desk: Desk) -> None:
    for _ in range(2):
        assert "succeeded" == desk.do(events(desk, fills=[fill(desk)]))[0]
    assert [(None,)] == desk.rows("SELECT order_id FROM fill")
    tell(desk, filled(desk, LATE))

    assert [("FILLED",)] == desk.rows("SELECT state FROM fill JOIN orders ON orders.id = order_id")


def test_a_fill_that_is_voided_later_is_noted_as_such(desk: Desk) -> None:
    desk.do(events(desk, fills=[fill(desk)]))
    desk.do(events(desk, fills=[fill(desk, voided=True)]))

    assert [(True,)] == desk.rows("SELECT is_voided FROM fill")


def test_a_look_for_fills_that_were_told_asks_the_venue_for_nothing(desk: Desk) -> None:
    desk.alert()
    desk.work()
    ((order_id,),) = desk.rows("SELECT id FROM orders WHERE role = 'ENTRY' AND state = 'FILLED'")
    paths = ("/api/Order/search", "/api/Trade/search", "/api/Position/searchOpen")
    before = [len(desk.venue.requests(path)) for path in paths]
    state, result, error = desk.do(PollFills(order_id=order_id))

    assert ("succeeded", "FILLED") == (state, result["order"]), error
    assert before == [len(desk.venue.requests(path)) for path in paths]


def test_an_event_that_cannot_be_kept_holds_up_none_that_were_told_with_it(desk: Desk) -> None:
    good, bad = fill(desk), fill(desk, id=9002, price="1e200000")
    desk.do(events(desk, fills=[bad, good], orders=[filled(desk, LATE)]))

    assert [(9001,)] == desk.rows("SELECT venue_fill_id FROM fill")
    assert [("FILLED",)] == desk.rows("SELECT state FROM orders WHERE venue_order_id = 501")


def test_an_older_balance_never_overwrites_a_newer_one(desk: Desk) -> None:
    shown = {"id": desk.venue.account_id, "name": "PRAC-1", "balance": "50100.00", "canTrade": True, "simulated": True}
    late = events(desk, accounts=[shown | {"balance": "50000.00"}])
    desk.do(events(desk, accounts=[shown]))
    desk.do(late)

    assert "50100.00" == str(desk.rows("SELECT balance FROM account")[0][0])
