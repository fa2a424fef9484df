"""Requeue: an ended job is queued again with all its attempts, and an expired entry never is."""

from datetime import timedelta
from uuid import UUID

import pytest

from shared.db.engine import driver
from shared.errors import RefusedError
from shared.ledger import claims, operations, recovery, transitions
from shared.ledger.jobs import job_names_with
from shared.ledger.jobs.upkeep import DoNothing
from tests.fixtures.ledger_env import LedgerEnv
from tests.fixtures.worker_processes import process

ME, OTHER = process("trading@here.1/2"), process("trading@here.1/3")
ENDED_BADLY = ["dead", "failed", "expired", "cancelled"]
ENTRIES = job_names_with("is_entry")
LATE = "expires_at = now() - interval '1 minute'"


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


def end_job(ledger_env: LedgerEnv, job: claims.ClaimedJob | None, state: str) -> bool:
    assert job is not None
    with ledger_env.ledger.engine.begin() as connection:
        return transitions.finish(driver(connection), job, state, error="ValueError: broken")


def insert_sequence(ledger_env: LedgerEnv) -> tuple[UUID, UUID]:
    first, second = (
        ledger_env.enqueue(DoNothing(), sequence_key="account:1", publish_on_commit=False) for _ in range(2)
    )
    return first, second


@pytest.mark.parametrize("state", ENDED_BADLY)
def test_a_requeued_job_has_all_its_attempts_and_no_claim(ledger_env: LedgerEnv, state: str) -> None:
    last = dict.fromkeys(("started_at", "finished_at", "lease_until", "published_at"), "now()")
    last |= {
        "process_id": "2",
        "claim_id": "gen_random_uuid()",
        "worker_id": "gen_random_uuid()",
        "result": "'1'",
        "error": "'ValueError: broken'",
    }
    job_id = insert_job(ledger_env, state, ", ".join(f"{name} = {value}" for name, value in last.items()))
    requeue(ledger_env, job_id)

    row = ledger_env.row(job_id)
    assert ("queued", 0) == (row["state"], row["attempt"])
    assert [None] * 3 == [row[name] for name in ("claim_id", "worker_id", "process_id")]
    assert ["error"] == [name for name in last if row[name] is not None]
    assert "ValueError: broken" == row["error"]  # until it ends again


def test_a_requeued_job_that_expires_keeps_its_earlier_error(ledger_env: LedgerEnv) -> None:
    job_id = insert_job(ledger_env, "dead", "error = 'ValueError: broken', expires_at = now() + interval '1 hour'")
    requeue(ledger_env, job_id)
    ledger_env.execute(f"UPDATE job SET {LATE} WHERE id = '{job_id}'")
    with ledger_env.ledger.engine.begin() as connection:
        recovery.expire(driver(connection))

    row = ledger_env.row(job_id)
    assert ("expired", "not started before it expired; before that: ValueError: broken") == (row["state"], row["error"])


@pytest.mark.parametrize("state", ["queued", "running", "succeeded"])
def test_a_job_that_has_not_failed_cannot_be_requeued(ledger_env: LedgerEnv, state: str) -> None:
    job_id = insert_job(ledger_env, state, LATE)
    before = ledger_env.row(job_id)

    with pytest.raises(RefusedError, match=f"upkeep.do_nothing {job_id} is {state}: only one that is dead"):
        requeue(ledger_env, job_id)
    assert before == ledger_env.row(job_id)


def test_a_requeued_job_that_succeeds_has_no_error(ledger_env: LedgerEnv) -> None:
    job_id = insert_job(ledger_env, "dead")
    requeue(ledger_env, job_id)
    claimed = ledger_env.ledger.claim(job_id, ME)
    assert claimed is not None
    with ledger_env.ledger.engine.begin() as connection:
        assert transitions.finish(driver(connection), claimed, "succeeded")

    row = ledger_env.row(job_id)
    assert (1, "succeeded", None) == (row["attempt"], row["state"], row["error"])


