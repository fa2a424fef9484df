"""The relay as a process: it publishes unclaimed jobs and reclaims expired leases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text

from scheduler.relay import POLL_S
from shared.db.engine import driver
from shared.fleets import max_outstanding
from shared.ledger.claims import ClaimedJob
from shared.ledger.jobs.upkeep import DoNothing
from shared.ledger.transitions import finish
from shared.ledger.worker_registry import beat
from tests.fixtures.ledger_env import LedgerEnv, StartedProgram, without_database
from tests.fixtures.processes import until
from tests.fixtures.worker_processes import process, worker

QUEUE = DoNothing.queue
SILENT = process("normal@elsewhere.1/2")  # a worker that claims a job and then stops


@pytest.fixture(scope="module")
def relay(shared_ledger_env: LedgerEnv) -> StartedProgram:
    program = shared_ledger_env.start("scheduler", "relay")
    program.wait_until_running()
    return program


@pytest.fixture
def ledger_env(shared_ledger_env: LedgerEnv, relay: StartedProgram) -> LedgerEnv:
    """No job, no wake-up, and the one relay of all tests of this file."""
    assert relay.is_alive(), relay.log.read_text()
    shared_ledger_env.execute("TRUNCATE job, job_key")
    shared_ledger_env.broker.forget()
    return shared_ledger_env


def take_wake_ups(ledger_env: LedgerEnv) -> list[UUID]:
    """Take every wake-up from the queue, as workers do; return their jobs, oldest first."""
    return ledger_env.broker.jobs(QUEUE)


def wait_for_wake_ups(ledger_env: LedgerEnv, *job_ids: UUID) -> None:
    """Wait until a wake-up of each of these jobs was published."""
    missing = set(job_ids)

    def has_all() -> bool:
        missing.difference_update(take_wake_ups(ledger_env))
        return not missing

    until(has_all, 60, f"a wake-up for {job_ids}")


def claim(ledger_env: LedgerEnv, job_id: UUID) -> ClaimedJob:
    claimed = ledger_env.ledger.claim(job_id, SILENT)
    assert claimed is not None
    return claimed


def wait_for_relay(ledger_env: LedgerEnv) -> None:
    """Wait until the relay has checked every job that existed before."""
    for _ in range(2):
        wait_for_wake_ups(ledger_env, ledger_env.enqueue(DoNothing(note="a marker"), publish_on_commit=False))


def test_the_relay_publishes_a_job_whose_wake_up_was_never_sent(
    ledger_env: LedgerEnv,
) -> None:
    job_id = ledger_env.enqueue(DoNothing(), publish_on_commit=False)

    until(lambda: ledger_env.broker.waiting(QUEUE) > 0, 60, "a wake-up")
    message = ledger_env.broker.take(QUEUE)[0]
    assert ("upkeep.do_nothing", str(job_id)) == (message["task"], message["id"])
    assert ledger_env.row(job_id)["published_at"] >= ledger_env.row(job_id)["enqueued_at"]
    assert POLL_S < 0.5


def test_a_lost_wake_up_is_published_again_until_the_job_is_claimed(ledger_env: LedgerEnv) -> None:
    job_id = ledger_env.enqueue(DoNothing())
    assert [job_id] == take_wake_ups(ledger_env)[:1]
    for _ in range(2):
        ledger_env.broker.forget()
        wait_for_wake_ups(ledger_env, job_id)
    claim(ledger_env, job_id)
    wait_for_relay(ledger_env)
    take_wake_ups(ledger_env)

    wait_for_relay(ledger_env)
    assert job_id not in take_wake_ups(ledger_env)
    assert "running" == ledger_env.row(job_id)["state"]


def test_a_job_is_published_when_it_is_due_and_not_before(ledger_env: LedgerEnv) -> None:
    later = ledger_env.enqueue(DoNothing(), run_after=timedelta(seconds=1))
    never = ledger_env.enqueue(DoNothing(), run_after=timedelta(hours=1))
    until(lambda: later in take_wake_ups(ledger_env), 60, "a wake-up for the later job")

    row = ledger_env.row(later)
    assert row["published_at"] >= row["run_at"]
    assert ("queued", None) == (ledger_env.row(never)["state"], ledger_env.row(never)["published_at"])


def test_a_job_is_published_when_it_is_next_in_its_sequence_and_not_before(ledger_env: LedgerEnv) -> None:
    first = ledger_env.enqueue(DoNothing(), sequence_key="account:1", publish_on_commit=False)
    second = ledger_env.enqueue(DoNothing(), sequence_key="account:1", publish_on_commit=False)
    wait_for_wake_ups(ledger_env, first)
    claimed = claim(ledger_env, first)
    wait_for_relay(ledger_env)
    assert ledger_env.row(second)["published_at"] is None

    with ledger_env.ledger.engine.begin() as connection:
        finish(driver(connection), claimed, "succeeded")
    wait_for_wake_ups(ledger_env, second)


def test_a_job_not_started_in_time_expires_and_is_not_published(ledger_env: LedgerEnv) -> None:
    job_id = ledger_env.enqueue(DoNothing(), expires_after=timedelta(microseconds=1), publish_on_commit=False)

    (row,) = ledger_env.wait_for("expired", job_id)
    assert ("not started before it expired", None) == (row["error"], row["published_at"])


def test_an_expired_lease_is_reclaimed_and_published_and_a_renewed_one_is_not(ledger_env: LedgerEnv) -> None:
    expiring, renewed = (ledger_env.enqueue(DoNothing(), sequence_key=key) for key in ("account:1", "account:2"))
    claim(ledger_env, expiring)
    claimed = ledger_env.ledger.claim(renewed, process("normal@elsewhere.3/4"))

    def renew_lease() -> bool:
        with ledger_env.ledger.engine.begin() as connection:
            beat(driver(connection), worker("normal@elsewhere.3"))
        return True

    with ledger_env.ledger.engine.begin() as connection:  # the relay sees both leases expired, or this one renewed
        connection.execute(text("UPDATE job SET lease_until = now() - interval '1 second'"))
        beat(driver(connection), worker("normal@elsewhere.3"))
    take_wake_ups(ledger_env)
    until(
        lambda: renew_lease() and expiring in take_wake_ups(ledger_env),
        60,
        "a wake-up for the silent worker's job",
    )

    row = ledger_env.row(expiring)
    assert ("queued", 1, None) == (row["state"], row["attempt"], row["lease_until"])
    assert f"lease expired: worker {SILENT.worker_id} went silent" == row["error"]
    assert claimed is not None
    with ledger_env.ledger.engine.begin() as connection:
        assert finish(driver(connection), claimed, "succeeded")


def test_a_lease_that_expires_on_the_last_attempt_leaves_a_dead_job_that_names_the_worker(
    ledger_env: LedgerEnv,
) -> None:
    job_id = ledger_env.enqueue(DoNothing(), "max_attempts = 1")
    claim(ledger_env, job_id)
    ledger_env.execute("UPDATE job SET lease_until = now()")

    assert str(SILENT.worker_id) in ledger_env.wait_for("dead", job_id)[0]["error"]


def test_a_queue_never_exceeds_its_capacity_and_all_its_jobs_are_published(ledger_env: LedgerEnv) -> None:
    most = max_outstanding(QUEUE)
    job_ids = [ledger_env.enqueue(DoNothing(), publish_on_commit=False) for _ in range(2 * most + 5)]
    until(lambda: ledger_env.broker.waiting(QUEUE) == most, 60, "a full queue")
    marker = ledger_env.enqueue(DoNothing(), expires_after=timedelta(microseconds=1))
    ledger_env.wait_for("expired", marker)
    assert most == ledger_env.broker.waiting(QUEUE)

    wait_for_wake_ups(ledger_env, *job_ids)


def test_two_relays_can_run_and_either_goes_on_alone(ledger_env: LedgerEnv) -> None:
    first = ledger_env.start("scheduler", "relay")
    first.wait_until_running()
    job_ids = [ledger_env.enqueue(DoNothing(), publish_on_commit=False) for _ in range(10)]
    wait_for_wake_ups(ledger_env, *job_ids)
    first.kill()

    wait_for_wake_ups(ledger_env, ledger_env.enqueue(DoNothing(), publish_on_commit=False))


def test_a_relay_survives_an_outage_of_postgres(ledger_env: LedgerEnv, relay: StartedProgram) -> None:
    due = ledger_env.enqueue(DoNothing(), publish_on_commit=False)
    with without_database(ledger_env.database_url):
        until(lambda: relay.log.read_text().count("the ledger does not answer") > 1, 60)
    take_wake_ups(ledger_env)

    wait_for_wake_ups(ledger_env, due)
    assert relay.is_alive()


def test_a_relay_survives_a_broker_that_drops_its_connections_and_hangs(
    ledger_env: LedgerEnv, relay: StartedProgram
) -> None:
    ledger_env.broker.cut()
    wait_for_wake_ups(ledger_env, ledger_env.enqueue(DoNothing(), publish_on_commit=False))
    ledger_env.broker.hang(1.5)

    wait_for_wake_ups(ledger_env, ledger_env.enqueue(DoNothing(), publish_on_commit=False))
    assert relay.is_alive()


def test_a_relay_exits_with_status_zero_on_sigterm(ledger_env: LedgerEnv) -> None:
    other = ledger_env.start("scheduler", "relay")
    other.wait_until_running()

    assert 0 == other.stop()


def wait_for_lock(url: str, program: str, job_id: UUID) -> None:
    """Change a row that another session has locked."""
    with psycopg.connect(url, application_name=program) as connection:
        connection.execute("UPDATE job SET error = 'changed' WHERE id = %s", [job_id])


@pytest.mark.parametrize("holder", ["psql", "tickwork worker-critical"], ids=["a person", "a frozen program"])
def test_a_session_that_sits_in_a_transaction_is_ended_once_a_program_waits_for_its_lock(
    ledger_env: LedgerEnv, relay: StartedProgram, holder: str
) -> None:
    url = ledger_env.database_url
    job_id = ledger_env.ledger.enqueue(DoNothing(), run_after=timedelta(hours=1)).job_id
    with (
        psycopg.connect(url, application_name=holder) as sits,
        psycopg.connect(url, application_name="psql") as blocks_nothing,
        ThreadPoolExecutor(1) as pool,
    ):
        blocks_nothing.execute("SELECT 1 FROM job")
        pid = sits.info.backend_pid
        sits.execute("SELECT 1 FROM job WHERE id = %s FOR UPDATE", [job_id])
        pool.submit(wait_for_lock, url, "tickwork test", job_id).result(60)

        with pytest.raises(psycopg.OperationalError):
            sits.execute("SELECT 1")
        blocks_nothing.execute("SELECT 1")
    until(lambda: f"session {pid} ({holder}, user" in relay.log.read_text(), 60, "its message")


def test_a_session_that_keeps_only_a_person_waiting_is_left(ledger_env: LedgerEnv) -> None:
    url = ledger_env.database_url
    job_ids = [ledger_env.ledger.enqueue(DoNothing(), run_after=timedelta(hours=1)).job_id for _ in range(2)]
    with psycopg.connect(url) as first, psycopg.connect(url) as second, ThreadPoolExecutor(2) as pool:
        for session, job_id in zip((first, second), job_ids, strict=True):
            session.execute("SELECT 1 FROM job WHERE id = %s FOR UPDATE", [job_id])
        waits = pool.submit(wait_for_lock, url, "psql", job_ids[0])
        pool.submit(wait_for_lock, url, "tickwork test", job_ids[1]).result(60)
        second.close()

        assert not waits.done()
        first.rollback()
        waits.result(60)
