"""The close of what an alert reverses does not expire with its entry while what it closes is in doubt."""

from shared.ledger.jobs.orders import LapseApproval
from tests.fixtures.alert_steps import average, hold, result_of, run_next, run_until, strategy_fields
from tests.fixtures.approvals import approve_without_worker, ask, require_approval, state_of
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.alerts.test_unconfirmed_entries import (
    CLOSING,
    LATER,
    buy_limit,
    fill_in_doubt,
    move_and_reconcile,
)


def test_the_close_of_a_target_position_does_not_expire_while_what_it_reverses_is_in_doubt(
    worker_env: WorkerEnv,
) -> None:
    worker_env.venue.faults(path="/api/Order/place", kind="lose_answer_after")
    run_next(worker_env, worker_env.entry_alert())
    worker_env.execute(LATER.format("orders.resolve%"))
    own = worker_env.entry_alert(**strategy_fields(quantity=2, market_position="short", market_position_size=1))
    ((closing,),) = worker_env.rows(CLOSING)
    worker_env.execute(f"UPDATE job SET enqueued_at = now() - interval '16 s' WHERE id IN ('{closing}', '{own}')")
    run_next(worker_env, closing)
    worker_env.execute(f"UPDATE job SET state = 'expired', finished_at = now() WHERE id = '{own}'")

    worker_env.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    run_until(worker_env, 0)


def test_an_exit_of_an_entry_that_is_in_doubt_does_not_expire_with_its_alert(worker_env: WorkerEnv) -> None:
    """Nothing was held when the alert came, so it got no closing job then."""
    entry = worker_env.entry_alert()
    own = worker_env.entry_alert(action="sell")
    assert [] == worker_env.rows(CLOSING)
    worker_env.venue.faults(path="/api/Order/place", kind="lose_answer_after")
    run_next(worker_env, entry)
    run_next(worker_env, own)
    worker_env.execute(f"UPDATE job SET state = 'expired', finished_at = now() WHERE id = '{own}'")

    run_until(worker_env, 0)


def test_a_close_is_seen_through_anew_once_its_earlier_job_has_ended(worker_env: WorkerEnv) -> None:
    """An order was not confirmed, ended, and was found at the venue after that."""
    entry = worker_env.entry_alert()
    own = worker_env.entry_alert(action="sell")
    worker_env.venue.faults(path="/api/Order/place", kind="lose_before")
    run_next(worker_env, entry)
    worker_env.execute(LATER.format("orders.resolve%"))
    run_next(worker_env, own)
    ((first,),) = worker_env.rows(CLOSING)
    worker_env.execute("UPDATE orders SET state = 'EXPIRED'")
    run_next(worker_env, first)
    assert "nothing in MNQ is held against it" in result_of(worker_env, first)
    worker_env.execute("UPDATE orders SET state = 'IN_DOUBT'")
    run_next(worker_env, own)
    worker_env.execute(f"UPDATE job SET state = 'expired', finished_at = now() WHERE id = '{own}'")
    fill_in_doubt(worker_env, 1)

    worker_env.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    run_until(worker_env, 0)


def test_the_close_of_an_approved_entry_does_not_end_with_its_approval(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    """A limit order of before fills, its fill is not recorded yet, and an outage outlasts the approved entry."""
    hold(worker_env, 1)
    price = average(worker_env) // 1 - 30
    worker_env.flatten(MNQ)
    run_until(worker_env, 0)
    worker_env.run(buy_limit(price))
    require_approval(worker_env)
    approval_id = ask(worker_env, action="sell", quantity=1)
    worker_env.execute(
        "UPDATE orders SET state = 'FILLED', filled_quantity = 1, updated_at = now()"
        " WHERE type = 'LIMIT' AND role = 'ENTRY'"
    )
    job_id = approve_without_worker(worker_env, operator, approval_id)
    run_next(worker_env, job_id)
    assert f"an order against it in {MNQ} is not confirmed" in result_of(worker_env, job_id)
    worker_env.execute(f"UPDATE job SET state = 'expired', finished_at = now() WHERE id = '{job_id}'")
    worker_env.runner.run(worker_env.enqueue(LapseApproval(approval_id=approval_id)))
    assert ("APPROVED", False) == state_of(worker_env, approval_id)
    for name in ("alerts.%", "orders.lapse%"):
        worker_env.execute(LATER.format(name))
    worker_env.execute(
        "UPDATE orders SET state = 'WORKING', filled_quantity = 0 WHERE type = 'LIMIT' AND role = 'ENTRY'"
    )
    move_and_reconcile(worker_env, price - 5)

    worker_env.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    run_until(worker_env, 0)
    assert ("EXPIRED", False) == state_of(worker_env, approval_id)
