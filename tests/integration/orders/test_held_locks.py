"""A person's open transaction holds the account's row: exits, flatten and halt pass all the same."""

from collections.abc import Iterator

import psycopg
import pytest

from shared.db.accounts import accounts
from shared.db.engine import LOCK_TIMEOUT_S
from shared.db.upkeep.blocking_sessions import BUSY_GRACE, IDLE_GRACE
from shared.db.upkeep.session_ender import SessionEnder
from tests.fixtures.alert_steps import hold, result_of, run_until
from tests.fixtures.worker_env import WorkerEnv

LOCK_ACCOUNT = "SELECT 1 FROM account WHERE id = %s FOR UPDATE"


@pytest.fixture
def held_account(worker_env: WorkerEnv) -> Iterator[psycopg.Connection]:
    """Hold the account's row in a transaction that is left open, while a relay looks for such sessions."""
    url = worker_env.settings.require_database()
    hold(worker_env, 1)
    with psycopg.connect(url, application_name="psql") as session, SessionEnder(url, "relay"):
        session.execute(LOCK_ACCOUNT, [worker_env.venue.account_id])
        yield session


def is_ended(session: psycopg.Connection) -> bool:
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")
    return session.closed


def test_a_close_by_alert_passes(worker_env: WorkerEnv, held_account: psycopg.Connection) -> None:
    job_id = worker_env.critical_alert()
    run_until(worker_env, 0)

    assert is_ended(held_account)
    assert result_of(worker_env, job_id).startswith("succeeded")
    assert [(1,)] == worker_env.rows("SELECT attempt FROM job WHERE name = 'orders.flatten'")


def test_a_flatten_passes(worker_env: WorkerEnv, held_account: psycopg.Connection) -> None:
    worker_env.flatten()
    run_until(worker_env, 0)

    assert is_ended(held_account)


def test_a_statement_that_runs_is_ended_before_ours_give_up_their_wait() -> None:
    assert max(IDLE_GRACE, BUSY_GRACE).total_seconds() < LOCK_TIMEOUT_S


def test_a_halt_passes(worker_env: WorkerEnv, held_account: psycopg.Connection) -> None:
    with worker_env.ledger.engine.begin() as connection:
        assert [worker_env.venue.account_id] == list(accounts.halt(connection, "a test"))

    assert is_ended(held_account)
