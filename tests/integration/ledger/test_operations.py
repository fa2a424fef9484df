"""What a person may do to a job, whoever else touches it at that moment: requeue, discard, cancel."""

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
from shared.ledger import operations, queues, recovery, transitions
from shared.ledger.jobs import job_names_with
from shared.ledger.jobs.upkeep import DoNothing
from tests.fixtures.ledger_env import LedgerEnv

ME, OTHER = "trading@here.1/2", "trading@here.1/3"
ENDED_BADLY = ["dead", "failed", "expired", "cancelled"]
ENTRIES = job_names_with("is_entry")
LATE = "expires_at = now() - interval '1 minute'"


@pytest.fixture
def ledger_env(shared_ledger_env: LedgerEnv) -> LedgerEnv:
    """One database for all tests here, emptied."""
    shared_ledger_env.execute("TRUNCATE job, job_key")
    return shared_ledger_env


def job_that_is(ledger_env: LedgerEnv, state: str, more: str = "error = 'ValueError: broken'") -> UUID:
    ended = "" if state in {"queued", "running"} or "finished_at" in more else "finished_at = now(), "
    change = f"state = '{state}', attempt = 3, fence = 3, {ended}{more}"
    return ledger_env.ask(DoNothing(), change, publish_on_commit=False)


def requeue(ledger_env: LedgerEnv, job_id: UUID, *, is_late_fine: bool = False) -> None:
    with ledger_env.ledger.engine.begin() as connection:
        operations.requeue(driver(connection), job_id, is_late_fine=is_late_fine)


def discard(ledger_env: LedgerEnv, job_id: UUID) -> None:
    with ledger_env.ledger.engine.begin() as connection:
        operations.discard(driver(connection), job_id)


def cancel(ledger_env: LedgerEnv, job_id: UUID) -> None:
    with ledger_env.ledger.engine.begin() as connection:
        operations.cancel(driver(connection), job_id)


