"""Fills are polled while the user hub is down, or when its report was lost, and else not."""

from datetime import timedelta

import pytest

from shared.hot.feed_health import FRESH_FOR
from shared.ledger.jobs.orders import PollFills
from tests.fixtures.feed_reports import report_feed
from tests.fixtures.worker_env import WorkerEnv

POLLS = f"SELECT count(*) FROM job WHERE name = '{PollFills.job_name()}'"


def test_an_order_that_the_hub_reports_is_not_polled(worker_env: WorkerEnv) -> None:
    report_feed(worker_env, is_subscribed=True, age=-timedelta(hours=1))  # fresh, however slow the computer is
    worker_env.runner.run(worker_env.entry_alert())

    assert [("WORKING",)] == worker_env.rows("SELECT state FROM orders")
    assert [(0,)] == worker_env.rows(POLLS)


@pytest.mark.parametrize(("is_subscribed", "age"), [(False, timedelta(0)), (True, FRESH_FOR)])
def test_an_order_is_polled_while_the_hub_is_down_or_the_feed_is_silent(
    worker_env: WorkerEnv, *, is_subscribed: bool, age: timedelta
) -> None:
    report_feed(worker_env, is_subscribed=is_subscribed, age=age)
    worker_env.entry_alert()
    worker_env.run_due_jobs()

    assert [("FILLED",)] == worker_env.rows("SELECT state FROM orders WHERE role = 'ENTRY'")
    assert [(1,)] == worker_env.rows(POLLS)


@pytest.mark.parametrize("state", ["WORKING", "FILLED"])
def test_the_watch_polls_an_order_whose_report_was_lost(worker_env: WorkerEnv, state: str) -> None:
    report_feed(worker_env, is_subscribed=True, age=-timedelta(hours=1))
    worker_env.runner.run(worker_env.entry_alert())
    filled = "state = 'FILLED', filled_quantity = 1" if state == "FILLED" else "state = 'WORKING'"
    worker_env.execute(f"UPDATE orders SET {filled}, submitted_at = now() - interval '2 seconds' WHERE role = 'ENTRY'")
    worker_env.watch()
    assert [(1,)] == worker_env.rows(POLLS)
    worker_env.run_due_jobs()

    assert [(1, "the bracket's stop")] == worker_env.rows("SELECT quantity, guarded_by FROM fill")
    assert [("LONG", 1)] == worker_env.rows("SELECT direction, quantity FROM position")


def test_the_watch_polls_no_order_that_is_reported_or_left_to_the_reconcile(worker_env: WorkerEnv) -> None:
    report_feed(worker_env, is_subscribed=True, age=-timedelta(hours=1))
    worker_env.runner.run(worker_env.entry_alert())
    worker_env.execute("UPDATE orders SET submitted_at = now() - interval '11 seconds'")
    worker_env.watch()

    assert [(0,)] == worker_env.rows(POLLS)