def test_an_expired_job_is_requeued_only_with_past_expiry(ledger_env: LedgerEnv) -> None:
    job_id = insert_job(ledger_env, "expired", LATE)

    with pytest.raises(RefusedError, match=r"expired at .* UTC: add --past-expiry"):
        requeue(ledger_env, job_id)
    requeue(ledger_env, job_id, may_be_past_expiry=True)
    assert ("queued", None) == (ledger_env.row(job_id)["state"], ledger_env.row(job_id)["expires_at"])


@pytest.mark.parametrize("may_be_past_expiry", [False, True])
def test_a_requeued_job_that_has_not_expired_keeps_its_expiry(ledger_env: LedgerEnv, may_be_past_expiry: bool) -> None:  # noqa: FBT001  # pytest passes by name
    job_id = insert_job(ledger_env, "dead", "expires_at = now() + interval '1 hour'")
    expires_at = ledger_env.row(job_id)["expires_at"]
    requeue(ledger_env, job_id, may_be_past_expiry=may_be_past_expiry)

    assert ("queued", expires_at) == (ledger_env.row(job_id)["state"], ledger_env.row(job_id)["expires_at"])


@pytest.mark.parametrize("state", ENDED_BADLY)
@pytest.mark.parametrize("name", ENTRIES)
def test_an_expired_entry_can_never_be_requeued(ledger_env: LedgerEnv, name: str, state: str) -> None:
    job_id = insert_job(ledger_env, state, f"name = '{name}', {LATE}")

    for may_be_past_expiry in (False, True):
        with pytest.raises(RefusedError, match="never submitted late: post the alert, or enter the order, again"):
            requeue(ledger_env, job_id, may_be_past_expiry=may_be_past_expiry)
    assert state == ledger_env.row(job_id)["state"]


@pytest.mark.parametrize("name", ENTRIES)
def test_a_requeued_entry_cannot_be_claimed_after_its_expiry(ledger_env: LedgerEnv, name: str) -> None:
    job_id = insert_job(ledger_env, "dead", f"name = '{name}', expires_at = now() + interval '1 hour'")
    requeue(ledger_env, job_id, may_be_past_expiry=True)
    ledger_env.execute(f"UPDATE job SET {LATE}")

    assert ledger_env.ledger.claim(job_id, ME) is None


def test_a_worker_with_an_older_claim_writes_nothing_after_a_requeue(ledger_env: LedgerEnv) -> None:
    job_id = ledger_env.enqueue(DoNothing(), publish_on_commit=False)
    lost = ledger_env.ledger.claim(job_id, ME)
    assert lost is not None
    ledger_env.execute("UPDATE job SET state = 'dead', lease_until = NULL, finished_at = now()")
    requeue(ledger_env, job_id)

    assert not end_job(ledger_env, lost, "succeeded")
    again = ledger_env.ledger.claim(job_id, OTHER)
    assert again is not None
    assert 1 == again.attempt
    assert not end_job(ledger_env, lost, "succeeded")
    with ledger_env.ledger.engine.begin() as connection:
        raw = driver(connection)
        assert not transitions.reschedule(raw, lost, timedelta(0), is_counted=True, error="late")
        assert timedelta(0) == transitions.lease_left(raw, lost)
    assert end_job(ledger_env, again, "succeeded")


def test_a_requeued_job_keeps_its_position_in_the_sequence(ledger_env: LedgerEnv) -> None:
    first, second = insert_sequence(ledger_env)
    assert end_job(ledger_env, ledger_env.ledger.claim(first, ME), "dead")
    requeue(ledger_env, first)

    assert ledger_env.ledger.claim(second, OTHER) is None
    assert end_job(ledger_env, ledger_env.ledger.claim(first, ME), "succeeded")
    assert ledger_env.ledger.claim(second, OTHER) is not None


def test_a_requeued_job_waits_for_the_running_job_of_its_sequence(ledger_env: LedgerEnv) -> None:
    first, second = insert_sequence(ledger_env)
    assert end_job(ledger_env, ledger_env.ledger.claim(first, ME), "dead")
    running = ledger_env.ledger.claim(second, OTHER)
    requeue(ledger_env, first)

    assert ledger_env.ledger.claim(first, ME) is None
    assert end_job(ledger_env, running, "succeeded")
    assert ledger_env.ledger.claim(first, ME) is not None
