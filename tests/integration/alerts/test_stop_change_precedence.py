"""Alerts that move stops, beside a quote that is missing, other alerts and another account."""

from uuid import UUID

import pytest

from shared.hot.quotes import quote_key
from shared.ledger.jobs.alerts import HandleFollowerAlert
from tests.fixtures.alert_steps import (
    ENTRIES,
    MODIFY,
    TICK,
    average,
    hold,
    last_signal,
    move_average,
    result_of,
    run_change,
    run_next,
    stop_prices,
    time_ago,
)
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from workers.orders.current_state import WAIT_FOR


def test_without_a_fresh_quote_a_move_waits_and_is_then_refused(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    job_id = worker_env.critical_alert(action="move_stop", stop_loss_ticks=100)
    worker_env.redis.delete(quote_key(MNQ))
    worker_env.runner.run(job_id)
    assert [("queued",)] == worker_env.rows("SELECT state FROM job WHERE id = %s", job_id)
    waited = f"enqueued_at = now() - interval '{WAIT_FOR.seconds} s'"
    worker_env.execute(f"UPDATE job SET run_at = now(), {waited} WHERE id = '{job_id}'")
    worker_env.runner.run(job_id)

    assert "denied" == last_signal(worker_env)[1]
    assert f"failed: RefusedError: no fresh quote of {MNQ}" in result_of(worker_env, job_id)
    assert [] == worker_env.venue.requests(MODIFY)


@pytest.mark.parametrize("is_later", ["received", "sent"])
def test_a_move_that_runs_after_a_later_one_does_not_undo_it(worker_env: WorkerEnv, is_later: str) -> None:
    hold(worker_env, 1)
    hook_id, first, second = worker_env.add_hook(), {"stop_loss_ticks": 200}, {"stop_loss_ticks": 100}
    if is_later == "received":
        late = worker_env.critical_alert(hook_id, action="move_stop", **first)
        run_next(worker_env, worker_env.critical_alert(hook_id, action="move_stop", **second))
    else:
        run_change(worker_env, hook_id, action="move_stop", timenow="2026-02-02T15:00:01Z", **second)
        late = worker_env.critical_alert(hook_id, action="move_stop", timenow="2026-02-02T15:00:00Z", **first)
    worker_env.run_due_jobs()

    assert [average(worker_env) - 100 * TICK] == stop_prices(worker_env)
    assert f"an alert that was {is_later} later has changed the stop" in result_of(worker_env, late)


def test_a_stop_move_that_was_denied_does_not_end_an_earlier_one(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    hook_id, earlier, later = worker_env.add_hook(), time_ago(5), time_ago(1)
    run_change(worker_env, hook_id, action="move_stop", stop_loss=90000, timenow=later)
    assert "denied" == last_signal(worker_env)[1]
    run_change(worker_env, hook_id, action="move_stop", stop_loss_ticks=100, timenow=earlier)

    assert [average(worker_env) - 100 * TICK] == stop_prices(worker_env)


def test_a_move_waits_for_the_entry_that_was_received_before_it(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(action="buy")
    job_id = worker_env.critical_alert(action="move_stop", stop_loss_ticks=100)
    run_next(worker_env, job_id)
    assert [("queued",)] == worker_env.rows("SELECT state FROM job WHERE id = %s", job_id)
    worker_env.run_due_jobs()

    assert [average(worker_env) - 100 * TICK] == stop_prices(worker_env)


@pytest.mark.parametrize("action", ["cancel", "breakeven"])
def test_a_follower_account_changes_as_the_first_does(worker_env: WorkerEnv, action: str) -> None:
    """The account stands for a follower here: its job names it."""
    hold(worker_env, 1)
    worker_env.entry_alert(action="buy", limit_price=20000)
    worker_env.run_due_jobs()
    paid = move_average(worker_env, -50)
    job_id = worker_env.critical_alert(action=action)
    ((alert_id,),) = worker_env.rows("SELECT arguments->>'alert_id' FROM job WHERE id = %s", job_id)
    worker_env.execute(f"DELETE FROM job WHERE id = '{job_id}'")
    state, _, error = worker_env.run(
        HandleFollowerAlert(alert_id=UUID(alert_id), account_id=worker_env.venue.account_id)
    )

    assert "succeeded" == state, error
    assert (action == "cancel") is ("CANCELLED" == worker_env.rows(ENTRIES)[-1][3])
    assert (action == "breakeven") is ([paid] == stop_prices(worker_env))
