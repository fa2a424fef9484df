"""What comes late to a reversal is closed while that is certain; else it stays as it is, and is shown."""

from uuid import UUID

from shared.domain.orders.order import Side
from shared.ledger.jobs.orders import EnterManually, ReconcileAccounts
from shared.overview.stack_problems import find_unclosed_fills
from tests.fixtures.alert_steps import average, hold, last_signal, result_of, run_next, run_until, trade_by_hand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.alerts.test_unconfirmed_entries import (
    LATER,
    buy_limit,
    enter_in_doubt,
    fill_in_doubt,
    move_and_reconcile,
    resolve,
    reverse_after_15_s,
    run_others,
)

NOT_CLOSED = f"1 of {MNQ} came late, and 1 held against it is not closed"
REQUESTED_AN_HOUR_AGO = """
    WITH earlier AS (UPDATE orders SET created_at = created_at - interval '61 min'),
         filled AS (UPDATE fill SET recorded_at = recorded_at - interval '61 min')
    UPDATE entry_reversal SET requested_at = requested_at - interval '61 min'
"""


def find_problem(worker_env: WorkerEnv) -> str | None:
    """Return what `status` and `doctor` say of late fills."""
    with worker_env.ledger.engine.connect() as connection:
        return find_unclosed_fills(connection)


def reverse_three(worker_env: WorkerEnv) -> tuple[UUID, UUID]:
    """Hold two, and sell three while a third one is not confirmed; close the two."""
    hold(worker_env, 2)
    enter_in_doubt(worker_env, is_at_venue=False)
    jobs = reverse_after_15_s(worker_env, 3)
    run_others(worker_env)
    assert 0 == worker_env.venue.position()
    return jobs


def run_rest(worker_env: WorkerEnv, quantity: int) -> None:
    """Run all that is left, until the venue holds `quantity`."""
    worker_env.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    run_until(worker_env, quantity)


def test_what_came_late_before_a_round_trip_by_hand_is_left_and_shown(worker_env: WorkerEnv) -> None:
    own, closing = reverse_three(worker_env)
    fill_in_doubt(worker_env, 1)
    for quantity in (1, -1):
        trade_by_hand(worker_env, quantity)
    worker_env.enqueue(ReconcileAccounts())
    run_others(worker_env)
    run_rest(worker_env, 1)

    assert NOT_CLOSED in result_of(worker_env, closing)
    assert NOT_CLOSED in result_of(worker_env, own)
    assert ("denied", True) == (last_signal(worker_env)[1], NOT_CLOSED in last_signal(worker_env)[2])
    assert " is LONG 1 of MNQ H26 that came late and was not closed" in str(find_problem(worker_env))
    worker_env.flatten(MNQ)
    run_rest(worker_env, 0)
    assert find_problem(worker_env) is None


def test_what_was_opened_after_the_stop_of_a_late_fill_is_not_closed_in_its_place(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    price = average(worker_env) // 1 - 150
    worker_env.run(buy_limit(price))
    enter_in_doubt(worker_env, is_at_venue=True)
    _, closing = reverse_after_15_s(worker_env, 3)
    run_others(worker_env)
    resolve(worker_env)
    run_others(worker_env)
    assert 1 == worker_env.venue.position()
    worker_env.execute(LATER.format("alerts.%"))
    move_and_reconcile(worker_env, price - 5)  # the stop closed one, and the limit bought one
    run_rest(worker_env, 1)

    assert NOT_CLOSED in result_of(worker_env, closing)
    assert find_problem(worker_env) is None  # that one is gone


def test_what_comes_more_than_an_hour_late_is_closed_too(worker_env: WorkerEnv) -> None:
    _, closing = reverse_three(worker_env)
    worker_env.execute(REQUESTED_AN_HOUR_AGO)
    fill_in_doubt(worker_env, 1)
    run_rest(worker_env, 0)

    assert '"closes": "3 of MNQ"' in result_of(worker_env, closing)


def test_what_filled_before_the_request_and_comes_an_hour_after_it_is_closed_too(worker_env: WorkerEnv) -> None:
    """The venue was away when it filled."""
    _, closing = reverse_three(worker_env)
    worker_env.execute(REQUESTED_AN_HOUR_AGO)
    fill_in_doubt(worker_env, 1)
    worker_env.execute(
        "UPDATE fill SET filled_market_at = filled_market_at - interval '2 hours'"
        " WHERE recorded_at = (SELECT max(recorded_at) FROM fill)"
    )
    run_rest(worker_env, 0)

    assert '"closes": "3 of MNQ"' in result_of(worker_env, closing)


def test_what_comes_after_the_entry_of_a_person_has_expired_is_shown(worker_env: WorkerEnv) -> None:
    """The job of that entry sees its close through, and no other does."""
    hold(worker_env, 2)
    enter_in_doubt(worker_env, is_at_venue=False)
    job_id = worker_env.enqueue(
        EnterManually(account_id=20001, symbol="MNQ", side=Side.SELL, quantity=3, stop_loss_ticks=400)
    )
    worker_env.execute(f"UPDATE job SET enqueued_at = now() - interval '16 s' WHERE id = '{job_id}'")
    run_next(worker_env, job_id)
    worker_env.execute(LATER.format("orders.enter_manually"))
    run_others(worker_env)
    fill_in_doubt(worker_env, 1)
    assert find_problem(worker_env) is None  # its job is still to close it
    worker_env.execute(f"UPDATE job SET state = 'expired', finished_at = now() WHERE id = '{job_id}'")

    assert " is LONG 1 of MNQ H26 that came late and was not closed" in str(find_problem(worker_env))
