"""The relay as its own process: it pushes what nobody claimed, and takes back what nobody finished."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from scheduler.relay import POLL_S
from shared.db.engine import driver
from shared.fleets import most_outstanding
from shared.ledger.jobs.upkeep import DoNothing
from shared.ledger.recovery import renew
from shared.ledger.transitions import ClaimedJob, finish
from tests.fixtures.ledger_env import LedgerEnv, StartedProgram, database_away
from tests.fixtures.processes import until

QUEUE = DoNothing.queue
SILENT = "normal@elsewhere.1/2"  # a worker that claims and is never heard of again


@pytest.fixture(scope="module")
def relay(shared_ledger_env: LedgerEnv) -> StartedProgram:
    program = shared_ledger_env.start("scheduler", "relay")
    program.wait_until_running()
    return program


@pytest.fixture
def ledger_env(shared_ledger_env: LedgerEnv, relay: StartedProgram) -> LedgerEnv:
    """No job, no wake-up, and the one relay, which ran through all tests before."""
    assert relay.is_alive(), relay.log.read_text()
    shared_ledger_env.execute("TRUNCATE job, job_key")
    shared_ledger_env.broker.forget()
    return shared_ledger_env


def pushed(ledger_env: LedgerEnv) -> list[UUID]:
    """Take every wake-up from the queue, as workers would; return their jobs, oldest first."""
    return ledger_env.broker.jobs(QUEUE)


def wait_for_push(ledger_env: LedgerEnv, *job_ids: UUID) -> None:
    """Wait until each of these jobs was pushed at least once."""
    missing = set(job_ids)

    def has_come() -> bool:
        missing.difference_update(pushed(ledger_env))
        return not missing

    until(has_come, 60, f"a wake-up for {job_ids}")


def claim(ledger_env: LedgerEnv, job_id: UUID) -> ClaimedJob:
    claimed = ledger_env.ledger.claim(job_id, SILENT)
    assert claimed is not None
    return claimed


def let_the_relay_look(ledger_env: LedgerEnv) -> None:
    """Wait until the relay has looked at everything that was there before."""
    for _ in range(2):
        wait_for_push(ledger_env, ledger_env.ask(DoNothing(note="a marker"), publish_on_commit=False))


def test_a_job_whose_wake_up_was_never_sent_is_pushed_by_who_looks_several_times_a_second(
    ledger_env: LedgerEnv,
) -> None:
    job_id = ledger_env.ask(DoNothing(), publish_on_commit=False)

    until(lambda: ledger_env.broker.waiting(QUEUE) > 0, 60, "a wake-up")
    message = ledger_env.broker.take(QUEUE)[0]
    assert ("upkeep.do_nothing", str(job_id)) == (message["task"], message["id"])
    assert ledger_env.row(job_id)["published_at"] >= ledger_env.row(job_id)["enqueued_at"]
    assert POLL_S < 0.5


def test_a_wake_up_that_the_broker_lost_is_pushed_again_until_somebody_claims_the_job(ledger_env: LedgerEnv) -> None:
    job_id = ledger_env.ask(DoNothing())
    assert [job_id] == pushed(ledger_env)[:1]
    for _ in range(2):
        ledger_env.broker.forget()
        wait_for_push(ledger_env, job_id)
    claim(ledger_env, job_id)
    let_the_relay_look(ledger_env)
    pushed(ledger_env)

    let_the_relay_look(ledger_env)
    assert job_id not in pushed(ledger_env)
    assert "running" == ledger_env.row(job_id)["state"]


def test_a_job_is_not_pushed_before_it_is_due_and_is_pushed_then(ledger_env: LedgerEnv) -> None:
    later = ledger_env.ask(DoNothing(), run_after=timedelta(seconds=1))
    never = ledger_env.ask(DoNothing(), run_after=timedelta(hours=1))
    until(lambda: later in pushed(ledger_env), 60, "a wake-up for the later job")

    row = ledger_env.row(later)
    assert row["published_at"] >= row["run_at"]
    assert ("queued", None) == (ledger_env.row(never)["state"], ledger_env.row(never)["published_at"])


def test_a_job_is_not_pushed_before_its_turn_and_is_pushed_then(ledger_env: LedgerEnv) -> None:
    first = ledger_env.ask(DoNothing(), sequence_key="account:1", publish_on_commit=False)
    second = ledger_env.ask(DoNothing(), sequence_key="account:1", publish_on_commit=False)
    wait_for_push(ledger_env, first)
    claimed = claim(ledger_env, first)
    let_the_relay_look(ledger_env)
    assert ledger_env.row(second)["published_at"] is None

    with ledger_env.ledger.engine.begin() as connection:
        finish(driver(connection), claimed, "succeeded")
    wait_for_push(ledger_env, second)


def test_a_job_nobody_started_in_time_ends_expired_and_is_not_pushed(ledger_env: LedgerEnv) -> None:
    job_id = ledger_env.ask(DoNothing(), expires_after=timedelta(microseconds=1), publish_on_commit=False)

    (row,) = ledger_env.wait_for("expired", job_id)
    assert ("not started before it expired", None) == (row["error"], row["published_at"])


def test_a_lease_that_ran_out_is_taken_back_and_pushed_and_one_that_is_renewed_is_not(ledger_env: LedgerEnv) -> None:
    silent, kept = (ledger_env.ask(DoNothing(), sequence_key=key) for key in ("account:1", "account:2"))
    claim(ledger_env, silent)
    held = ledger_env.ledger.claim(kept, "normal@elsewhere.3/4")

    def renewed() -> bool:
        with ledger_env.ledger.engine.begin() as connection:
            return 1 == renew(driver(connection), ["normal@elsewhere.3/4"])

    with ledger_env.ledger.engine.begin() as connection:  # the relay sees both leases ended, or this one renewed
        connection.execute(text("UPDATE job SET lease_until = now() - interval '1 second'"))
        assert 1 == renew(driver(connection), ["normal@elsewhere.3/4"])
    pushed(ledger_env)
    until(lambda: renewed() and silent in pushed(ledger_env), 60, "a wake-up for what a silent worker held")

    row = ledger_env.row(silent)
    assert ("queued", 1, None) == (row["state"], row["attempt"], row["lease_until"])
    assert f"lease ended: worker {SILENT} went silent" == row["error"]
    assert held is not None
    with ledger_env.ledger.engine.begin() as connection:
        assert finish(driver(connection), held, "succeeded")


def test_a_lease_that_ran_out_on_the_last_attempt_leaves_a_dead_job_that_names_the_worker(
    ledger_env: LedgerEnv,
) -> None:
    job_id = ledger_env.ask(DoNothing(), "max_attempts = 1")
    claim(ledger_env, job_id)
    ledger_env.execute("UPDATE job SET lease_until = now()")

    assert SILENT in ledger_env.wait_for("dead", job_id)[0]["error"]


def test_a_queue_is_never_overfull_and_all_its_jobs_are_pushed_as_there_is_room(ledger_env: LedgerEnv) -> None:
    most = most_outstanding(QUEUE)
    job_ids = [ledger_env.ask(DoNothing(), publish_on_commit=False) for _ in range(2 * most + 5)]
    until(lambda: ledger_env.broker.waiting(QUEUE) == most, 60, "a full queue")
    let_the_relay_look_at_a_full_queue = ledger_env.ask(DoNothing(), expires_after=timedelta(microseconds=1))
    ledger_env.wait_for("expired", let_the_relay_look_at_a_full_queue)
    assert most == ledger_env.broker.waiting(QUEUE)

    wait_for_push(ledger_env, *job_ids)


def test_a_second_relay_does_no_harm_and_carries_on_for_the_first(ledger_env: LedgerEnv) -> None:
    first = ledger_env.start("scheduler", "relay")
    first.wait_until_running()
    job_ids = [ledger_env.ask(DoNothing(), publish_on_commit=False) for _ in range(10)]
    wait_for_push(ledger_env, *job_ids)
    first.kill()

    wait_for_push(ledger_env, ledger_env.ask(DoNothing(), publish_on_commit=False))


def test_a_relay_outlives_a_postgres_that_goes_away_and_workers_get_time_to_renew(
    ledger_env: LedgerEnv, relay: StartedProgram
) -> None:
    due = ledger_env.ask(DoNothing(), publish_on_commit=False)
    with database_away(ledger_env.database_url):
        until(lambda: relay.log.read_text().count("the ledger does not answer") > 1, 60)
    pushed(ledger_env)

    wait_for_push(ledger_env, due)
    assert relay.is_alive()


def test_a_relay_outlives_a_broker_that_drops_its_connections_and_hangs(
    ledger_env: LedgerEnv, relay: StartedProgram
) -> None:
    ledger_env.broker.cut()
    wait_for_push(ledger_env, ledger_env.ask(DoNothing(), publish_on_commit=False))
    ledger_env.broker.hang(1.5)

    wait_for_push(ledger_env, ledger_env.ask(DoNothing(), publish_on_commit=False))
    assert relay.is_alive()


def test_a_relay_asked_to_end_ends_well(ledger_env: LedgerEnv) -> None:
    other = ledger_env.start("scheduler", "relay")
    other.wait_until_running()

    assert 0 == other.stop()
