"""Cancels and modifications: rows under the same protocol as orders, settled by the order at the venue."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from shared.db.orders import changes
from shared.db.orders.changes import ChangeRow
from shared.domain.orders.order import TRANSITIONS, ChangeKind, OrderType, Origin, Side
from shared.ids import new_id
from shared.ledger.jobs.orders import ChangeOrder, EnterManually, ReconcileAccounts
from tests.fixtures.passing_time import run_through_pauses
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

CANCEL, MODIFY, PLACE = "/api/Order/cancel", "/api/Order/modify", "/api/Order/place"
SEARCH_BY_ID = "/api/Order/searchById"
CHANGES = "SELECT kind, state, outcome FROM order_change ORDER BY id"


def last_price(worker_env: WorkerEnv) -> Decimal:
    price: Decimal = worker_env.rows("SELECT close_ticks * 0.25 FROM bar_minute ORDER BY start DESC LIMIT 1")[0][0]
    return price


def make_manual_entry(worker_env: WorkerEnv, **more: Any) -> EnterManually:
    """Return an entry typed by a person: by default a limit to buy one MNQ 100 points below the market."""
    fields: dict[str, Any] = {
        "account_id": worker_env.venue.account_id, "symbol": "MNQ", "side": Side.BUY, "type": OrderType.LIMIT,
        "quantity": 1,
        "stop_loss_ticks": 40, "limit_price": str(last_price(worker_env) - 100),
    }  # fmt: skip
    return EnterManually(**fields | more)


def place_resting_limit(worker_env: WorkerEnv) -> UUID:
    """Place a limit below the market and return its order id."""
    state, _, error = worker_env.run(make_manual_entry(worker_env))
    assert "succeeded" == state, error
    ((order_id,),) = worker_env.rows("SELECT id FROM orders WHERE role = 'ENTRY' AND state = 'WORKING'")
    found: UUID = order_id
    return found


def request_change(
    worker_env: WorkerEnv, order_id: UUID, kind: ChangeKind = ChangeKind.CANCEL, **values: Any
) -> tuple[ChangeRow, UUID]:
    """Request a change as the CLI does; return it and its job."""
    with worker_env.ledger.transaction() as tx:
        change = changes.create(
            tx.connection, order_id, kind, origin=Origin.MANUAL, reason="a test", correlation_id=new_id(), **values
        )
        return change, tx.enqueue(ChangeOrder(change_id=change.id), publish_on_commit=False).job_id


def read_venue_order(worker_env: WorkerEnv, order_id: UUID) -> dict[str, Any]:
    ((venue_order_id,),) = worker_env.rows("SELECT venue_order_id FROM orders WHERE id = %s", order_id)
    return worker_env.venue.order(venue_order_id)


def read_state(worker_env: WorkerEnv, order_id: UUID) -> str:
    found: str = worker_env.rows("SELECT state FROM orders WHERE id = %s", order_id)[0][0]
    return found


def test_a_cancel_is_done_when_the_venue_confirms_it(worker_env: WorkerEnv) -> None:
    order_id = place_resting_limit(worker_env)
    _, job = request_change(worker_env, order_id)
    worker_env.run_due_jobs()

    assert "succeeded" == worker_env.job(job)[0]
    assert "CANCELLED" == read_state(worker_env, order_id)
    assert 3 == read_venue_order(worker_env, order_id)["status"]
    assert [("CANCEL", "DONE")] == [row[:2] for row in worker_env.rows(CHANGES)]


def test_a_modify_is_done_when_the_order_has_the_new_price_and_size(worker_env: WorkerEnv) -> None:
    order_id = place_resting_limit(worker_env)
    price = last_price(worker_env) - 200
    request_change(worker_env, order_id, ChangeKind.MODIFY, limit_price=price, quantity=2)
    worker_env.run_due_jobs()

    shown = read_venue_order(worker_env, order_id)
    assert (price, 2) == (Decimal(str(shown["limitPrice"])), shown["size"])
    assert [("MODIFY", "DONE")] == [row[:2] for row in worker_env.rows(CHANGES)]


@pytest.mark.parametrize("fault_kind", ["lose_before", "lose_answer_after", "status"])
@pytest.mark.parametrize("change_kind", [ChangeKind.CANCEL, ChangeKind.MODIFY])
def test_an_ambiguous_answer_is_settled_by_reading_the_order(
    worker_env: WorkerEnv, change_kind: ChangeKind, fault_kind: str
) -> None:
    order_id = place_resting_limit(worker_env)
    worker_env.venue.faults(path=CANCEL if change_kind is ChangeKind.CANCEL else MODIFY, kind=fault_kind)
    values = {} if change_kind is ChangeKind.CANCEL else {"limit_price": last_price(worker_env) - 200}
    request_change(worker_env, order_id, change_kind, **values)
    worker_env.run_due_jobs()

    assert [(change_kind, "DONE")] == [row[:2] for row in worker_env.rows(CHANGES)]
    assert (change_kind is ChangeKind.CANCEL) is (read_state(worker_env, order_id) == "CANCELLED")


def test_a_cancel_whose_answer_was_lost_is_not_sent_again(worker_env: WorkerEnv) -> None:
    order_id = place_resting_limit(worker_env)
    worker_env.venue.faults(path=CANCEL, kind="lose_answer_after")
    request_change(worker_env, order_id)
    worker_env.run_due_jobs()

    assert 1 == len(worker_env.venue.requests(CANCEL))


def test_a_fill_wins_against_a_cancel_and_the_change_is_too_late(worker_env: WorkerEnv) -> None:
    order_id = place_resting_limit(worker_env)
    worker_env.venue.move_price(last_price(worker_env) - 150)
    worker_env.write_quote()
    request_change(worker_env, order_id)
    worker_env.run_due_jobs()

    assert "FILLED" == read_state(worker_env, order_id)
    assert [("CANCEL", "TOO_LATE", "the order is FILLED")] == worker_env.rows(CHANGES)[:1]


def test_a_modify_that_the_venue_rejects_fails_with_its_reason(worker_env: WorkerEnv) -> None:
    order_id = place_resting_limit(worker_env)
    worker_env.venue.faults(
        path=MODIFY, kind="reject", error_code=3, message="Invalid price. Price is outside allowed range."
    )
    _, job = request_change(worker_env, order_id, ChangeKind.MODIFY, limit_price=last_price(worker_env) - 200)
    worker_env.run_due_jobs()

    assert "failed" == worker_env.job(job)[0]
    assert "outside allowed range" in (worker_env.job(job)[2] or "")
    assert [("MODIFY", "REJECTED")] == [row[:2] for row in worker_env.rows(CHANGES)]
    assert "WORKING" == read_state(worker_env, order_id)


def test_a_second_cancel_sends_no_second_request(worker_env: WorkerEnv) -> None:
    order_id = place_resting_limit(worker_env)
    first, _ = request_change(worker_env, order_id)
    second, _ = request_change(worker_env, order_id)
    worker_env.run_due_jobs()

    assert first.id == second.id
    assert 1 == len(worker_env.venue.requests(CANCEL))


def test_a_cancel_that_the_venue_rejects_asks_ever_less_often(worker_env: WorkerEnv) -> None:
    order_id = place_resting_limit(worker_env)
    worker_env.venue.faults(path=CANCEL, kind="reject", error_code=3, count=None)
    _, job = request_change(worker_env, order_id)
    run_through_pauses(worker_env, job, timedelta(minutes=1))

    assert 80 > len(worker_env.venue.requests(SEARCH_BY_ID))
    assert 10 > len(worker_env.venue.requests(CANCEL))
    worker_env.venue.remove_faults()
    run_through_pauses(worker_env, job, timedelta(minutes=1))
    assert "CANCELLED" == read_state(worker_env, order_id)


def test_an_order_that_was_never_sent_is_cancelled_without_a_request(worker_env: WorkerEnv) -> None:
    order_id = place_resting_limit(worker_env)
    sent = len(worker_env.venue.requests(CANCEL))
    worker_env.execute(f"UPDATE orders SET state = 'CREATED', venue_order_id = NULL WHERE id = '{order_id}'")
    request_change(worker_env, order_id)
    worker_env.run_due_jobs()

    assert "CANCELLED" == read_state(worker_env, order_id)
    assert sent == len(worker_env.venue.requests(CANCEL))


def test_postgres_rejects_an_order_transition_against_the_rules(worker_env: WorkerEnv) -> None:
    order_id = place_resting_limit(worker_env)
    request_change(worker_env, order_id)
    worker_env.run_due_jobs()
    with pytest.raises(Exception, match="cannot go from CANCELLED to WORKING"):
        worker_env.rows("UPDATE orders SET state = 'WORKING' WHERE id = %s RETURNING 1", order_id)


def test_postgres_and_the_domain_have_the_same_order_transitions(worker_env: WorkerEnv) -> None:
    pure = {(source.value, target.value) for source, targets in TRANSITIONS.items() for target in targets}
    assert pure == set(worker_env.rows("SELECT source, target FROM order_transition"))


@pytest.mark.parametrize(
    ("rule", "expected_reason"),
    [
        ("halted_at = now(), halt_reason = 'lunch'", "the account is halted: lunch"),
        ("""rule_changes = '{"trading_hours": "02:00-02:01"}'""", "trading hours"),
    ],
)
def test_a_resting_entry_is_cancelled_once_it_would_be_denied(
    worker_env: WorkerEnv, rule: str, expected_reason: str
) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    order_id = place_resting_limit(worker_env)
    worker_env.watch()
    assert [] == worker_env.rows(CHANGES)
    worker_env.execute(f"UPDATE account SET {rule}".replace('": "', '"\\: "').replace("02:", "02\\:"))
    worker_env.watch()
    worker_env.run_due_jobs()

    assert "CANCELLED" == read_state(worker_env, order_id)
    assert 3 == read_venue_order(worker_env, order_id)["status"]
    ((reason, origin),) = worker_env.rows("SELECT reason, origin FROM order_change")
    assert expected_reason in reason
    assert "protector" == origin
    assert [("WORKING",)] == worker_env.rows("SELECT state FROM orders WHERE role = 'STOP_LOSS' AND state = 'WORKING'")


def test_a_resting_order_that_only_reduces_a_position_stays(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(quantity=2)
    worker_env.run_due_jobs()
    state, _, error = worker_env.run(
        make_manual_entry(worker_env, side=Side.SELL, limit_price=str(last_price(worker_env) + 100))
    )
    assert "succeeded" == state, error
    worker_env.execute("UPDATE account SET halted_at = now(), halt_reason = 'lunch'")
    worker_env.watch()

    assert [] == worker_env.rows(CHANGES)
    assert [("SELL", 1)] == worker_env.rows(
        "SELECT side, quantity FROM orders WHERE role = 'ENTRY' AND state = 'WORKING'"
    )


def test_an_order_given_up_and_found_late_gets_its_state_from_the_venue(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    worker_env.execute(
        "UPDATE orders SET state = 'EXPIRED', in_doubt_at = now(), venue_order_id = NULL, filled_quantity = 0,"
        " changed_market_at = NULL WHERE role = 'ENTRY'"
    )
    worker_env.run(ReconcileAccounts())

    assert [("FILLED", 1)] == worker_env.rows("SELECT state, filled_quantity FROM orders WHERE role = 'ENTRY'")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"quantity": None}, "needs either a quantity or a risk in dollars"),
        ({"limit_price": "12.1"}, "limit_price of CON.F.US.MNQ.H26: price 12.1 is not a multiple"),
        ({"limit_price": "a lot"}, "invalid limit_price 'a lot': expected a number above 0"),
        ({"symbol": "XYZ"}, "unknown symbol 'XYZ'"),
        ({"stop_loss_ticks": None}, "has no stop"),
        ({"quantity": 77}, "quantity 77 is not between 1 and 5"),
    ],
)
def test_an_invalid_entry_fails_with_its_reason(worker_env: WorkerEnv, more: dict[str, Any], message: str) -> None:
    status, _, error = worker_env.run(make_manual_entry(worker_env, **more))

    assert "failed" == status
    assert message in (error or "")
    assert [] == worker_env.venue.requests(PLACE)


AT_MARKET: dict[str, Any] = {"type": OrderType.MARKET, "limit_price": None, "quantity": None}


def test_a_dry_run_reports_the_order_and_sends_nothing(worker_env: WorkerEnv) -> None:
    status, result, _ = worker_env.run(make_manual_entry(worker_env, **AT_MARKET, risk="100", is_dry_run=True))

    assert "succeeded" == status
    assert 4 == result["would_send"]["quantity"]  # 40 ticks of 0.50 and 2.72 of costs: 22.72 each, 4.4 rounded down
    assert [] == worker_env.venue.requests(PLACE)
    assert [] == worker_env.rows("SELECT 1 FROM orders")


def test_a_quantity_from_risk_is_never_rounded_up_to_one(worker_env: WorkerEnv) -> None:
    status, _, error = worker_env.run(make_manual_entry(worker_env, **AT_MARKET, risk="20"))

    assert "failed" == status
    assert "the risk is too small for one contract, which loses 22.72 at this stop" in (error or "")
    assert [] == worker_env.venue.requests(PLACE)


def test_an_entry_by_hand_that_waited_is_not_made_after_a_close_that_was_requested_later(worker_env: WorkerEnv) -> None:
    waiting = worker_env.enqueue(make_manual_entry(worker_env))
    worker_env.flatten(MNQ)
    worker_env.run_due_jobs()

    state, _, error = worker_env.job(waiting)
    assert ("failed", True) == (state, "was closed by a later request" in (error or ""))
    assert [("DENIED",)] == worker_env.rows("SELECT state FROM orders WHERE role = 'ENTRY'")