def at_once(*acts: Callable[[], object]) -> list[object]:
    """Return what each act returned, or the error it refused with; all begin together."""
    barrier, answers = threading.Barrier(len(acts)), [object()] * len(acts)

    def do(place: int) -> None:
        barrier.wait()
        try:
            answers[place] = acts[place]()
        except RefusedError as error:
            answers[place] = error

    threads = [threading.Thread(target=do, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def is_told(ledger_env: LedgerEnv, act: Callable[[], object]) -> bool:
    """Whether the relay hears of what `act` does."""
    with psycopg.connect(ledger_env.database_url, autocommit=True) as connection:
        connection.execute("LISTEN job_due")
        act()
        return any(True for _ in connection.notifies(timeout=60, stop_after=1))


def wanted(ledger_env: LedgerEnv) -> list[UUID]:
    """Return the jobs that the relay would wake the queue for now."""
    with ledger_env.ledger.engine.begin() as connection:
        return [wake_up.job_id for wake_up in queues.take_due(driver(connection), Queue.NORMAL, 10)[0]]


def ended_as(ledger_env: LedgerEnv, job: transitions.ClaimedJob | None, state: str) -> bool:
    assert job is not None
    with ledger_env.ledger.engine.begin() as connection:
        return transitions.finish(driver(connection), job, state, error="ValueError: broken")


# --- requeue ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ENDED_BADLY)
def test_an_ended_job_is_queued_again_with_all_its_attempts_and_a_new_fence(ledger_env: LedgerEnv, state: str) -> None:
    last = dict.fromkeys(("started_at", "finished_at", "lease_until", "published_at"), "now()")
    last |= {"worker": "'trading@here.1/2'", "result": "'1'", "error": "'ValueError: broken'"}
    job_id = job_that_is(ledger_env, state, ", ".join(f"{name} = {value}" for name, value in last.items()))
    requeue(ledger_env, job_id)

    row = ledger_env.row(job_id)
    assert ("queued", 0, 4) == (row["state"], row["attempt"], row["fence"])
    assert ["error"] == [name for name in last if row[name] is not None]
    assert "ValueError: broken" == row["error"]  # until it ends again


def test_a_requeued_job_that_expires_says_so_and_why_it_failed_before(ledger_env: LedgerEnv) -> None:
    job_id = job_that_is(ledger_env, "dead", "error = 'ValueError: broken', expires_at = now() + interval '1 hour'")
    requeue(ledger_env, job_id)
    ledger_env.execute(f"UPDATE job SET {LATE} WHERE id = '{job_id}'")
    with ledger_env.ledger.engine.begin() as connection:
        recovery.expire(driver(connection))

    row = ledger_env.row(job_id)
    assert ("expired", "not started before it expired; before that: ValueError: broken") == (row["state"], row["error"])


@pytest.mark.parametrize("state", ["queued", "running", "succeeded"])
def test_a_job_that_has_not_failed_is_not_queued_again(ledger_env: LedgerEnv, state: str) -> None:
    job_id = job_that_is(ledger_env, state, LATE)
    before = ledger_env.row(job_id)

    with pytest.raises(RefusedError, match=f"upkeep.do_nothing {job_id} is {state}: only one that is dead"):
        requeue(ledger_env, job_id)
    assert before == ledger_env.row(job_id)


def test_a_job_queued_again_forgets_its_error_once_it_succeeds(ledger_env: LedgerEnv) -> None:
    job_id = job_that_is(ledger_env, "dead")
    requeue(ledger_env, job_id)
    claimed = ledger_env.ledger.claim(job_id, ME)
    assert claimed is not None
    with ledger_env.ledger.engine.begin() as connection:
        assert transitions.finish(driver(connection), claimed, "succeeded")

    row = ledger_env.row(job_id)
    assert (1, "succeeded", None) == (row["attempt"], row["state"], row["error"])


def test_a_job_whose_time_is_over_is_queued_again_only_if_late_is_fine(ledger_env: LedgerEnv) -> None:
    job_id = job_that_is(ledger_env, "expired", LATE)

    with pytest.raises(RefusedError, match=r"had to begin by .* UTC: add --past-expiry"):
        requeue(ledger_env, job_id)
    requeue(ledger_env, job_id, is_late_fine=True)
    assert ("queued", None) == (ledger_env.row(job_id)["state"], ledger_env.row(job_id)["expires_at"])


@pytest.mark.parametrize("is_late_fine", [False, True])
def test_a_job_that_still_has_time_keeps_the_end_of_it(ledger_env: LedgerEnv, is_late_fine: bool) -> None:  # noqa: FBT001  # pytest passes by name
    job_id = job_that_is(ledger_env, "dead", "expires_at = now() + interval '1 hour'")
    ends_at = ledger_env.row(job_id)["expires_at"]
    requeue(ledger_env, job_id, is_late_fine=is_late_fine)

    assert ("queued", ends_at) == (ledger_env.row(job_id)["state"], ledger_env.row(job_id)["expires_at"])


@pytest.mark.parametrize("state", ENDED_BADLY)
@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_is_never_sent_late_whoever_asks(ledger_env: LedgerEnv, name: str, state: str) -> None:
    job_id = job_that_is(ledger_env, state, f"name = '{name}', {LATE}")

    for is_late_fine in (False, True):
        with pytest.raises(RefusedError, match="never sent late: post the alert again"):
            requeue(ledger_env, job_id, is_late_fine=is_late_fine)
    assert state == ledger_env.row(job_id)["state"]


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_that_still_has_time_is_queued_again_and_nobody_begins_it_later(
    ledger_env: LedgerEnv, name: str
) -> None:
    job_id = job_that_is(ledger_env, "dead", f"name = '{name}', expires_at = now() + interval '1 hour'")
    requeue(ledger_env, job_id, is_late_fine=True)
    ledger_env.execute(f"UPDATE job SET {LATE}")

    assert ledger_env.ledger.claim(job_id, ME) is None


def test_four_people_at_once_queue_it_again_once(ledger_env: LedgerEnv) -> None:
    job_id = job_that_is(ledger_env, "dead")
    answers = at_once(*[lambda: requeue(ledger_env, job_id)] * 4)

    assert [None] == [answer for answer in answers if not isinstance(answer, RefusedError)]
    assert ("queued", 4) == (ledger_env.row(job_id)["state"], ledger_env.row(job_id)["fence"])


def test_a_late_worker_of_an_older_claim_writes_nothing_after_a_requeue(ledger_env: LedgerEnv) -> None:
    job_id = ledger_env.ask(DoNothing(), publish_on_commit=False)
    late = ledger_env.ledger.claim(job_id, ME)
    assert late is not None
    ledger_env.execute("UPDATE job SET state = 'dead', lease_until = NULL, finished_at = now()")
    requeue(ledger_env, job_id)

    assert not ended_as(ledger_env, late, "succeeded")
    again = ledger_env.ledger.claim(job_id, OTHER)
    assert again is not None
    assert (late.fence + 2, 1) == (again.fence, again.attempt)
    assert not ended_as(ledger_env, late, "succeeded")
    with ledger_env.ledger.engine.begin() as connection:
        line = driver(connection)
        assert not transitions.reschedule(line, late, timedelta(0), is_counted=True, error="late")
        assert timedelta(0) == transitions.lease_left(line, late)
    assert ended_as(ledger_env, again, "succeeded")


def test_a_requeue_tells_the_relay_which_wakes_the_queue_at_once(ledger_env: LedgerEnv) -> None:
    job_id = job_that_is(ledger_env, "dead", "published_at = now(), run_at = now() - interval '1 day'")

    assert is_told(ledger_env, lambda: requeue(ledger_env, job_id))
    assert [job_id] == wanted(ledger_env)


# --- discard and cancel -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["dead", "failed"])
def test_a_discarded_job_is_cancelled_and_still_tells_why_it_failed(ledger_env: LedgerEnv, state: str) -> None:
    job_id = job_that_is(ledger_env, state)
    ended_at = ledger_env.row(job_id)["finished_at"]
    discard(ledger_env, job_id)

    row = ledger_env.row(job_id)
    assert ("cancelled", "discarded by a person: ValueError: broken") == (row["state"], row["error"])
    assert ended_at == row["finished_at"]


@pytest.mark.parametrize("state", ["queued", "running", "succeeded", "expired", "cancelled"])
def test_only_what_is_dead_or_failed_is_discarded(ledger_env: LedgerEnv, state: str) -> None:
    job_id = job_that_is(ledger_env, state)
    before = ledger_env.row(job_id)

    with pytest.raises(RefusedError, match=f"{job_id} is {state}: only one that is dead or failed is discarded"):
        discard(ledger_env, job_id)
    assert before == ledger_env.row(job_id)


def test_a_job_that_waits_is_cancelled_and_runs_no_more(ledger_env: LedgerEnv) -> None:
    fresh, tried = ledger_env.ask(DoNothing(), publish_on_commit=False), job_that_is(ledger_env, "queued")
    for job_id in (fresh, tried):
        cancel(ledger_env, job_id)

    assert [None, None] == [ledger_env.ledger.claim(job_id, ME) for job_id in (fresh, tried)]
    assert ("cancelled", "cancelled by a person") == (ledger_env.row(fresh)["state"], ledger_env.row(fresh)["error"])
    assert "cancelled by a person; before that: ValueError: broken" == ledger_env.row(tried)["error"]
    assert ledger_env.row(fresh)["finished_at"] is not None


@pytest.mark.parametrize("state", ["running", "succeeded", *ENDED_BADLY])
def test_only_what_is_queued_is_cancelled(ledger_env: LedgerEnv, state: str) -> None:
    job_id = job_that_is(ledger_env, state)
    before = ledger_env.row(job_id)

    with pytest.raises(RefusedError, match=f"{job_id} is {state}: only one that is queued is cancelled"):
        cancel(ledger_env, job_id)
    assert before == ledger_env.row(job_id)


@pytest.mark.parametrize(("deadline", "when"), [("NULL", ", and"), ("'90 s'", ", 90 s after it began at the latest,")])
def test_who_cancels_a_running_job_hears_when_it_ends(ledger_env: LedgerEnv, deadline: str, when: str) -> None:
    job_id = job_that_is(ledger_env, "running", f"deadline = {deadline}")

    with pytest.raises(RefusedError, match=f"this attempt ends by itself{when}"):
        cancel(ledger_env, job_id)


def test_a_job_is_begun_or_cancelled_never_both(ledger_env: LedgerEnv) -> None:
    for _ in range(10):
        job_id = ledger_env.ask(DoNothing(), publish_on_commit=False)
        claimed, cancelled = at_once(partial(ledger_env.ledger.claim, job_id, ME), partial(cancel, ledger_env, job_id))

        assert (claimed is None) == (cancelled is None)
        assert ("running" if claimed else "cancelled") == ledger_env.row(job_id)["state"]


def test_a_job_that_nobody_knows_is_refused_by_its_id(ledger_env: LedgerEnv) -> None:
    for act in (requeue, discard, cancel):
        unknown = uuid4()
        with pytest.raises(RefusedError, match=f"no job has the id {unknown}: `tickwork jobs` lists"):
            act(ledger_env, unknown)


# --- jobs of one order key ----------------------------------------------------------------------------------------


def two_of_one_key(ledger_env: LedgerEnv) -> tuple[UUID, UUID]:
    first, second = (ledger_env.ask(DoNothing(), sequence_key="account:1", publish_on_commit=False) for _ in range(2))
    return first, second


def test_cancelling_the_first_of_an_sequence_key_lets_the_next_one_run(ledger_env: LedgerEnv) -> None:
    first, second = two_of_one_key(ledger_env)
    assert ledger_env.ledger.claim(second, ME) is None

    assert is_told(ledger_env, lambda: cancel(ledger_env, first))
    assert [second] == wanted(ledger_env)
    assert ledger_env.ledger.claim(second, ME) is not None


def test_a_dead_job_keeps_nobody_waiting_discarded_or_not(ledger_env: LedgerEnv) -> None:
    first, second = two_of_one_key(ledger_env)
    assert ended_as(ledger_env, ledger_env.ledger.claim(first, ME), "dead")
    assert ended_as(ledger_env, ledger_env.ledger.claim(second, ME), "dead")
    discard(ledger_env, first)
    requeue(ledger_env, second)

    assert ledger_env.ledger.claim(second, ME) is not None


def test_a_job_queued_again_takes_its_old_place_in_the_order(ledger_env: LedgerEnv) -> None:
    first, second = two_of_one_key(ledger_env)
    assert ended_as(ledger_env, ledger_env.ledger.claim(first, ME), "dead")
    requeue(ledger_env, first)

    assert ledger_env.ledger.claim(second, OTHER) is None
    assert ended_as(ledger_env, ledger_env.ledger.claim(first, ME), "succeeded")
    assert ledger_env.ledger.claim(second, OTHER) is not None


def test_a_job_queued_again_waits_for_the_one_of_its_sequence_key_that_runs(ledger_env: LedgerEnv) -> None:
    first, second = two_of_one_key(ledger_env)
    assert ended_as(ledger_env, ledger_env.ledger.claim(first, ME), "dead")
    running = ledger_env.ledger.claim(second, OTHER)
    requeue(ledger_env, first)

    assert ledger_env.ledger.claim(first, ME) is None
    assert ended_as(ledger_env, running, "succeeded")
    assert ledger_env.ledger.claim(first, ME) is not None


# --- finding them -------------------------------------------------------------------------------------------------


def test_dead_canaries_are_nobodys_to_mend(ledger_env: LedgerEnv) -> None:
    ours = job_that_is(ledger_env, "dead")
    other = job_that_is(ledger_env, "dead", "name = 'metrics.roll_up'")
    job_that_is(ledger_env, "dead", "name = 'upkeep.canary'")
    job_that_is(ledger_env, "failed")

    with ledger_env.ledger.engine.connect() as connection:
        line = driver(connection)
        assert [ours, other] == operations.dead_ids(line, None)
        assert [other] == operations.dead_ids(line, "metrics.roll_up")


def test_a_beginning_finds_the_ids_that_start_with_it(ledger_env: LedgerEnv) -> None:
    alike = [UUID(f"01234567-89ab-7000-8000-00000000000{digit}") for digit in range(4)]
    for job_id in alike:
        ledger_env.execute(
            f"UPDATE job SET id = '{job_id}' WHERE id = '{ledger_env.ask(DoNothing(), publish_on_commit=False)}'"
        )

    with ledger_env.ledger.engine.connect() as connection:
        line = driver(connection)
        assert alike[:0:-1] == operations.ids_starting(line, "01234567")
        assert [alike[2]] == operations.ids_starting(line, alike[2].hex)
        assert [] == operations.ids_starting(line, "01234568")
