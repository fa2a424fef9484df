"""Entries as alerts request them, with a price, a month or a trailing distance; and an alert that only tests."""

from tests.fixtures.alert_steps import ENTRIES, result_of, strategy_fields
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv


def test_a_limit_entry_rests_at_its_price(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(**strategy_fields(action="buy", order_type="limit", limit_price=20000))
    worker_env.run_due_jobs()

    assert [("BUY", "LIMIT", 1, "WORKING")] == worker_env.rows(ENTRIES)
    assert [(20000,)] == worker_env.rows("SELECT limit_price FROM orders WHERE role = 'ENTRY'")


def test_an_entry_stores_its_trailing_distance(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(trail_ticks=300)
    worker_env.run_due_jobs()

    assert [(300,)] == worker_env.rows("SELECT trail_ticks FROM orders WHERE role = 'ENTRY'")


def test_an_entry_in_a_month_that_is_not_active_is_refused_with_the_one_that_is(worker_env: WorkerEnv) -> None:
    job_id = worker_env.entry_alert(**strategy_fields(action="buy", symbol="CME_MINI:MNQU2031"))
    worker_env.run_due_jobs()

    assert f"CME_MINI:MNQU2031 is not the active contract of MNQ, which is {MNQ}" in result_of(worker_env, job_id)
    assert [] == worker_env.rows(ENTRIES)


def test_a_test_alert_trades_nothing(worker_env: WorkerEnv) -> None:
    job_id = worker_env.critical_alert(action="test")
    worker_env.run_due_jobs()

    assert 'succeeded: {"test": "received, and trades nothing"}' == result_of(worker_env, job_id)
    assert [] == worker_env.rows("SELECT 1 FROM signal")
