"""A market entry that closes all while an earlier one is not confirmed waits for it, and closes what it fills too."""

from decimal import Decimal
from uuid import UUID

import pytest

from shared.db.orders import reversals
from shared.domain.orders.order import OrderType, Side
from shared.gateway.client import GatewayClient
from shared.gateway.errors import NotSentError
from shared.gateway.orders.mutations import Mutations
from shared.gateway.orders.order_request import OrderRequest
from shared.ledger.jobs.orders import EnterManually, ReconcileAccounts
from tests.fixtures.alert_steps import average, hold, last_signal, result_of, run_next, run_until
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.fixtures.worker_processes import process
from workers.wiring import open_runner

CLOSING = "SELECT id FROM job WHERE name = 'alerts.close_reversed' AND state = 'queued' ORDER BY id DESC LIMIT 1"
PLANS = "SELECT quantity_closing, quantity_opening, quantity_offset FROM entry_reversal ORDER BY requested_at"
LATER = "UPDATE job SET run_at = now() + interval '1 hour' WHERE state = 'queued' AND name LIKE '{}'"
REQUESTED_LONG_AGO = """
    WITH earlier AS (UPDATE orders SET created_at = created_at - interval '20 s'),
         filled AS (UPDATE fill SET recorded_at = recorded_at - interval '20 s')
    UPDATE entry_reversal SET requested_at = requested_at - interval '20 s'
"""
NOT_CONFIRMED = "is not confirmed, so the position is not known"


def enter_in_doubt(worker_env: WorkerEnv, *, is_at_venue: bool, quantity: int = 1) -> None:
    """Let an alert buy, whose answer is lost; its resolution waits."""
    kind = "lose_answer_after" if is_at_venue else "lose_before"
    worker_env.venue.faults(path="/api/Order/place", kind=kind)
    run_next(worker_env, worker_env.entry_alert(quantity=quantity))
    assert [("IN_DOUBT",)] == worker_env.rows("SELECT state FROM orders WHERE state = 'IN_DOUBT'")
    worker_env.execute(LATER.format("orders.resolve%"))


def reverse_after_15_s(worker_env: WorkerEnv, quantity: int) -> tuple[UUID, UUID]:
    """Send an alert that sells, and record what it closes; return its own job and the closing one."""
    own = worker_env.entry_alert(action="sell", quantity=quantity)
    ((closing,),) = worker_env.rows(CLOSING)
    worker_env.execute(f"UPDATE job SET enqueued_at = now() - interval '16 s' WHERE id = '{closing}'")
    run_next(worker_env, closing)
    return own, closing


def run_others(worker_env: WorkerEnv) -> None:
    """Run what is due but for alerts and the resolution of the order in doubt."""
    worker_env.execute(LATER.format("alerts.%"))
    worker_env.execute(LATER.format("orders.resolve%"))
    worker_env.run_due_jobs()


def move_and_reconcile(worker_env: WorkerEnv, price: Decimal) -> None:
    """Move the price at the venue, and let what it fills be known."""
    worker_env.venue.move_price(price)
    worker_env.enqueue(ReconcileAccounts())
    worker_env.run_due_jobs()


def resolve(worker_env: WorkerEnv) -> None:
    ((job_id,),) = worker_env.rows("SELECT id FROM job WHERE name = 'orders.resolve_in_doubt_order'")
    run_next(worker_env, job_id)


@pytest.mark.parametrize(("quantity", "plan", "left"), [(3, (2, 0, 1), 0), (4, (2, 1, 1), -1)])
def test_what_an_unconfirmed_entry_fills_is_closed_too(
    worker_env: WorkerEnv, quantity: int, plan: tuple[int, ...], left: int
) -> None:
    hold(worker_env, 2)
    enter_in_doubt(worker_env, is_at_venue=True)
    _, closing = reverse_after_15_s(worker_env, quantity)
    assert [plan] == worker_env.rows(PLANS)

    worker_env.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    run_until(worker_env, left)
    assert f"3 of {MNQ} closed" in last_signal(worker_env)[2]
    assert '"closes": "3 of MNQ"' in result_of(worker_env, closing)


