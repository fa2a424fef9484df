"""Leases and fencing tokens: who may end a job, and when another worker gets it."""

from datetime import timedelta
from typing import Unpack
from uuid import UUID

from sqlalchemy import Engine, select, text, update

from shared.clock import machine_now
from shared.db.engine import driver
from shared.db.tables.ledger import job
from shared.fleets import LEASE
from shared.ledger import operations, queues, recovery, transitions, worker_registry
from shared.ledger.enqueue import EnqueueOptions
from shared.ledger.jobs.upkeep import DoNothing
from shared.ledger.ledger import Ledger
from tests.fixtures.worker_processes import process, worker, worker_id

ME, OTHER = process("trading@here.1/2"), process("trading@here.1/3")


def enqueue(ledger: Ledger, **options: Unpack[EnqueueOptions]) -> UUID:
    with ledger.transaction() as tx:
        return tx.enqueue(DoNothing(note="x"), **options).job_id


def state(engine: Engine, job_id: UUID) -> str:
    with engine.connect() as connection:
        return str(connection.execute(select(job.c.state).where(job.c.id == job_id)).scalar_one())


def test_a_worker_with_an_old_fencing_token_cannot_record_a_result(ledger: Ledger, engine: Engine) -> None:
    job_id = enqueue(ledger)
    first = ledger.claim(job_id, ME)
    assert first is not None
    with engine.begin() as connection:
        recovery.release_lost(driver(connection), ME, "lost")
    second = ledger.claim(job_id, OTHER)
    assert second is not None

    with engine.begin() as connection:
        assert not transitions.finish(driver(connection), first, "succeeded")
        assert not transitions.reschedule(driver(connection), first, timedelta(0), is_counted=True, error="late")
        assert transitions.finish(driver(connection), second, "succeeded")


def test_an_expired_lease_is_reclaimed_and_the_attempt_counts(ledger: Ledger, engine: Engine) -> None:
    job_id = enqueue(ledger)
    ledger.claim(job_id, ME)
    with engine.begin() as connection:
        assert 0 == recovery.reclaim_expired_leases(driver(connection))
        connection.execute(update(job).values(lease_until=text("now() - interval '1 second'")))
        assert 1 == recovery.reclaim_expired_leases(driver(connection))

    again = ledger.claim(job_id, OTHER)
    assert again is not None
    assert 2 == again.attempt


def test_a_job_of_a_worker_with_a_fresh_heartbeat_is_not_reclaimed(ledger: Ledger, engine: Engine) -> None:
    job_id = enqueue(ledger)
    ledger.claim(job_id, ME)
    with engine.begin() as connection:
        connection.execute(update(job).values(lease_until=text("now() - interval '1 second'")))
        worker_registry.beat(driver(connection), worker("trading@here.1"))
        assert 0 == recovery.reclaim_expired_leases(driver(connection))
        connection.execute(text("UPDATE worker SET seen_at = now() - interval '11 seconds'"))
        assert 1 == recovery.reclaim_expired_leases(driver(connection))
    assert "queued" == state(engine, job_id)


def test_a_lease_ends_after_the_deadline_however_healthy_the_worker_is(ledger: Ledger, engine: Engine) -> None:
    job_id = enqueue(ledger)
    ledger.claim(job_id, ME)
    with engine.begin() as connection:
        worker_registry.beat(driver(connection), worker("trading@here.1"))
        connection.execute(update(job).values(started_at=text("now() - deadline - interval '14 seconds'")))
        assert 0 == recovery.reclaim_expired_leases(driver(connection))
        connection.execute(update(job).values(started_at=text("now() - deadline - interval '16 seconds'")))
        assert 1 == recovery.reclaim_expired_leases(driver(connection))
    assert "queued" == state(engine, job_id)


def test_a_claim_that_postgres_forgot_is_never_given_out_again(ledger: Ledger, engine: Engine) -> None:
    job_id = enqueue(ledger)
    forgotten = ledger.claim(job_id, ME)
    with engine.begin() as connection:  # as after a crash of Postgres, which may undo a claim
        undone = {"state": "queued", "attempt": 0, "claim_id": None, "worker_id": None, "process_id": None}
        connection.execute(update(job).values(lease_until=None, started_at=None, **undone))
    again = ledger.claim(job_id, OTHER)
    assert forgotten is not None
    assert again is not None

    with engine.begin() as connection:
        assert not transitions.finish(driver(connection), forgotten, "succeeded")
        assert transitions.finish(driver(connection), again, "succeeded")


