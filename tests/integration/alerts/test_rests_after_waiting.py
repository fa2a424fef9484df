"""The rest of a reversal that waits for a person: what was opened meanwhile is neither closed nor traded against."""

from tests.fixtures.alert_steps import average, hold, result_of, run_next
from tests.fixtures.approvals import approve_without_worker, require_approval
from tests.fixtures.operator import RunCommand
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.alerts.test_unconfirmed_entries import (
    CLOSING,
    LATER,
    REQUESTED_LONG_AGO,
    buy_limit,
    enter_in_doubt,
    move_and_reconcile,
    reverse_after_15_s,
)

HELD_AGAIN = f"{MNQ} is held against it again, and was closed once"


def run_until_asked(worker_env: WorkerEnv) -> None:
    """Run what is due until the rest of the reversal waits for a person."""

    def is_asked() -> bool:
        worker_env.write_quote()
        worker_env.run_due_jobs()
        return bool(worker_env.rows("SELECT 1 FROM entry_approval"))

    until(is_asked, what="the question for an approval")


def approve(worker_env: WorkerEnv, operator: RunCommand) -> str:
    """Approve the rest and make it; return what became of it."""
    ((approval_id,),) = worker_env.rows("SELECT id FROM entry_approval")
    job_id = approve_without_worker(worker_env, operator, approval_id)

    def has_ended() -> bool:
        worker_env.write_quote()
        if worker_env.job(job_id)[0] == "queued":
            run_next(worker_env, job_id)
        worker_env.run_due_jobs()
        return worker_env.job(job_id)[0] != "queued"

    until(has_ended, what="the end of the approved entry")
    return result_of(worker_env, job_id)


def test_a_resting_entry_that_fills_after_a_late_one_was_closed_stays(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    hold(worker_env, 2)
    price = average(worker_env) // 1 - 30
    worker_env.run(buy_limit(price))
    enter_in_doubt(worker_env, is_at_venue=True)
    require_approval(worker_env)
    reverse_after_15_s(worker_env, 4)
    worker_env.execute("UPDATE job SET run_at = now() WHERE state = 'queued' AND name <> 'orders.lapse_approval'")
    run_until_asked(worker_env)
    assert 0 == worker_env.venue.position()
    worker_env.execute(REQUESTED_LONG_AGO)
    move_and_reconcile(worker_env, price - 5)
    assert 1 == worker_env.venue.position()

    assert HELD_AGAIN in approve(worker_env, operator)
    assert 1 == worker_env.venue.position()


def test_a_resting_entry_that_fills_after_a_stop_has_closed_all_stays_with_the_other_orders(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    hold(worker_env, 2)
    start = average(worker_env) // 1
    for below in (150, 300):
        worker_env.run(buy_limit(start - below))
    require_approval(worker_env)
    worker_env.entry_alert(action="sell", quantity=3)
    ((closing,),) = worker_env.rows(CLOSING)
    run_next(worker_env, closing)
    worker_env.execute(LATER.format("orders.reduce_position"))
    worker_env.execute(LATER.format("alerts.%"))
    move_and_reconcile(worker_env, start - 110)
    assert 0 == worker_env.venue.position()
    worker_env.execute("UPDATE job SET run_at = now() WHERE state = 'queued' AND name <> 'orders.lapse_approval'")
    run_until_asked(worker_env)
    worker_env.execute(REQUESTED_LONG_AGO)
    move_and_reconcile(worker_env, start - 155)
    assert 1 == worker_env.venue.position()

    assert HELD_AGAIN in approve(worker_env, operator)
    assert 1 == worker_env.venue.position()
    assert [] == worker_env.rows("SELECT 1 FROM flatten_request")
    assert [(1,)] == worker_env.rows(
        "SELECT count(*) FROM orders WHERE type = 'LIMIT' AND role = 'ENTRY' AND state = 'WORKING'"
    )


def test_an_exit_whose_position_a_stop_has_closed_touches_no_later_one_and_says_so(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    price = average(worker_env) // 1 - 150
    worker_env.run(buy_limit(price))
    worker_env.entry_alert(action="sell", quantity=2)
    ((closing,),) = worker_env.rows(CLOSING)
    run_next(worker_env, closing)
    worker_env.execute(LATER.format("orders.reduce_position"))
    worker_env.execute(LATER.format("alerts.%"))
    move_and_reconcile(worker_env, price + 40)
    assert 0 == worker_env.venue.position()
    worker_env.execute(REQUESTED_LONG_AGO)
    worker_env.execute(
        "UPDATE job SET enqueued_at = enqueued_at - interval '20 s' WHERE name = 'orders.reduce_position'"
    )
    move_and_reconcile(worker_env, price - 5)
    ((reduction,),) = worker_env.rows("SELECT id FROM job WHERE name = 'orders.reduce_position'")
    run_next(worker_env, reduction)
    run_next(worker_env, closing)

    assert HELD_AGAIN in result_of(worker_env, closing)
    assert 1 == worker_env.venue.position()
