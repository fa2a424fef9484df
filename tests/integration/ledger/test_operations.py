"""Operations of a person on a job, also at the same moment as others: requeue, discard, cancel."""

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import psycopg
import pytest

from shared.db.engine import driver
from shared.errors import RefusedError
from shared.fleets import Queue
from shared.ledger import claims, operations, queues, transitions
from shared.ledger.jobs.upkeep import DoNothing
from tests.fixtures.ledger_env import LedgerEnv
from tests.fixtures.worker_processes import process

ME, OTHER = process("trading@here.1/2"), process("trading@here.1/3")
ENDED_BADLY = ["dead", "failed", "expired", "cancelled"]


@pytest.fixture
def ledger_env(shared_ledger_env: LedgerEnv) -> LedgerEnv:
    """One database for all tests of this file, emptied."""
    shared_ledger_env.execute("TRUNCATE job, job_key")
    return shared_ledger_env


def insert_job(ledger_env: LedgerEnv, state: str, more: str = "error = 'ValueError: broken'") -> UUID:
    ended = "" if state in {"queued", "running"} or "finished_at" in more else "finished_at = now(), "
    change = f"state = '{state}', attempt = 3, {ended}{more}"
    return ledger_env.enqueue(DoNothing(), change, publish_on_commit=False)


def requeue(ledger_env: LedgerEnv, job_id: UUID, *, may_be_past_expiry: bool = False) -> None:
    with ledger_env.ledger.engine.begin() as connection:
        operations.requeue(driver(connection), job_id, may_be_past_expiry=may_be_past_expiry)


def discard(ledger_env: LedgerEnv, job_id: UUID) -> None:
    with ledger_env.ledger.engine.begin() as connection:
        operations.discard(driver(connection), job_id)


def cancel(ledger_env: LedgerEnv, job_id: UUID) -> None:
    with ledger_env.ledger.engine.begin() as connection:
        operations.cancel(driver(connection), job_id)


