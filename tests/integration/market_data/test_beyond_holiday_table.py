"""A market time beyond the holiday table: decisions are recorded, and nothing is entered."""

from datetime import UTC, datetime

import pytest

from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import RunningVenue, StartVenue
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.strategies.test_strategies import (
    RUNS,
    accounts_of,
    evaluate_due_accounts,
    insert_falling_bars,
    list_entries,
)


@pytest.fixture
def venue(start_venue: StartVenue) -> RunningVenue:
    return start_venue(market_origin=datetime(2029, 1, 3, 16, tzinfo=UTC))


def test_a_decision_is_recorded_with_the_reason_why_it_is_not_traded(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    (account_id,) = accounts_of(worker_env)
    assert 0 == operator("strategies", "on", "mean_reversion", str(account_id)).status
    insert_falling_bars(worker_env, "CON.F.US.MNQ.H29")

    assert [account_id] == evaluate_due_accounts(worker_env)
    runs = f"{RUNS.partition(' ORDER')[0]} WHERE contract_id = 'CON.F.US.MNQ.H29'"
    ((_, decision, reason, has_signal),) = worker_env.rows(runs)
    assert ("BUY", False) == (decision, has_signal)
    assert "no market hours for 2029-01-03: the holiday table reaches from 2018-01-01 to 2028-12-31" in reason
    assert [] == list_entries(worker_env)


def test_an_alert_to_enter_is_refused_with_the_range_of_the_table(worker_env: WorkerEnv) -> None:
    job_id = worker_env.entry_alert()
    worker_env.run_due_jobs()

    assert "the holiday table reaches from 2018-01-01 to 2028-12-31" in (worker_env.job(job_id)[2] or "")
    assert [] == list_entries(worker_env)
