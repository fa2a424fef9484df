"""What waits for a fill or a cancel asks the venue ever less often, so that exits find requests left."""

from datetime import timedelta

from tests.fixtures.alert_steps import strategy_fields
from tests.fixtures.passing_time import run_through_pauses
from tests.fixtures.worker_env import WorkerEnv

CANCEL, POSITIONS = "/api/Order/cancel", "/api/Position/searchOpen"
_POLL = "SELECT id FROM job WHERE name = 'orders.poll_fills' AND state = 'queued'"


def test_a_market_order_that_fills_in_parts_is_polled_ever_less_often(worker_env: WorkerEnv) -> None:
    worker_env.venue.faults(path="partial_fill", seconds=600)
    worker_env.runner.run(worker_env.entry_alert(quantity=2))
    ((poll,),) = worker_env.rows(_POLL)
    worker_env.execute("UPDATE orders SET submitted_at = now() - interval '3 seconds' WHERE role = 'ENTRY'")
    worker_env.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    worker_env.runner.run(poll)

    assert [("queued", True)] == worker_env.rows(
        "SELECT state, run_at - started_at >= interval '2 seconds' FROM job WHERE id = %s", poll
    )


def test_an_exit_to_a_target_reads_ever_less_often_while_the_cancel_of_an_entry_is_rejected(
    worker_env: WorkerEnv,
) -> None:
    worker_env.entry_alert(quantity=2)
    worker_env.run_due_jobs()
    worker_env.entry_alert(order_type="limit", limit_price=20000)
    worker_env.run_due_jobs()
    worker_env.venue.faults(path=CANCEL, kind="reject", error_code=3, count=None)
    job = worker_env.critical_alert(
        **strategy_fields(action="sell", quantity=1, market_position="long", market_position_size=1)
    )
    read = len(worker_env.venue.requests(POSITIONS))
    run_through_pauses(worker_env, job, timedelta(minutes=1))
    assert 1 < len(worker_env.venue.requests(POSITIONS)) - read < 50

    worker_env.venue.remove_faults()
    worker_env.run_due_jobs()
    assert 1 == worker_env.venue.position()
