"""A market time beyond the holiday table: decisions are recorded, and nothing is entered."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from shared.domain.orders.order import Side
from shared.ledger.jobs.orders import EnterManually, ReconcileAccounts
from tests.fixtures.approvals import require_approval
from tests.fixtures.operator import RunCommand
from tests.fixtures.processes import until
from tests.fixtures.venue import RunningVenue, StartVenue
from tests.fixtures.worker_env import WorkerEnv
from tests.fixtures.worker_processes import process
from tests.integration.strategies.test_strategies import (
    RUNS,
    accounts_of,
    evaluate_due_accounts,
    insert_falling_bars,
    list_entries,
)
from workers.wiring import open_runner

H29 = "CON.F.US.MNQ.H29"
BUY = EnterManually(account_id=20001, symbol="MNQ", side=Side.BUY, quantity=1, stop_loss_ticks=400)


@pytest.fixture
def venue(start_venue: StartVenue) -> RunningVenue:
    return start_venue(market_origin=datetime(2029, 1, 3, 16, tzinfo=UTC))


def test_a_decision_is_recorded_with_the_reason_why_it_is_not_traded(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    (account_id,) = accounts_of(worker_env)
    assert 0 == operator("strategies", "on", "mean_reversion", str(account_id)).status
    insert_falling_bars(worker_env, H29)

    assert [account_id] == evaluate_due_accounts(worker_env)
    runs = f"{RUNS.partition(' ORDER')[0]} WHERE contract_id = '{H29}'"
    ((_, decision, reason, has_signal),) = worker_env.rows(runs)
    assert ("BUY", False) == (decision, has_signal)
    assert "no market hours for 2029-01-03: the holiday table reaches from 2018-01-01 to 2028-12-31" in reason
    assert [] == list_entries(worker_env)


def test_an_alert_to_enter_is_refused_with_the_range_of_the_table(worker_env: WorkerEnv) -> None:
    job_id = worker_env.entry_alert()
    worker_env.run_due_jobs()

    assert "the holiday table reaches from 2018-01-01 to 2028-12-31" in (worker_env.job(job_id)[2] or "")
    assert [] == list_entries(worker_env)


@pytest.fixture
def live(worker_env: WorkerEnv) -> WorkerEnv:
    """The worker environment as one at the real venue, which the simulator plays, with live orders on."""
    worker_env.execute("UPDATE market_clock SET kind = 'live'")
    worker_env.execute("UPDATE account SET live_orders = true, live_since_at = now()")
    return worker_env


def run_at_real_venue(live: WorkerEnv, job_id: UUID) -> str:
    """Run one job in a process of a stack at the real venue; return its error, nothing if there is none."""
    real = replace(live.settings, venue=replace(live.settings.venue, is_simulator=False))
    with open_runner(real, process("real/1"), program="test") as runner:
        runner.run(job_id)
    return live.job(job_id)[2] or ""


@pytest.mark.parametrize("way", ["alert", "alert that waits for approval", "person", "dry run of a person"])
def test_at_the_real_venue_no_way_leads_to_an_entry(live: WorkerEnv, way: str) -> None:
    if way == "alert that waits for approval":
        require_approval(live)
    is_alert = way.startswith("alert")
    error = run_at_real_venue(
        live, live.entry_alert() if is_alert else live.enqueue(replace(BUY, is_dry_run=way != "person"))
    )

    assert "the holiday table reaches from 2018-01-01 to 2028-12-31" in error
    assert ([], [(0,)]) == (list_entries(live), live.rows("SELECT count(*) FROM entry_approval"))
    assert [] == live.venue.requests("/api/Order/place")


def test_at_the_real_venue_a_position_is_still_closed(live: WorkerEnv) -> None:
    live.venue.trade(contractId=H29)
    live.run(ReconcileAccounts())
    assert 1 == live.venue.position(H29)

    assert "" == run_at_real_venue(live, live.flatten())
    until(lambda: live.venue.position(H29) == 0, 60, "the close")
