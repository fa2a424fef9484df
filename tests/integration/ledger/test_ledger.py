"""The guarantees of the ledger, against a real Postgres and a real broker."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Unpack
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, select, text, update

from shared.db.engine import driver
from shared.db.tables.ledger import job
from shared.errors import LeaseLostError
from shared.fleets import Queue, max_outstanding
from shared.ids import new_id
from shared.ledger import queues, recovery, transitions
from shared.ledger.claims import Backlog
from shared.ledger.enqueue import EnqueueOptions
from shared.ledger.jobs.upkeep import DeleteOldRows, DoNothing
from shared.ledger.ledger import Ledger, Transaction
from shared.ledger.publisher import open_publisher
from tests.fixtures.broker import Broker
from tests.fixtures.worker_processes import process

ME, OTHER = process("trading@here.1/2"), process("trading@here.1/3")


def enqueue(ledger: Ledger, **options: Unpack[EnqueueOptions]) -> UUID:
    with ledger.transaction() as tx:
        return tx.enqueue(DoNothing(note="x"), **options).job_id


def state(engine: Engine, job_id: UUID) -> str:
    with engine.connect() as connection:
        return str(connection.execute(select(job.c.state).where(job.c.id == job_id)).scalar_one())


def make_due(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(update(job).values(run_at=text("now() - interval '1 minute'"), published_at=None))


def test_a_job_and_its_cause_are_committed_together_or_not_at_all(
    ledger: Ledger, engine: Engine, broker: Broker
) -> None:
    with pytest.raises(ZeroDivisionError), ledger.transaction() as tx:
        tx.enqueue(DoNothing(note=str(1 / 0 if tx.enqueue(DoNothing()) else "")))

    with engine.connect() as connection:
        assert [] == list(connection.execute(select(job.c.id)))
    assert 0 == broker.waiting("normal")


def test_the_wake_up_follows_the_commit(ledger: Ledger, broker: Broker) -> None:
    with ledger.transaction() as tx:
        tx.enqueue(DoNothing())
        assert 0 == broker.waiting("normal")

    assert 1 == broker.waiting("normal")


def test_two_requests_with_one_idempotency_key_are_one_job(ledger: Ledger) -> None:
    first = enqueue(ledger, key="alert:1")
    with ledger.transaction() as tx:
        second = tx.enqueue(DoNothing(note="other"), key="alert:1")

    assert (first, True) == (second.job_id, second.is_duplicate)


def test_twenty_concurrent_requests_with_one_idempotency_key_are_one_job(ledger: Ledger, engine: Engine) -> None:
    found: list[UUID] = []
    threads = [threading.Thread(target=lambda: found.append(enqueue(ledger, key="same"))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 == len(set(found))
    with engine.connect() as connection:
        assert 1 == len(connection.execute(select(job.c.id)).all())


def test_only_one_of_many_concurrent_claims_wins(ledger: Ledger) -> None:
    job_id = enqueue(ledger)
    won: list[object] = []

    threads = [
        threading.Thread(target=lambda n=n: won.append(ledger.claim(job_id, process(f"w/{n}")))) for n in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 == len([claim for claim in won if claim is not None])


def test_a_job_that_is_not_due_or_has_expired_cannot_be_claimed(ledger: Ledger, engine: Engine) -> None:
    later = enqueue(ledger, run_after=timedelta(hours=1))
    expired = enqueue(ledger, expires_after=timedelta(microseconds=1))

    assert (None, None) == (ledger.claim(later, ME), ledger.claim(expired, ME))
    with engine.begin() as connection:
        assert 1 == recovery.expire(driver(connection))
    assert "expired" == state(engine, expired)


def test_jobs_of_one_sequence_key_run_one_at_a_time_in_order(ledger: Ledger, engine: Engine) -> None:
    first, second = enqueue(ledger, sequence_key="account:7"), enqueue(ledger, sequence_key="account:7")

    assert ledger.claim(second, OTHER) is None
    claimed = ledger.claim(first, ME)
    assert claimed is not None
    assert ledger.claim(second, OTHER) is None
    with engine.begin() as connection:
        transitions.finish(driver(connection), claimed, "succeeded")
    assert ledger.claim(second, OTHER) is not None


def test_a_job_waits_for_a_later_one_of_its_sequence_that_began_before_it_was_committed(ledger: Ledger) -> None:
    first_id = new_id()
    later = enqueue(ledger, sequence_key="account:1")
    claimed = ledger.claim(later, ME)
    first = enqueue(ledger, id=first_id, sequence_key="account:1")
    backlog = Backlog(DoNothing.queue, (DoNothing.job_name(),))

    assert ledger.claim_next(backlog, OTHER) is None
    assert claimed is not None
    assert transitions.finish(ledger.connection.open(), claimed, "succeeded")
    found = ledger.claim_next(backlog, OTHER)
    assert found is not None
    assert first == found.id


def test_a_rescheduled_job_keeps_its_position_in_the_sequence(ledger: Ledger, engine: Engine) -> None:
    first, second = enqueue(ledger, sequence_key="account:7"), enqueue(ledger, sequence_key="account:7")
    claimed = ledger.claim(first, ME)
    assert claimed is not None
    with engine.begin() as connection:
        transitions.reschedule(driver(connection), claimed, timedelta(hours=1), is_counted=False, error="not yet")

    assert ledger.claim(second, OTHER) is None


def test_the_end_of_a_job_wakes_the_next_of_its_sequence_key(ledger: Ledger, engine: Engine, broker: Broker) -> None:
    first, _ = enqueue(ledger, sequence_key="account:7"), enqueue(ledger, sequence_key="account:7")
    claimed = ledger.claim(first, ME)
    assert claimed is not None
    with engine.begin() as connection:
        transitions.finish(driver(connection), claimed, "succeeded")
    broker.forget()

    ledger.wake_next(claimed)

    assert 1 == broker.waiting("normal")


def test_continue_with_ends_a_job_and_runs_its_follow_up_ahead_of_waiting_jobs(ledger: Ledger, engine: Engine) -> None:
    first, waiting = enqueue(ledger, sequence_key="k"), enqueue(ledger, sequence_key="k")
    claimed = ledger.claim(first, ME)
    assert claimed is not None
    with ledger.transaction(parent=claimed) as tx:
        tx.continue_with({"done": True}, DoNothing(note="next"))
    follow_up = tx.follow_up
    assert follow_up is not None

    assert ("succeeded", "running") == (state(engine, first), state(engine, follow_up.id))
    assert (claimed.correlation_id, ME) == (follow_up.correlation_id, follow_up.worker)
    assert ledger.claim(waiting, OTHER) is None


def enqueue_and_finish(tx: Transaction) -> None:
    tx.enqueue(DoNothing())
    tx.finish({"done": True})


def enqueue_and_continue(tx: Transaction) -> None:
    tx.enqueue(DoNothing())
    tx.continue_with(None, DoNothing())


@pytest.mark.parametrize("end", [enqueue_and_finish, enqueue_and_continue])
def test_a_job_that_ends_after_a_lost_lease_commits_nothing(
    ledger: Ledger, engine: Engine, end: Callable[[Transaction], None]
) -> None:
    claimed = ledger.claim(enqueue(ledger), ME)
    assert claimed is not None
    with engine.begin() as connection:
        recovery.release_lost(driver(connection), ME, "lost")

    with pytest.raises(LeaseLostError), ledger.transaction(parent=claimed) as tx:
        end(tx)
    with engine.connect() as connection:
        assert 1 == len(connection.execute(select(job.c.id)).all())


def test_the_relay_publishes_unclaimed_jobs_only_while_the_queue_has_capacity(ledger: Ledger, engine: Engine) -> None:
    for _ in range(3):
        enqueue(ledger)
    with engine.begin() as connection:
        connection.execute(update(job).values(published_at=text("now()")))  # a moment ago, on a slow computer too
        assert [] == queues.take_due(driver(connection), Queue.NORMAL, 100)[0]
    make_due(engine)
    with engine.begin() as connection:
        assert 2 == len(queues.take_due(driver(connection), Queue.NORMAL, 2)[0])
        assert 1 == len(queues.take_due(driver(connection), Queue.NORMAL, 100)[0])


def test_the_relay_publishes_only_the_first_job_of_a_sequence(ledger: Ledger, engine: Engine) -> None:
    first, _ = enqueue(ledger, sequence_key="k"), enqueue(ledger, sequence_key="k")
    make_due(engine)

    with engine.begin() as connection:
        assert [first] == [wake_up.job_id for wake_up in queues.take_due(driver(connection), Queue.NORMAL, 10)[0]]


def test_a_full_queue_takes_no_more_wake_ups_and_loses_no_job(ledger: Ledger, engine: Engine, broker: Broker) -> None:
    most = max_outstanding(Queue.BACKGROUND)
    with ledger.transaction() as tx:
        for _ in range(most + 10):
            tx.enqueue(DeleteOldRows())

    assert most == broker.waiting("background")
    with engine.connect() as connection:
        assert most + 10 == len(connection.execute(select(job.c.id)).all())


@pytest.mark.parametrize("dead_broker", ["redis://127.0.0.1:1/0", "amqp://me:secret@127.0.0.1:1/"])
def test_a_dead_broker_costs_no_job(engine: Engine, dead_broker: str) -> None:
    ledger = Ledger(engine, open_publisher(dead_broker))

    assert "queued" == state(engine, enqueue(ledger))


def test_an_unknown_job_cannot_be_claimed(ledger: Ledger) -> None:
    assert ledger.claim(uuid4(), ME) is None