def test_what_an_entry_leaves_of_a_larger_unconfirmed_one_is_no_denial(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    enter_in_doubt(worker_env, is_at_venue=True, quantity=3)
    own, closing = reverse_after_15_s(worker_env, 3)
    worker_env.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    run_until(worker_env, 2)

    assert ["succeeded"] * 2 == [result_of(worker_env, one)[:9] for one in (own, closing)]


def test_an_unconfirmed_entry_that_is_not_at_the_venue_leaves_nothing_to_close(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    enter_in_doubt(worker_env, is_at_venue=False)
    own, closing = reverse_after_15_s(worker_env, 3)
    run_others(worker_env)
    run_next(worker_env, closing)
    assert NOT_CONFIRMED in result_of(worker_env, closing)

    worker_env.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    run_until(worker_env, 0)
    assert ["succeeded"] * 2 == [result_of(worker_env, one)[:9] for one in (own, closing)]


def test_it_is_waited_for_and_closed_too_if_a_stop_closes_the_position_first(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    enter_in_doubt(worker_env, is_at_venue=False)
    _, closing = reverse_after_15_s(worker_env, 3)
    worker_env.execute(LATER.format("orders.reduce_position"))
    worker_env.venue.move_price(average(worker_env) - 150)
    worker_env.enqueue(ReconcileAccounts())
    run_others(worker_env)
    assert 0 == worker_env.venue.position()
    ((reduction,),) = worker_env.rows("SELECT id FROM job WHERE name = 'orders.reduce_position'")
    run_next(worker_env, reduction)
    run_next(worker_env, closing)

    assert NOT_CONFIRMED in result_of(worker_env, closing)


def fill_late(worker_env: WorkerEnv, quantity: int) -> None:
    """Fill the entry in doubt at the venue long after the close was requested, and let that be known."""
    worker_env.execute(REQUESTED_LONG_AGO)
    fill_in_doubt(worker_env, quantity)


def fill_in_doubt(worker_env: WorkerEnv, quantity: int) -> None:
    """Fill the entry in doubt at the venue, and let that be known."""
    ((tag,),) = worker_env.rows("SELECT client_order_id FROM orders WHERE state = 'IN_DOUBT'")
    worker_env.venue.trade(contractId=MNQ, side=0, size=quantity, customTag=tag)
    resolve(worker_env)
    run_others(worker_env)


def test_what_fills_long_after_the_close_is_closed_too(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    enter_in_doubt(worker_env, is_at_venue=False)
    reverse_after_15_s(worker_env, 3)
    run_others(worker_env)
    assert 0 == worker_env.venue.position()
    fill_late(worker_env, 1)
    assert 1 == worker_env.venue.position()

    worker_env.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    run_until(worker_env, 0)


@pytest.mark.parametrize("is_at_venue", [True, False])
def test_what_was_entered_after_the_close_is_not_closed(worker_env: WorkerEnv, *, is_at_venue: bool) -> None:
    hold(worker_env, 2)
    enter_in_doubt(worker_env, is_at_venue=is_at_venue)
    _, closing = reverse_after_15_s(worker_env, 3)
    run_others(worker_env)
    resolve(worker_env)
    worker_env.run(EnterManually(account_id=20001, symbol="MNQ", side=Side.BUY, quantity=1, stop_loss_ticks=400))
    run_others(worker_env)

    worker_env.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    run_until(worker_env, 1)
    assert f'"closes": "{3 if is_at_venue else 2} of MNQ"' in result_of(worker_env, closing)


def test_a_resting_entry_of_before_that_fills_after_the_close_is_not_closed(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    price = average(worker_env) // 1 - 30
    worker_env.run(buy_limit(price))
    enter_in_doubt(worker_env, is_at_venue=False)
    reverse_after_15_s(worker_env, 3)
    run_others(worker_env)
    worker_env.venue.move_price(price - 5)
    worker_env.enqueue(ReconcileAccounts())
    run_others(worker_env)
    assert 1 == worker_env.venue.position()

    worker_env.execute("UPDATE orders SET submitted_at = submitted_at - interval '20 s' WHERE state = 'IN_DOUBT'")
    worker_env.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    run_until(worker_env, 1)


def buy_limit(price: Decimal) -> EnterManually:
    """Return a person's request to buy one at a price or below."""
    return EnterManually(
        account_id=20001,
        symbol="MNQ",
        side=Side.BUY,
        type=OrderType.LIMIT,
        quantity=1,
        limit_price=str(price),
        stop_loss_ticks=400,
    )


def test_after_a_stop_has_closed_all_only_what_was_unconfirmed_is_closed(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    price = average(worker_env) // 1 - 150
    worker_env.run(buy_limit(price))
    enter_in_doubt(worker_env, is_at_venue=False)
    _, closing = reverse_after_15_s(worker_env, 3)
    worker_env.execute(LATER.format("orders.reduce_position"))
    worker_env.venue.move_price(price - 5)
    worker_env.enqueue(ReconcileAccounts())
    run_others(worker_env)
    assert 1 == worker_env.venue.position()  # the stop closed two, and the limit bought one
    ((reduction,),) = worker_env.rows("SELECT id FROM job WHERE name = 'orders.reduce_position'")
    worker_env.execute(f"UPDATE job SET enqueued_at = enqueued_at - interval '20 s' WHERE id = '{reduction}'")
    run_next(worker_env, reduction)
    fill_late(worker_env, 1)

    worker_env.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    run_until(worker_env, 1)
    assert f"1 of {MNQ} came late, and 1 held against it is not closed" in result_of(worker_env, closing)


def test_of_three_that_come_after_a_stop_has_closed_all_the_offset_is_closed(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    enter_in_doubt(worker_env, is_at_venue=False, quantity=3)
    reverse_after_15_s(worker_env, 5)
    worker_env.execute(LATER.format("orders.reduce_position"))
    worker_env.venue.move_price(average(worker_env) - 150)
    worker_env.enqueue(ReconcileAccounts())
    run_others(worker_env)
    assert 0 == worker_env.venue.position()
    fill_late(worker_env, 3)

    worker_env.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    run_until(worker_env, 0)


def test_an_entry_of_a_person_that_is_withdrawn_closes_what_comes_late_too(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    enter_in_doubt(worker_env, is_at_venue=True)
    typed = EnterManually(account_id=20001, symbol="MNQ", side=Side.SELL, quantity=3, stop_loss_ticks=400)
    job_id = worker_env.enqueue(typed)
    worker_env.execute(f"UPDATE job SET enqueued_at = now() - interval '16 s' WHERE id = '{job_id}'")
    run_next(worker_env, job_id)
    with worker_env.ledger.engine.begin() as connection:
        reversals.give_up_opening(connection, job_id, 20001)

    worker_env.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    run_until(worker_env, 0)


def test_an_entry_that_was_dropped_unsent_is_not_waited_for(worker_env: WorkerEnv) -> None:
    """What is held by the time that its own job runs was entered later, and its close was done."""
    hold(worker_env, 2)
    waiting = worker_env.entry_alert()
    worker_env.execute(LATER.format("alerts.%"))
    own = worker_env.entry_alert(action="sell", quantity=3)
    ((closing,),) = worker_env.rows(CLOSING)
    run_next(worker_env, closing)
    assert [(2, 0, 0)] == worker_env.rows(PLANS)
    run_others(worker_env)
    run_next(worker_env, closing)
    worker_env.run(EnterManually(account_id=20001, symbol="MNQ", side=Side.BUY, quantity=1, stop_loss_ticks=400))
    run_next(worker_env, waiting)
    run_next(worker_env, own)

    assert result_of(worker_env, own).startswith("succeeded")


@pytest.mark.parametrize("quantity", [2, 3])
def test_an_entry_whose_sending_fails_during_a_later_close_is_not_sent_after_it(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch, quantity: int
) -> None:
    hold(worker_env, 2)
    entry = worker_env.entry_alert()
    place = Mutations.place
    calls: list[UUID] = []

    def reverse_and_fail(gateway: GatewayClient, request: OrderRequest) -> int:
        if calls:
            return place(gateway, request)
        calls.append(worker_env.entry_alert(action="sell", quantity=quantity))
        ((closing,),) = worker_env.rows(CLOSING)
        worker_env.execute(f"UPDATE job SET enqueued_at = now() - interval '16 s' WHERE id = '{closing}'")
        with open_runner(worker_env.settings, process("test/2"), program="test2") as other:
            other.run(closing)
        raise NotSentError("no connection to the venue")

    monkeypatch.setattr(Mutations, "place", reverse_and_fail)
    worker_env.runner.run(entry)
    run_until(worker_env, 0)

    reasons = worker_env.rows("SELECT state, reason FROM orders WHERE role = 'ENTRY' AND filled_quantity = 0")
    assert [("DENIED", f"an entry that reversed {MNQ} was requested after this one")] == reasons
