"""The ledger beside rows that another session locks: a lock takes no lease from a worker that is alive."""

from collections.abc import Iterator

import psycopg
import pytest

from shared.db.engine import driver
from shared.ledger import recovery
from shared.ledger.jobs.upkeep import DoNothing
from shared.ledger.worker_registry import beat
from tests.fixtures.ledger_env import LedgerEnv
from tests.fixtures.worker_processes import process, worker

WORKER = process("normal@here.1/2")


@pytest.fixture
def session(ledger_env: LedgerEnv) -> Iterator[psycopg.Connection]:
    """A person's open transaction."""
    with psycopg.connect(ledger_env.database_url) as connection:
        yield connection


def reclaim(ledger_env: LedgerEnv) -> int:
    with ledger_env.ledger.engine.begin() as connection:
        return recovery.reclaim_expired_leases(driver(connection))


def test_a_locked_job_is_not_reclaimed(ledger_env: LedgerEnv, session: psycopg.Connection) -> None:
    locked = ledger_env.enqueue(DoNothing())
    assert ledger_env.ledger.claim(locked, WORKER) is not None
    ledger_env.execute("UPDATE job SET lease_until = now()")
    session.execute("SELECT 1 FROM job WHERE id = %s FOR UPDATE", [locked])

    assert 0 == reclaim(ledger_env)
    session.rollback()
    assert 1 == reclaim(ledger_env)


def test_a_worker_whose_heartbeat_waits_for_a_lock_keeps_its_jobs(
    ledger_env: LedgerEnv, session: psycopg.Connection
) -> None:
    beat(ledger_env.ledger.connection.open(), worker("normal@here.1"))
    assert ledger_env.ledger.claim(ledger_env.enqueue(DoNothing()), WORKER) is not None
    ledger_env.execute("UPDATE job SET lease_until = now()")
    ledger_env.execute("UPDATE worker SET seen_at = now() - interval '1 minute'")
    session.execute("SELECT 1 FROM worker FOR UPDATE")

    assert 0 == reclaim(ledger_env)
    session.rollback()
    assert 1 == reclaim(ledger_env)
