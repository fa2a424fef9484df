"""The close of what an alert reverses does not expire with its entry while what it closes is in doubt."""

from tests.fixtures.alert_steps import run_next, run_until, strategy_fields
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.alerts.test_unconfirmed_entries import CLOSING, LATER


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
