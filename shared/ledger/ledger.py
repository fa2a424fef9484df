"""The transactional outbox as programs use it: one transaction commits a change and the jobs that it causes."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Unpack
from uuid import UUID

import psycopg
from sqlalchemy import Connection, Engine

from shared.db.engine import driver
from shared.fleets import Queue
from shared.ledger import claims, ending, queues, transitions
from shared.ledger.claims import Backlog, ClaimedJob
from shared.ledger.connection import AutocommitConnection, LedgerUnavailableError
from shared.ledger.ending import Ending
from shared.ledger.enqueue import Enqueued, EnqueueOptions, new_job
from shared.ledger.envelope import WakeUp
from shared.ledger.job import Job
from shared.ledger.publisher import Publisher
from shared.ledger.worker import WorkerProcess

log = logging.getLogger(__name__)


class Transaction:
    """One database transaction: SQL on `connection`, and the jobs enqueued with it; `parent` is the running job."""

    def __init__(self, connection: Connection, parent: ClaimedJob | None = None) -> None:
        self.connection = connection
        self.wake_ups: list[WakeUp] = []
        self.has_finished_job = False  # or does so when the body has ended
        self.follow_up: ClaimedJob | None = None
        self.handoff: object = None
        self._parent = parent
        self._ending: Ending | None = None

    def enqueue(self, request: Job, **options: Unpack[EnqueueOptions]) -> Enqueued:
        """Insert a job unless its idempotency key is taken; it inherits the correlation id of the running job.

        Raise QueueFullError if its queue is full.
        """
        if self._parent is not None:
            options.setdefault("correlation_id", self._parent.correlation_id)
            options.setdefault("parent_id", self._parent.id)
            if request.is_repeated:
                options.setdefault("schedule", self._parent.schedule)
        job = new_job(request, **options)
        raw = driver(self.connection)
        if raw.execute(*job.insert()).rowcount == 0:
            return job.require_holder(raw.execute(*job.holder_of_key()).fetchall())
        if job.is_due_at_once:
            self.wake_ups.append(job.wake_up())
        else:
            raw.execute(*job.notify_relay())
        return Enqueued(job.id, is_duplicate=False)

    def enqueue_unless_queued(self, request: Job, sequence: str, **options: Unpack[EnqueueOptions]) -> Enqueued:
        """Insert a job that brings about a state, unless one of its name in the same `sequence` is queued already."""
        waiting = transitions.lock_queued(driver(self.connection), request.job_name(), sequence)
        if waiting is not None:
            return Enqueued(waiting, is_duplicate=True)
        options["sequence_key"] = sequence
        return self.enqueue(request, **options)

    def finish(self, result: object) -> None:
        """End the running job as succeeded with the last statement; LeaseLostError then, if its lease was lost."""
        self._end(ending.finish(self._running_job(), result))

    def supersede(self) -> int:
        """Cancel the queued jobs with the running job's name and sequence key: one run brings about the state."""
        return transitions.supersede(driver(self.connection), self._running_job())

    def continue_with(self, result: object, request: Job, handoff: object = None, queue: Queue | None = None) -> None:
        """End the running job, as `finish`, and insert `request` as claimed by the same worker, which runs it at once.

        `handoff` reaches that run only through the memory of this process, so it proves that the run is the first.
        `queue` is by default that of the request's type.
        """
        job = self._running_job()
        follow_up = new_job(
            request,
            sequence_key=job.sequence_key,
            sequence_id=job.sequence_id,
            correlation_id=job.correlation_id,
            parent_id=job.id,
            publish_on_commit=False,
            queue=queue or request.queue,
        )
        self._end(ending.continue_with(job, result, follow_up))
        self.handoff = handoff

    def _end(self, end: Ending) -> None:
        if self._ending is not None:
            raise RuntimeError(f"job {end.job.id} is ended twice in one transaction")
        self._ending, self.has_finished_job = end, True

    def write_end(self, *, commits: bool) -> None:
        """Write the end of the job, if the body asked for one, and commit with it; call it after the body."""
        if self._ending is not None:
            self.follow_up = self._ending.write(driver(self.connection), commits=commits)

    def _running_job(self) -> ClaimedJob:
        if self._parent is None:
            raise ValueError("only the transaction of a running job can end that job")
        return self._parent


class Ledger:
    """Jobs as rows in Postgres; a broker carries their wake-ups to the workers."""

    def __init__(self, engine: Engine, publisher: Publisher) -> None:
        self.engine = engine
        self.connection = AutocommitConnection(engine)
        self._publisher = publisher

    @contextmanager
    def transaction(self, parent: ClaimedJob | None = None) -> Iterator[Transaction]:
        """Commit everything done inside, or nothing; publish the wake-ups once COMMIT has returned."""
        with self.engine.begin() as connection:
            transaction = Transaction(connection, parent)
            yield transaction
            transaction.write_end(commits=True)
        self.publish(transaction.wake_ups)

    def enqueue(self, request: Job, **options: Unpack[EnqueueOptions]) -> Enqueued:
        """Enqueue a job in its own transaction, in one round trip, and wake its queue."""
        job = new_job(request, **options)
        connection = self.connection.open()
        if connection.execute(*job.insert()).rowcount == 0:
            return job.require_holder(connection.execute(*job.holder_of_key()).fetchall())
        if job.is_due_at_once:
            self.publish([job.wake_up()])
        else:
            connection.execute(*job.notify_relay())
        return Enqueued(job.id, is_duplicate=False)

    def close(self) -> None:
        """Close the connections to Postgres and the broker."""
        self.connection.close()
        self.engine.dispose()
        self._publisher.close()

    def claim(self, job_id: UUID, worker: WorkerProcess) -> ClaimedJob | None:
        """Claim the job if it is due and the next of its sequence, else return None."""
        return claims.claim(self.connection.open(), job_id, worker)

    def claim_next(self, backlog: Backlog, worker: WorkerProcess) -> ClaimedJob | None:
        """Claim the oldest due job of the backlog, or return None."""
        return claims.claim_next(self.connection.open(), backlog, worker)

    def claim_batch(self, name: str, queue: Queue, worker: WorkerProcess, most: int) -> list[ClaimedJob]:
        """Claim up to `most` due jobs of one name."""
        return claims.claim_batch(self.connection.open(), name, queue, worker, most)

    def publish(self, wake_ups: Sequence[WakeUp]) -> None:
        """Publish the wake-ups of jobs that are committed.

        A full queue takes no more, and need not: each wake-up that it holds makes a slot work through the backlog.
        """
        if wake_ups:
            self._publisher.publish(wake_ups)

    def wake_backlog(self, backlog: Backlog) -> None:
        """Wake the queue if the backlog holds a due job; the relay does so if Postgres does not answer."""
        try:
            waiting = queues.peek_next(self.connection.open(), backlog)
        except (LedgerUnavailableError, psycopg.Error) as error:
            log.warning("cannot read the backlog of %s, the relay will wake it: %s", backlog.queue, error)
            return
        if waiting is not None:
            self.publish([waiting])

    def wake_next(self, job: ClaimedJob) -> None:
        """Wake the queue of the job that waited for the end of `job`; the relay does so if Postgres does not answer."""
        if job.sequence_key is None:
            return
        try:
            waiting = queues.next_in_sequence(self.connection.open(), job.sequence_key)
        except (LedgerUnavailableError, psycopg.Error) as error:
            log.warning("cannot read the next job of %s, the relay will wake it: %s", job.sequence_key, error)
            return
        if waiting is not None:
            self.publish([waiting])