def run_concurrently(*acts: Callable[[], object]) -> list[object]:
    """Start all acts together; return the result of each, or the error with which it was refused."""
    barrier, results = threading.Barrier(len(acts)), [object()] * len(acts)

    def run(place: int) -> None:
        barrier.wait()
        try:
            results[place] = acts[place]()
        except RefusedError as error:
            results[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def notifies_relay(ledger_env: LedgerEnv, act: Callable[[], object]) -> bool:
    """Whether `act` notifies the relay."""
    with psycopg.connect(ledger_env.database_url, autocommit=True) as connection:
        connection.execute("LISTEN job_due")
        act()
        return any(True for _ in connection.notifies(timeout=60, stop_after=1))


def take_due_jobs(ledger_env: LedgerEnv) -> list[UUID]:
    """Return the jobs whose wake-ups the relay would publish now."""
    with ledger_env.ledger.engine.begin() as connection:
        return [wake_up.job_id for wake_up in queues.take_due(driver(connection), Queue.NORMAL, 10)[0]]


def end_job(ledger_env: LedgerEnv, job: claims.ClaimedJob | None, state: str) -> bool:
    assert job is not None
    with ledger_env.ledger.engine.begin() as connection:
        return transitions.finish(driver(connection), job, state, error="ValueError: broken")


# --- requeue ------------------------------------------------------------------------------------------------------


def test_four_concurrent_requeues_queue_a_job_once(ledger_env: LedgerEnv) -> None:
    job_id = insert_job(ledger_env, "dead")
    results = run_concurrently(*[lambda: requeue(ledger_env, job_id)] * 4)

    assert [None] == [result for result in results if not isinstance(result, RefusedError)]
    assert "queued" == ledger_env.row(job_id)["state"]


def test_a_requeue_notifies_the_relay(ledger_env: LedgerEnv) -> None:
    job_id = insert_job(ledger_env, "dead", "published_at = now(), run_at = now() - interval '1 day'")

    assert notifies_relay(ledger_env, lambda: requeue(ledger_env, job_id))
    assert [job_id] == take_due_jobs(ledger_env)


# --- discard and cancel -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["dead", "failed"])
def test_a_discarded_job_is_cancelled_and_keeps_its_error(ledger_env: LedgerEnv, state: str) -> None:
    job_id = insert_job(ledger_env, state)
    ended_at = ledger_env.row(job_id)["finished_at"]
    discard(ledger_env, job_id)

    row = ledger_env.row(job_id)
    assert ("cancelled", "discarded by a person: ValueError: broken") == (row["state"], row["error"])
    assert ended_at == row["finished_at"]


@pytest.mark.parametrize("state", ["queued", "running", "succeeded", "expired", "cancelled"])
def test_only_a_dead_or_failed_job_can_be_discarded(ledger_env: LedgerEnv, state: str) -> None:
    job_id = insert_job(ledger_env, state)
    before = ledger_env.row(job_id)

    with pytest.raises(RefusedError, match=f"{job_id} is {state}: only one that is dead or failed is discarded"):
        discard(ledger_env, job_id)
    assert before == ledger_env.row(job_id)


def test_a_cancelled_job_cannot_be_claimed(ledger_env: LedgerEnv) -> None:
    fresh, retried = ledger_env.enqueue(DoNothing(), publish_on_commit=False), insert_job(ledger_env, "queued")
    for job_id in (fresh, retried):
        cancel(ledger_env, job_id)

    assert [None, None] == [ledger_env.ledger.claim(job_id, ME) for job_id in (fresh, retried)]
    assert ("cancelled", "cancelled by a person") == (ledger_env.row(fresh)["state"], ledger_env.row(fresh)["error"])
    assert "cancelled by a person; before that: ValueError: broken" == ledger_env.row(retried)["error"]
    assert ledger_env.row(fresh)["finished_at"] is not None


@pytest.mark.parametrize("state", ["succeeded", *ENDED_BADLY])
def test_a_job_that_has_ended_cannot_be_cancelled(ledger_env: LedgerEnv, state: str) -> None:
    job_id = insert_job(ledger_env, state)
    before = ledger_env.row(job_id)

    with pytest.raises(RefusedError, match=f"{job_id} is {state}: only one that is queued or runs is cancelled"):
        cancel(ledger_env, job_id)
    assert before == ledger_env.row(job_id)


def test_cancelling_a_running_job_asks_its_worker_and_keeps_it_from_another_attempt(ledger_env: LedgerEnv) -> None:
    job_id = ledger_env.enqueue(DoNothing(), publish_on_commit=False)
    claimed = ledger_env.ledger.claim(job_id, ME)
    assert claimed is not None
    raw = ledger_env.ledger.connection.open()
    assert not transitions.is_cancelled(raw, claimed)
    cancel(ledger_env, job_id)

    assert transitions.is_cancelled(raw, claimed)
    assert "running" == ledger_env.row(job_id)["state"]
    assert transitions.reschedule(raw, claimed, timedelta(0), is_counted=True, error="broken")
    assert "cancelled" == ledger_env.row(job_id)["state"]


@pytest.mark.parametrize("queue", [Queue.CRITICAL, Queue.HIGH])
def test_a_running_job_that_may_send_an_order_is_not_cancelled(ledger_env: LedgerEnv, queue: Queue) -> None:
    job_id = ledger_env.enqueue(DoNothing(), queue=queue, publish_on_commit=False)
    assert ledger_env.ledger.claim(job_id, ME) is not None

    with pytest.raises(RefusedError, match="is running: it may be sending an order, and ends by itself"):
        cancel(ledger_env, job_id)
    assert ledger_env.row(job_id)["cancel_requested_at"] is None


def test_a_job_is_either_claimed_or_cancelled(ledger_env: LedgerEnv) -> None:
    for _ in range(10):
        job_id = ledger_env.enqueue(DoNothing(), publish_on_commit=False)
        claimed, cancelled = run_concurrently(
            partial(ledger_env.ledger.claim, job_id, ME), partial(cancel, ledger_env, job_id)
        )

        row = ledger_env.row(job_id)
        assert cancelled is None
        assert ("running" if claimed else "cancelled") == row["state"]
        assert (claimed is None) == (row["cancel_requested_at"] is None)


def test_an_unknown_job_id_is_refused(ledger_env: LedgerEnv) -> None:
    for act in (requeue, discard, cancel):
        unknown = uuid4()
        with pytest.raises(RefusedError, match=f"no job has the id {unknown}: `tickwork jobs` lists"):
            act(ledger_env, unknown)


# --- jobs of one sequence key -------------------------------------------------------------------------------------


def insert_sequence(ledger_env: LedgerEnv) -> tuple[UUID, UUID]:
    first, second = (
        ledger_env.enqueue(DoNothing(), sequence_key="account:1", publish_on_commit=False) for _ in range(2)
    )
    return first, second


def test_cancelling_the_first_job_of_a_sequence_lets_the_next_run(ledger_env: LedgerEnv) -> None:
    first, second = insert_sequence(ledger_env)
    assert ledger_env.ledger.claim(second, ME) is None

    assert notifies_relay(ledger_env, lambda: cancel(ledger_env, first))
    assert [second] == take_due_jobs(ledger_env)
    assert ledger_env.ledger.claim(second, ME) is not None


def test_a_dead_job_does_not_block_its_sequence(ledger_env: LedgerEnv) -> None:
    first, second = insert_sequence(ledger_env)
    assert end_job(ledger_env, ledger_env.ledger.claim(first, ME), "dead")
    assert end_job(ledger_env, ledger_env.ledger.claim(second, ME), "dead")
    discard(ledger_env, first)
    requeue(ledger_env, second)

    assert ledger_env.ledger.claim(second, ME) is not None


# --- finding them -------------------------------------------------------------------------------------------------


def test_dead_canaries_are_not_listed(ledger_env: LedgerEnv) -> None:
    dead = insert_job(ledger_env, "dead")
    other = insert_job(ledger_env, "dead", "name = 'metrics.roll_up'")
    insert_job(ledger_env, "dead", "name = 'upkeep.canary'")
    insert_job(ledger_env, "failed")

    with ledger_env.ledger.engine.connect() as connection:
        raw = driver(connection)
        assert [dead, other] == operations.list_dead_ids(raw, None)
        assert [other] == operations.list_dead_ids(raw, "metrics.roll_up")


def test_a_part_finds_the_ids_that_start_or_end_with_it(ledger_env: LedgerEnv) -> None:
    alike = [UUID(f"01234567-89ab-7000-8000-00000000000{digit}") for digit in range(4)]
    for job_id in alike:
        ledger_env.execute(
            f"UPDATE job SET id = '{job_id}' WHERE id = '{ledger_env.enqueue(DoNothing(), publish_on_commit=False)}'"
        )

    with ledger_env.ledger.engine.connect() as connection:
        raw = driver(connection)
        assert alike[:0:-1] == operations.find_ids_by_part(raw, "01234567")
        assert [alike[2]] == operations.find_ids_by_part(raw, alike[2].hex)
        assert [alike[3]] == operations.find_ids_by_part(raw, "00000003")
        assert [] == operations.find_ids_by_part(raw, "01234568")
