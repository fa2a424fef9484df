"""The personal limits at the venue: what the watch closes and cancels, and which entries are denied."""

from decimal import Decimal

import pytest

from shared.ledger.jobs.risk import WatchAccounts
from tests.fixtures.alert_steps import average, hold
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv


@pytest.fixture
def long_two(worker_env: WorkerEnv) -> WorkerEnv:
    """Long two MNQ, 4 dollars a point, under the rules of a 50K Combine."""
    worker_env.execute(
        "UPDATE account SET preset = 'combine-50k', balance = 50000, day_opening_balance = 50000, "
        "high_water_mark = 50000"
    )
    hold(worker_env, 2)
    return worker_env


def watch_at(worker_env: WorkerEnv, bid: Decimal) -> None:
    """Run the watch with the quote at `bid`, then what it has enqueued."""
    worker_env.write_quote(bid=bid)
    worker_env.runner.run(worker_env.enqueue(WatchAccounts()))
    worker_env.run_due_jobs()


def denial_of_entry(worker_env: WorkerEnv) -> str:
    """Return why an entry is denied; nothing if it passes."""
    job_id = worker_env.entry_alert()
    worker_env.run_due_jobs()
    state, _, error = worker_env.job(job_id)
    return "" if state == "succeeded" else error or state


def test_a_reached_profit_target_flattens_and_allows_no_entry_that_day(
    long_two: WorkerEnv, operator: RunCommand
) -> None:
    assert 0 == operator("accounts", "rules", "20001", "daily_profit_target=500", "--yes").status
    entry = average(long_two)
    watch_at(long_two, entry + 100)
    assert 2 == long_two.venue.position(MNQ)
    watch_at(long_two, entry + 130)

    assert 0 == long_two.venue.position(MNQ)
    ((reason,),) = long_two.rows("SELECT reason FROM flatten_request WHERE flat_at IS NOT NULL")
    assert "daily profit target: the day's result reached 500.00" in reason
    assert "the day's result reached 500.00" in denial_of_entry(long_two)
    assert "daily_profit_target" in operator("risk").words
    shown = operator("accounts", "show", "20001", "--json").json["account"]
    assert shown["profit_locked_on"] is not None
    long_two.execute("UPDATE account SET profit_locked_on = profit_locked_on - 1, balance = day_opening_balance")
    assert "" == denial_of_entry(long_two)
