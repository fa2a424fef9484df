"""A person's open transaction holds the account's row: exits, flatten and halt pass all the same."""

from collections.abc import Iterator

import psycopg
import pytest

from shared.db.accounts import halts
from shared.db.engine import LOCK_TIMEOUT_S
from shared.db.upkeep.blocking_sessions import BUSY_GRACE, IDLE_GRACE
from shared.db.upkeep.session_ender import SessionEnder
from tests.fixtures.alert_steps import hold, result_of, run_until
from tests.fixtures.held_locks import running_statement
from tests.fixtures.operator import RunCommand, worker_at
from tests.fixtures.venue import MNQ
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


def test_a_flatten_passes_beside_a_statement_that_runs(worker_env: WorkerEnv, operator: RunCommand) -> None:
    hold(worker_env, 1)
    url, account_id = worker_env.settings.require_database(), worker_env.venue.account_id
    with running_statement(url, LOCK_ACCOUNT % account_id, "psql") as pid:
        with worker_at(worker_env):
            result = operator("flatten", "--yes")

        assert (0, 0) == (result.status, worker_env.venue.position(MNQ)), result
        assert [] == worker_env.rows("SELECT 1 FROM pg_stat_activity WHERE pid = %s", pid)


def test_a_statement_that_runs_is_ended_before_ours_give_up_their_wait() -> None:
    assert max(IDLE_GRACE, BUSY_GRACE).total_seconds() < LOCK_TIMEOUT_S


def test_a_halt_passes(worker_env: WorkerEnv, held_account: psycopg.Connection) -> None:
    with worker_env.ledger.engine.begin() as connection:
        assert [worker_env.venue.account_id] == list(halts.halt(connection, "a test"))

    assert is_ended(held_account)
