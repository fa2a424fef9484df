"""The ledger beside rows that another session locks: leases are renewed, and counts keep no worker waiting."""

import psycopg
import pytest
from sqlalchemy import text

from shared.db.engine import LOCK_TIMEOUT_S, driver
from shared.ledger import queues, recovery
from shared.ledger.jobs.upkeep import DoNothing
from tests.fixtures.ledger_env import LedgerEnv

WORKER = "normal@here.1/2"


def test_a_locked_job_keeps_no_other_lease_from_being_renewed(ledger_env: LedgerEnv) -> None:
    locked, other = (ledger_env.enqueue(DoNothing()) for _ in range(2))
    for job_id in (locked, other):
        assert ledger_env.ledger.claim(job_id, WORKER) is not None
    ledger_env.execute("UPDATE job SET lease_until = now()")
    with psycopg.connect(ledger_env.database_url) as session:
        session.execute("SELECT 1 FROM job WHERE id = %s FOR UPDATE", [locked])
        with ledger_env.ledger.engine.begin() as connection:
            assert 1 == recovery.renew(driver(connection), [WORKER])
        with ledger_env.ledger.engine.begin() as connection:
            assert 0 == recovery.reclaim_expired_leases(driver(connection))
    assert ["running", "running"] == [ledger_env.row(one)["state"] for one in (locked, other)]


def test_a_duplicate_is_not_counted_at_the_cost_of_a_wait(ledger_env: LedgerEnv) -> None:
    job_id, connection = ledger_env.enqueue(DoNothing()), ledger_env.ledger.connection.open()
    connection.execute(f"SET statement_timeout = '{LOCK_TIMEOUT_S / 2}s'")
    with psycopg.connect(ledger_env.database_url) as session:
        session.execute("UPDATE queue_state SET queued = queued")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            queues.record_duplicate(connection, job_id)

    queues.record_duplicate(connection, job_id)
    with ledger_env.ledger.engine.begin() as other:
        count = text("SELECT duplicate_count FROM queue_state WHERE queue = :queue")
        assert 1 == other.execute(count, {"queue": DoNothing.queue}).scalar_one()
