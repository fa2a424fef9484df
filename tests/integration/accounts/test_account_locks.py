"""Reports of the venue's accounts beside an account that another session locks."""

import psycopg
import pytest

from shared.ledger.jobs.accounts import SnapshotAccounts
from tests.fixtures.venue import RunningVenue, StartVenue
from tests.fixtures.worker_env import WorkerEnv

BALANCES = "SELECT id, balance FROM account ORDER BY id"


@pytest.fixture
def venue(start_venue: StartVenue) -> RunningVenue:
    """A simulator with a practice account and a Combine."""
    return start_venue(options=("--accounts", "50KTC"))


@pytest.mark.parametrize("index", [0, 1], ids=["the first is locked", "the last is locked"])
def test_a_locked_account_keeps_no_other_from_being_stored(worker_env: WorkerEnv, index: int) -> None:
    reported = worker_env.rows(BALANCES)
    worker_env.execute("UPDATE account SET balance = 1")
    locked, _ = reported[index]
    with psycopg.connect(worker_env.settings.require_database()) as session:
        session.execute("SELECT 1 FROM account WHERE id = %s FOR UPDATE", [locked])
        job_id = worker_env.enqueue(SnapshotAccounts())
        worker_env.runner.run(job_id)

        assert ("succeeded", {"accounts": 1}, None) == worker_env.job(job_id)
        stored = [row for row in reported if row[0] != locked]
        assert stored == [row for row in worker_env.rows(BALANCES) if row[0] != locked]
    worker_env.run(SnapshotAccounts())
    assert reported == worker_env.rows(BALANCES)
