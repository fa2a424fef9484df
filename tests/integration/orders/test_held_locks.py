"""A person's open transaction holds the account's row: exits, flatten and halt pass all the same."""

import threading
from collections.abc import Iterator

import psycopg
import pytest

from shared.db.accounts import accounts
from shared.db.engine import LOCK_TIMEOUT_S, make_engine
from shared.db.upkeep.blocking_sessions import BUSY_GRACE, IDLE_GRACE, end_blocking
from tests.fixtures.alert_steps import hold, result_of, run_until
from tests.fixtures.worker_env import WorkerEnv

EVERY_S = 0.1


@pytest.fixture
def held_account(worker_env: WorkerEnv) -> Iterator[psycopg.Connection]:
    """Hold the account's row in a transaction that is left open, while a relay looks for such sessions."""
    url = worker_env.settings.require_database()
    hold(worker_env, 1)
    stopping = threading.Event()

    def relay() -> None:
        engine = make_engine(url, program="relay", pool_size=1)
        while not stopping.wait(EVERY_S):
            end_blocking(engine)
        engine.dispose()

    thread = threading.Thread(target=relay)
    with psycopg.connect(url, application_name="psql") as session:
        session.execute("SELECT 1 FROM account WHERE id = %s FOR UPDATE", [worker_env.venue.account_id])
        thread.start()
        yield session
        stopping.set()
        thread.join()


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
