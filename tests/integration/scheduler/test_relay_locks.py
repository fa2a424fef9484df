"""The relay beside locks of other sessions: it ends them, or goes on with everything that they do not lock."""

import psycopg
import pytest

from shared.ledger.jobs.upkeep import DoNothing
from tests.fixtures.held_locks import running_statement
from tests.fixtures.ledger_env import LedgerEnv, StartedProgram
from tests.fixtures.processes import until
from tests.fixtures.worker_processes import process

LOCKS = ["LOCK TABLE job", "UPDATE queue_state SET queued = queued"]


@pytest.fixture
def relay(ledger_env: LedgerEnv) -> StartedProgram:
    """A relay that has looked for expired leases already."""
    program = ledger_env.start("scheduler", "relay")
    program.wait_until_running()
    return program


def has_session(ledger_env: LedgerEnv, pid: int) -> bool:
    return bool(ledger_env.rows(f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid}"))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_session_that_keeps_the_relay_itself_waiting_is_ended(
    ledger_env: LedgerEnv, relay: StartedProgram, lock: str
) -> None:
    with psycopg.connect(ledger_env.database_url, application_name="psql") as sits:
        pid = sits.info.backend_pid
        sits.execute(lock)

        until(lambda: not has_session(ledger_env, pid), 30, "the end of the session")
        with pytest.raises(psycopg.OperationalError):
            sits.execute("SELECT 1")
    job_id = ledger_env.enqueue(DoNothing(), publish_on_commit=False)
    until(lambda: job_id in ledger_env.broker.jobs(DoNothing.queue), 30, "a wake-up")
    assert f"ended, as tickwork relay waited for its locks: session {pid} (psql, user" in relay.log.read_text()


def test_a_lock_on_the_counts_of_queues_keeps_no_job_from_being_published_or_reclaimed(
    ledger_env: LedgerEnv, relay: StartedProgram
) -> None:
    lost = ledger_env.enqueue(DoNothing())
    assert ledger_env.ledger.claim(lost, process("normal@elsewhere.1/2")) is not None
    with running_statement(ledger_env.database_url, LOCKS[1]):
        ledger_env.broker.forget()
        waiting = {lost, ledger_env.enqueue(DoNothing(), publish_on_commit=False)}

        def has_all() -> bool:
            waiting.difference_update(ledger_env.broker.jobs(DoNothing.queue))
            return not waiting

        until(has_all, 60, "a wake-up of the new job and of the job whose worker is lost")
    assert relay.is_alive()
