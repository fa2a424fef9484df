"""An entry that has filled counts in every limit also before its fills are known."""

import pytest

from tests.fixtures.alert_steps import last_signal, run_next
from tests.fixtures.worker_env import WorkerEnv
from workers.orders import venue_state

POLL = "SELECT id FROM job WHERE state = 'queued' AND name = 'orders.poll_fills'"


def test_an_entry_whose_fill_is_known_before_its_own_report_is_a_trade_of_the_day(worker_env: WorkerEnv) -> None:
    worker_env.execute("""UPDATE account SET rule_changes = '{"max_trades_per_day": "1"}'""")
    run_next(worker_env, worker_env.entry_alert())
    worker_env.run_due_jobs()
    worker_env.execute("UPDATE orders SET state = 'WORKING', filled_quantity = 0, type = 'LIMIT', limit_price = 30000")
    run_next(worker_env, worker_env.entry_alert())

    assert ("BUY", "denied") == last_signal(worker_env)[:2]


@pytest.mark.parametrize(
    ("rules", "verdict"),
    [
        ('{"max_by_root": "MNQ 1"}', "denied"),
        ('{"max_trades_per_day": "1"}', "denied"),
        ('{"max_trades_per_day": "2"}', "accepted"),
    ],
)
def test_an_entry_that_has_filled_counts_before_its_fill_is_known(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch, rules: str, verdict: str
) -> None:
    worker_env.execute(f"UPDATE account SET rule_changes = '{rules}'")
    run_next(worker_env, worker_env.entry_alert())
    with monkeypatch.context() as patch:
        patch.setattr(venue_state, "apply_fills", lambda *_: None)
        ((job_id,),) = worker_env.rows(POLL)
        run_next(worker_env, job_id)
    assert [("FILLED",)] == worker_env.rows("SELECT state FROM orders WHERE role = 'ENTRY'")
    run_next(worker_env, worker_env.entry_alert())

    assert ("BUY", verdict) == last_signal(worker_env)[:2]
