"""No position without a working stop of its size, and no order left over when flat."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from shared.ledger.jobs.orders import GuardPosition, ReconcileAccounts
from shared.ledger.jobs.risk import WatchAccounts
from tests.fixtures.entries import GUARDED
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import Desk
from workers.wiring import open_runner

PLACE = "/api/Order/place"
STOPS = "SELECT side, quantity, stop_price FROM orders WHERE role = 'STOP_LOSS' AND state = 'WORKING'"


def stops_at_venue(desk: Desk) -> list[dict[str, Any]]:
    """The working stops that the venue has."""
    body = {"filter": {"accountId": desk.venue.account_id, "statuses": [1]}}
    orders = desk.venue.post("/api/Order/v2/query", **body)["orders"]
    return [order for order in orders if order["type"] == 4]


def test_every_fill_is_guarded_by_the_brackets_stop_at_the_first_look(desk: Desk) -> None:
    """It was due as soon as it was asked for: only the slowness of a computer is between a fill and its proof."""
    desk.alert()
    desk.work()

    assert [("the bracket's stop", True)] == desk.rows("SELECT guarded_by, guarded_at >= recorded_at FROM fill")
    assert [("succeeded", 1, None)] == desk.rows(GUARDED)
    assert [(True,)] == desk.rows("SELECT run_at <= enqueued_at FROM job WHERE name = 'orders.guard_position'")
    assert 1 == len(stops_at_venue(desk))


def test_a_position_made_elsewhere_gets_a_stop_of_the_protector(desk: Desk) -> None:
    desk.venue.trade(size=2)
    desk.do(ReconcileAccounts())

    assert [("SELL", 2)] == [row[:2] for row in desk.rows(STOPS)]
    assert [2] == [order["size"] for order in stops_at_venue(desk)]
    assert [("a stop of the protector",)] == desk.rows("SELECT guarded_by FROM fill")


def test_complaint_2_a_stop_that_somebody_cancelled_is_placed_again_where_it_was(desk: Desk) -> None:
    desk.alert()
    desk.work()
    (stop,) = stops_at_venue(desk)
    desk.venue.post("/api/Order/cancel", accountId=desk.venue.account_id, orderId=stop["id"])
    desk.do(ReconcileAccounts())

    (again,) = stops_at_venue(desk)
    assert again["id"] != stop["id"]
    assert abs(Decimal(str(again["stopPrice"])) - Decimal(str(stop["stopPrice"]))) <= Decimal("0.25")


def test_a_stop_that_the_venue_rejects_ends_in_flat(desk: Desk) -> None:
    desk.venue.trade()
    desk.venue.faults(path=PLACE, kind="reject", count=None, error_code=2, message="Invalid price.")
    desk.do(ReconcileAccounts())

    assert 0 == desk.venue.position(MNQ)
    assert [] == stops_at_venue(desk)
    ((reason,),) = desk.rows("SELECT reason FROM flattening WHERE flat_at IS NOT NULL")
    assert "Invalid price." in reason
    assert [("unprotected",)] == desk.rows("SELECT kind FROM account_event WHERE kind = 'unprotected'")


def test_a_stop_whose_answer_was_lost_is_found_and_not_placed_twice(desk: Desk) -> None:
    desk.venue.trade()
    desk.venue.faults(path=PLACE, kind="lose_answer_after")
    desk.do(ReconcileAccounts())

    assert 1 == len(stops_at_venue(desk))
    assert 1 == desk.venue.position(MNQ)


def test_a_stop_that_was_never_sent_keeps_no_later_one_from_being_placed(desk: Desk) -> None:
    desk.alert()
    desk.work()
    desk.execute(f"""
        INSERT INTO orders (id, account_id, contract_id, client_order_id, origin, role, side, type, quantity,
                            stop_price, state, correlation_id)
        SELECT gen_random_uuid(), account_id, contract_id, 'tw-lost', 'protector', 'STOP_LOSS', 'SELL', 'STOP', 1, 1000,
               'CREATED', gen_random_uuid() FROM position WHERE contract_id = '{MNQ}'
    """)
    (stop,) = stops_at_venue(desk)
    desk.venue.post("/api/Order/cancel", accountId=desk.venue.account_id, orderId=stop["id"])
    desk.do(ReconcileAccounts())

    assert 1 == len(stops_at_venue(desk))
    assert [("CANCELLED", "its guard did not send it")] == desk.rows(
        "SELECT state, reason FROM orders WHERE client_order_id = 'tw-lost'"
    )


def test_a_stop_that_could_not_be_sent_is_placed_as_soon_as_it_can_be(desk: Desk) -> None:
    desk.venue.trade()
    desk.redis.delete(*desk.redis.keys("*token*"))
    desk.venue.faults(path=PLACE, kind="status", status=401, count=2)
    desk.do(ReconcileAccounts())

    assert [("SELL", 1)] == [row[:2] for row in desk.rows(STOPS)]
    assert 1 == len(stops_at_venue(desk))
    assert [] == desk.rows("SELECT 1 FROM orders WHERE state = 'CREATED'")


def test_legs_that_outlive_their_position_are_swept(desk: Desk) -> None:
    desk.alert(take_profit_ticks=800)
    desk.work()
    desk.venue.close_position()
    desk.do(ReconcileAccounts())

    assert 0 == desk.venue.position(MNQ)
    assert [] == stops_at_venue(desk)
    assert [] == desk.rows("SELECT id FROM orders WHERE state IN ('WORKING', 'SUSPENDED')")
    assert {("CANCEL", "DONE")} == set(desk.rows("SELECT kind, state FROM order_change"))


def test_an_opposite_entry_leaves_no_stop_that_could_open_something(desk: Desk) -> None:
    desk.alert()
    desk.work()
    desk.alert(action="sell")
    desk.work()

    assert 0 == desk.venue.position(MNQ)
    assert [] == stops_at_venue(desk)


def test_a_reversal_has_a_stop_of_the_new_size_on_the_new_side_only(desk: Desk) -> None:
    desk.alert()
    desk.work()
    desk.alert(action="sell", quantity=3)
    desk.work()

    assert -2 == desk.venue.position(MNQ)
    assert [(0, 2)] == [(order["side"], order["size"]) for order in stops_at_venue(desk)]


def test_a_position_reduced_by_hand_keeps_a_stop_of_its_size(desk: Desk) -> None:
    desk.alert(quantity=3, take_profit_ticks=800)
    desk.work()
    desk.venue.close_position(2)
    desk.do(ReconcileAccounts())

    assert 1 == desk.venue.position(MNQ)
    assert [1] == [order["size"] for order in stops_at_venue(desk)]


def test_a_fill_whose_guard_was_lost_is_guarded_by_the_watch(desk: Desk) -> None:
    desk.alert()
    desk.work()
    desk.execute("UPDATE fill SET guarded_at = NULL, recorded_at = now() - interval '3 seconds'")
    desk.do(WatchAccounts())

    assert [] == desk.rows("SELECT 1 FROM fill WHERE guarded_at IS NULL")


def test_an_account_whose_live_orders_were_never_on_is_left_alone(desk: Desk) -> None:
    """The simulator poses as the real venue; somebody trades there by hand, without a stop."""
    desk.venue.trade()
    placed = len(desk.venue.requests(PLACE))
    real = replace(desk.settings, venue=replace(desk.settings.venue, is_simulator=False))
    with open_runner(real, "real/1", program="test") as runner:
        runner.run(desk.ask(ReconcileAccounts()))
        for name in ("orders.reconcile_account", "orders.guard_position"):
            for (job_id,) in desk.rows("SELECT id FROM job WHERE name = %s AND state = 'queued'", name):
                runner.run(job_id)
        runner.run(desk.ask(WatchAccounts()))
        closed = desk.alert(action="close")
        runner.run(closed)

    assert 1 == desk.venue.position(MNQ)
    assert placed == len(desk.venue.requests(PLACE))
    assert [("its owner: live orders were never on",)] == desk.rows("SELECT guarded_by FROM fill")
    assert [] == desk.rows("SELECT 1 FROM flattening")
    assert "were never on" in (desk.job(closed)[2] or "")


def test_guarding_twice_changes_nothing(desk: Desk) -> None:
    desk.alert()
    desk.work()
    placed = len(desk.venue.requests(PLACE))
    for _ in range(2):
        desk.do(GuardPosition(account_id=desk.venue.account_id, contract_id=MNQ))

    assert placed == len(desk.venue.requests(PLACE))
    assert 1 == len(stops_at_venue(desk))


@pytest.mark.parametrize(("asked", "moved_to"), [({"breakeven_ticks": 4}, 0), ({"trail_ticks": 8}, 12)])
def test_breakeven_and_trailing_moves_really_happen(desk: Desk, asked: dict[str, int], moved_to: int) -> None:
    """`moved_to` is where the stop belongs, in ticks above the entry, once the price is 20 ticks above it."""
    desk.alert()
    desk.work()
    ((entry,),) = desk.rows("SELECT average_fill_price FROM orders WHERE role = 'ENTRY'")
    columns = ", ".join(f"{name} = {value}" for name, value in asked.items())
    desk.execute(f"UPDATE orders SET {columns} WHERE role = 'ENTRY'")
    up = entry + 5
    desk.venue.move_price(up)
    desk.tell_quote(bid=up)
    job = desk.ask(WatchAccounts())
    desk.runner.run(job)
    desk.work()

    wanted = entry + moved_to * Decimal("0.25")
    assert [wanted] == [Decimal(str(order["stopPrice"])) for order in stops_at_venue(desk)]
    assert [("MODIFY", "DONE")] == desk.rows("SELECT kind, state FROM order_change")