def test_a_job_that_keeps_killing_its_worker_ends_dead(ledger: Ledger, engine: Engine) -> None:
    job_id = enqueue(ledger)
    for _ in range(DoNothing.attempts):
        assert ledger.claim(job_id, ME) is not None
        with engine.begin() as connection:
            recovery.release_lost(driver(connection), ME, "signal 9")

    assert "dead" == state(engine, job_id)


def test_a_job_released_at_shutdown_keeps_its_attempt(ledger: Ledger, engine: Engine) -> None:
    job_id = enqueue(ledger)
    ledger.claim(job_id, ME)
    with engine.begin() as connection:
        assert 0 == recovery.release_on_shutdown(driver(connection), worker_id("trading@here.11"))
        assert 1 == recovery.release_on_shutdown(driver(connection), worker_id("trading@here.1"))

    again = ledger.claim(job_id, OTHER)
    assert again is not None
    assert 1 == again.attempt


def test_a_lost_lease_has_no_time_left(ledger: Ledger, engine: Engine) -> None:
    claimed = ledger.claim(enqueue(ledger), ME)
    assert claimed is not None
    with engine.connect() as connection:
        until = connection.execute(select(job.c.lease_until)).scalar_one()
        asked_at, left, answered_at = machine_now(), transitions.lease_left(driver(connection), claimed), machine_now()
        assert until - answered_at <= left <= until - asked_at
        assert left <= LEASE
    with engine.begin() as connection:
        recovery.release_lost(driver(connection), ME, "lost")
    with engine.connect() as connection:
        assert timedelta(0) == transitions.lease_left(driver(connection), claimed)


def test_a_job_that_was_to_be_cancelled_is_not_queued_again_at_shutdown(ledger: Ledger, engine: Engine) -> None:
    job_id = enqueue(ledger)
    ledger.claim(job_id, ME)
    with engine.begin() as connection:
        operations.cancel(driver(connection), job_id)
        assert 1 == recovery.release_on_shutdown(driver(connection), ME.worker_id)

    assert "cancelled" == state(engine, job_id)


def set_clock_back(engine: Engine) -> None:
    """Make every time as if Postgres' clock had been set back by an hour since."""
    with engine.begin() as connection:
        for table, columns in (
            ("job", ("enqueued_at", "run_at", "expires_at", "started_at", "lease_until")),
            ("worker", ("started_at", "seen_at")),
        ):
            changes = ", ".join(f"{name} = {name} + interval '1 hour'" for name in columns)
            connection.execute(text(f"UPDATE {table} SET {changes}"))


def test_the_leases_of_a_dead_worker_end_although_the_clock_was_set_back(ledger: Ledger, engine: Engine) -> None:
    job_id = enqueue(ledger)
    ledger.claim(job_id, ME)
    with engine.begin() as connection:
        worker_registry.beat(driver(connection), worker("trading@here.1"))
    set_clock_back(engine)
    with engine.begin() as connection:
        assert queues.find_work(driver(connection)).has_old_leases
        assert 1 == recovery.reclaim_expired_leases(driver(connection))
    assert "queued" == state(engine, job_id)


def test_a_job_is_due_and_expires_when_it_was_to_although_the_clock_was_set_back(
    ledger: Ledger, engine: Engine
) -> None:
    entry = enqueue(ledger, expires_after=timedelta(seconds=90))
    published = enqueue(ledger)
    set_clock_back(engine)
    with engine.begin() as connection:  # the wake-up of an older job was published just before
        times = "enqueued_at = now(), run_at = now(), published_at = now() + interval '1 hour'"
        connection.execute(text(f"UPDATE job SET {times} WHERE id = '{published}'"))
    assert ledger.claim(entry, ME) is None
    with engine.begin() as connection:
        assert 2 == recovery.forget_future(driver(connection))
        assert 0 == recovery.forget_future(driver(connection))

    assert {entry, published} == {
        one.job_id for one in queues.take_due(ledger.connection.open(), DoNothing.queue, 10)[0]
    }
    found = ledger.claim(entry, ME)
    assert found is not None
    assert found.expires_at is not None
    assert found.expires_at - machine_now() < timedelta(seconds=91)


def test_a_claim_of_before_a_step_back_of_the_clock_has_no_time_left(ledger: Ledger, engine: Engine) -> None:
    enqueue(ledger)
    claimed = ledger.claim(enqueue(ledger), ME)
    assert claimed is not None
    assert transitions.lease_left(ledger.connection.open(), claimed) > timedelta(0)
    set_clock_back(engine)

    assert timedelta(0) == transitions.lease_left(ledger.connection.open(), claimed)
