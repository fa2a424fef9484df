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
from tests.fixtures.ledger_env import Floor, Program, database_away
from tests.fixtures.processes import until

QUEUE = DoNothing.queue
SILENT = "normal@elsewhere.1/2"  # a worker that claims and is never heard of again


@pytest.fixture(scope="module")
def relay(shared_floor: Floor) -> Program:
    program = shared_floor.start("scheduler", "relay")
    program.wait_until_running()
    return program


@pytest.fixture
def floor(shared_floor: Floor, relay: Program) -> Floor:
    """No job, no wake-up, and the one relay, which ran through all tests before."""
    assert relay.is_alive(), relay.log.read_text()
    shared_floor.execute("TRUNCATE job, job_key")
    shared_floor.broker.forget()
    return shared_floor


def pushed(floor: Floor) -> list[UUID]:
    """Take every wake-up from the queue, as workers would; return their jobs, oldest first."""
    return floor.broker.jobs(QUEUE)


def wait_for_push(floor: Floor, *job_ids: UUID) -> None:
    """Wait until each of these jobs was pushed at least once."""
    missing = set(job_ids)

    def has_come() -> bool:
        missing.difference_update(pushed(floor))
        return not missing

    until(has_come, 60, f"a wake-up for {job_ids}")


def claim(floor: Floor, job_id: UUID) -> ClaimedJob:
    claimed = floor.ledger.claim(job_id, SILENT)
    assert claimed is not None
    return claimed


def let_the_relay_look(floor: Floor) -> None:
    """Wait until the relay has looked at everything that was there before."""
    for _ in range(2):
        wait_for_push(floor, floor.ask(DoNothing(note="a marker"), publish_on_commit=False))


def test_a_job_whose_wake_up_was_never_sent_is_pushed_by_who_looks_several_times_a_second(
    floor: Floor,
) -> None:
    job_id = floor.ask(DoNothing(), publish_on_commit=False)

    until(lambda: floor.broker.waiting(QUEUE) > 0, 60, "a wake-up")
    message = floor.broker.take(QUEUE)[0]
    assert ("upkeep.do_nothing", str(job_id)) == (message["task"], message["id"])
    assert floor.row(job_id)["published_at"] >= floor.row(job_id)["enqueued_at"]
    assert POLL_S < 0.5


def test_a_wake_up_that_the_broker_lost_is_pushed_again_until_somebody_claims_the_job(floor: Floor) -> None:
    job_id = floor.ask(DoNothing())
    assert [job_id] == pushed(floor)[:1]
    for _ in range(2):
        floor.broker.forget()
        wait_for_push(floor, job_id)
    claim(floor, job_id)
    let_the_relay_look(floor)
    pushed(floor)

    let_the_relay_look(floor)
    assert job_id not in pushed(floor)
    assert "running" == floor.row(job_id)["state"]


def test_a_job_is_not_pushed_before_it_is_due_and_is_pushed_then(floor: Floor) -> None:
    later = floor.ask(DoNothing(), run_after=timedelta(seconds=1))
    never = floor.ask(DoNothing(), run_after=timedelta(hours=1))
    until(lambda: later in pushed(floor), 60, "a wake-up for the later job")

    row = floor.row(later)
    assert row["published_at"] >= row["run_at"]
    assert ("queued", None) == (floor.row(never)["state"], floor.row(never)["published_at"])


def test_a_job_is_not_pushed_before_its_turn_and_is_pushed_then(floor: Floor) -> None:
    first = floor.ask(DoNothing(), sequence_key="account:1", publish_on_commit=False)
    second = floor.ask(DoNothing(), sequence_key="account:1", publish_on_commit=False)
    wait_for_push(floor, first)
    claimed = claim(floor, first)
    let_the_relay_look(floor)
    assert floor.row(second)["published_at"] is None

    with floor.ledger.engine.begin() as connection:
        finish(driver(connection), claimed, "succeeded")
    wait_for_push(floor, second)


