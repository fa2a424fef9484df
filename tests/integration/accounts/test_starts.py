"""Every kind of start looks for another installation before an entry passes."""

from datetime import timedelta
from pathlib import Path

import yaml

from scheduler.beat import Beat
from shared.domain.orders.order import Side
from shared.ledger.jobs.orders import EnterManually, ReconcileAccounts
from tests.fixtures.held_locks import running_statement
from tests.fixtures.operator import RunCommand
from tests.fixtures.two_installations import OTHER, read_other, trade_as
from tests.fixtures.worker_env import WorkerEnv

ROOT = Path(__file__).resolve().parents[3]
IS_RECONCILED = "SELECT reconciled_at IS NOT NULL FROM account"


def count_long_searches(worker_env: WorkerEnv) -> int:
    since = (worker_env.venue.clock.now() - timedelta(hours=23)).isoformat()
    return sum(one["startTimestamp"] < since for one in worker_env.venue.requests("/api/Order/search"))


def test_the_command_with_which_compose_starts_lets_entries_wait_for_a_reconcile(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    composed = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert ["tickwork", "db", "upgrade"] == composed["services"]["prepare"]["command"][:3]
    trade_as(worker_env)
    done = operator("db", "upgrade")
    assert 0 == done.status, done
    request = EnterManually(account_id=20001, symbol="MNQ", side=Side.BUY, quantity=1, stop_loss_ticks=40)
    job_id = worker_env.enqueue(request)
    worker_env.runner.run(job_id)
    assert "queued" == worker_env.job(job_id)[0]

    worker_env.run(ReconcileAccounts())
    assert OTHER == read_other(worker_env)
    assert "failed" == worker_env.job(job_id)[0]


def test_a_lock_on_an_account_does_not_keep_compose_from_starting(operator: RunCommand, worker_env: WorkerEnv) -> None:
    with running_statement(worker_env.settings.require_database(), "SELECT 1 FROM account FOR UPDATE"):
        done = operator("db", "upgrade")

    assert 0 == done.status, done
    assert [(True,)] == worker_env.rows(IS_RECONCILED)  # beat requires it


def test_a_beat_that_starts_searches_the_orders_of_the_last_day_once(worker_env: WorkerEnv) -> None:
    before = count_long_searches(worker_env)
    beat = Beat(worker_env.ledger, worker_env.venue.clock)
    beat.begin()
    assert [(False,)] == worker_env.rows(IS_RECONCILED)
    worker_env.run_due_jobs()
    assert [(True,)] == worker_env.rows(IS_RECONCILED)
    beat.begin()
    worker_env.run_due_jobs()

    assert before + 1 == count_long_searches(worker_env)