def test_a_job_nobody_started_in_time_ends_expired_and_is_not_pushed(floor: Floor) -> None:
    job_id = floor.ask(DoNothing(), expires_after=timedelta(microseconds=1), publish_on_commit=False)

    (row,) = floor.wait_for("expired", job_id)
    assert ("not started before it expired", None) == (row["error"], row["published_at"])


def test_a_lease_that_ran_out_is_taken_back_and_pushed_and_one_that_is_renewed_is_not(floor: Floor) -> None:
    silent, kept = (floor.ask(DoNothing(), sequence_key=key) for key in ("account:1", "account:2"))
    claim(floor, silent)
    held = floor.ledger.claim(kept, "normal@elsewhere.3/4")

    def renewed() -> bool:
        with floor.ledger.engine.begin() as connection:
            return 1 == renew(driver(connection), ["normal@elsewhere.3/4"])

    with floor.ledger.engine.begin() as connection:  # the relay sees both leases ended, or this one renewed
        connection.execute(text("UPDATE job SET lease_until = now() - interval '1 second'"))
        assert 1 == renew(driver(connection), ["normal@elsewhere.3/4"])
    pushed(floor)
    until(lambda: renewed() and silent in pushed(floor), 60, "a wake-up for what a silent worker held")

    row = floor.row(silent)
    assert ("queued", 1, None) == (row["state"], row["attempt"], row["lease_until"])
    assert f"lease ended: worker {SILENT} went silent" == row["error"]
    assert held is not None
    with floor.ledger.engine.begin() as connection:
        assert finish(driver(connection), held, "succeeded")


def test_a_lease_that_ran_out_on_the_last_attempt_leaves_a_dead_job_that_names_the_worker(floor: Floor) -> None:
    job_id = floor.ask(DoNothing(), "max_attempts = 1")
    claim(floor, job_id)
    floor.execute("UPDATE job SET lease_until = now()")

    assert SILENT in floor.wait_for("dead", job_id)[0]["error"]


def test_a_queue_is_never_overfull_and_all_its_jobs_are_pushed_as_there_is_room(floor: Floor) -> None:
    most = most_outstanding(QUEUE)
    job_ids = [floor.ask(DoNothing(), publish_on_commit=False) for _ in range(2 * most + 5)]
    until(lambda: floor.broker.waiting(QUEUE) == most, 60, "a full queue")
    let_the_relay_look_at_a_full_queue = floor.ask(DoNothing(), expires_after=timedelta(microseconds=1))
    floor.wait_for("expired", let_the_relay_look_at_a_full_queue)
    assert most == floor.broker.waiting(QUEUE)

    wait_for_push(floor, *job_ids)


def test_a_second_relay_does_no_harm_and_carries_on_for_the_first(floor: Floor) -> None:
    first = floor.start("scheduler", "relay")
    first.wait_until_running()
    job_ids = [floor.ask(DoNothing(), publish_on_commit=False) for _ in range(10)]
    wait_for_push(floor, *job_ids)
    first.kill()

    wait_for_push(floor, floor.ask(DoNothing(), publish_on_commit=False))


def test_a_relay_outlives_a_postgres_that_goes_away_and_workers_get_time_to_renew(floor: Floor, relay: Program) -> None:
    due = floor.ask(DoNothing(), publish_on_commit=False)
    with database_away(floor.database_url):
        until(lambda: relay.log.read_text().count("the ledger does not answer") > 1, 60)
    pushed(floor)

    wait_for_push(floor, due)
    assert relay.is_alive()


def test_a_relay_outlives_a_broker_that_drops_its_connections_and_hangs(floor: Floor, relay: Program) -> None:
    floor.broker.cut()
    wait_for_push(floor, floor.ask(DoNothing(), publish_on_commit=False))
    floor.broker.hang(1.5)

    wait_for_push(floor, floor.ask(DoNothing(), publish_on_commit=False))
    assert relay.is_alive()


def test_a_relay_asked_to_end_ends_well(floor: Floor) -> None:
    other = floor.start("scheduler", "relay")
    other.wait_until_running()

    assert 0 == other.stop()
