"""The ledger as programs use it: one transaction commits the cause and its jobs; wake-ups follow the commit."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Unpack
from uuid import UUID

import psycopg
from sqlalchemy import Connection, Engine

from shared.db.engine import driver
from shared.errors import LeaseLostError
from shared.fleets import Queue
from shared.ledger import queues, transitions
from shared.ledger.connection import AutocommitConnection, LedgerUnavailableError
from shared.ledger.enqueue import Enqueued, EnqueueOptions, new_job
from shared.ledger.envelope import WakeUp
from shared.ledger.job import Job
from shared.ledger.transitions import ClaimedJob
from shared.ledger.wake import Wake

log = logging.getLogger(__name__)


class Transaction:
    """What one commit holds: SQL on `connection`, and jobs."""

    def __init__(self, connection: Connection, cause: ClaimedJob | None = None) -> None:
        self.connection = connection
        self.wake_ups: list[WakeUp] = []
        self.has_finished_job = False
        self.follow_up: ClaimedJob | None = None
        self.handoff: object = None
        self._cause = cause

    def enqueue(self, request: Job, **options: Unpack[EnqueueOptions]) -> Enqueued:
        """Insert a job, unless its key is taken; it carries on the story (correlation id) of the job that asks."""
        if self._cause is not None:
            options.setdefault("correlation_id", self._cause.correlation_id)
            options.setdefault("parent_id", self._cause.id)
        job = new_job(request, **options)
        line = driver(self.connection)
        if line.execute(*job.insert()).rowcount == 0:
            return job.not_inserted(line.execute(*job.holder_of_key()).fetchall())
        if job.is_due_at_once:
            self.wake_ups.append(job.wake_up())
        else:
            line.execute(*job.notify_relay())
        return Enqueued(job.id, is_duplicate=False)

    def enqueue_unless_queued(self, request: Job, line: str, **options: Unpack[EnqueueOptions]) -> Enqueued:
        """Insert a job that aims at a state, unless one with its name and sequence key `line` is queued already."""
        waiting = transitions.lock_queued(driver(self.connection), request.job_name(), line)
        if waiting is not None:
            return Enqueued(waiting, is_duplicate=True)
        options["sequence_key"] = line
        return self.enqueue(request, **options)

    def finish(self, result: object) -> None:
        """End the job that caused this, as succeeded, in this very commit; raise LeaseLostError if it is not ours."""
        job = self._job()
        if not transitions.finish(driver(self.connection), job, "succeeded", result=result):
            raise LeaseLostError(f"job {job.id} was taken back from {job.worker}")
        self.has_finished_job = True

    def supersede(self) -> int:
        """Cancel the queued jobs with this job's name and sequence key: it aims at a state, so one run is enough."""
        return transitions.supersede(driver(self.connection), self._job())

    def continue_with(self, result: object, request: Job, handoff: object = None) -> None:
        """End the job that caused this and insert `request` as claimed by the same worker, which runs it at once.

        `handoff` reaches that run through the memory of this process only: it proves that the run is the first.
        Raise LeaseLostError if the job that asks is not ours any more.
        """
        job = self._job()
        follow_up = new_job(
            request,
            sequence_key=job.sequence_key,
            sequence_id=job.sequence_id,
            correlation_id=job.correlation_id,
            parent_id=job.id,
            publish_on_commit=False,
        )
        self.follow_up = transitions.continue_with(driver(self.connection), job, result, follow_up)
        if self.follow_up is None:
            raise LeaseLostError(f"job {job.id} was taken back from {job.worker}")
        self.handoff = handoff
        self.has_finished_job = True

    def _job(self) -> ClaimedJob:
        if self._cause is None:
            raise ValueError("only the transaction of a running job can end that job")
        return self._cause


class Ledger:
    """Jobs as rows in Postgres, with a broker to tell the workers."""

    def __init__(self, engine: Engine, wake: Wake) -> None:
        self.engine = engine
        self.line = AutocommitConnection(engine)
        self._wake = wake

    @contextmanager
    def transaction(self, cause: ClaimedJob | None = None) -> Iterator[Transaction]:
        """Commit everything done inside, or nothing; publish the wake-ups once COMMIT has returned."""
        with self.engine.begin() as connection:
            transaction = Transaction(connection, cause)
            yield transaction
        self.wake(transaction.wake_ups)

    def enqueue(self, request: Job, **options: Unpack[EnqueueOptions]) -> Enqueued:
        """Commit a job that nothing needs to be committed with, in one round trip, and wake its queue."""
        job = new_job(request, **options)
        line = self.line.open()
        if line.execute(*job.insert()).rowcount == 0:
            return job.not_inserted(line.execute(*job.holder_of_key()).fetchall())
        if job.is_due_at_once:
            self._wake.publish([job.wake_up()])
        else:
            line.execute(*job.notify_relay())
        return Enqueued(job.id, is_duplicate=False)

    def close(self) -> None:
        """Close the connections to Postgres and the broker."""
        self.line.close()
        self.engine.dispose()
        self._wake.close()

    def claim(self, job_id: UUID, worker: str) -> ClaimedJob | None:
        """Take the job if it is due and the next of its sequence, else return None."""
        return transitions.claim(self.line.open(), job_id, worker)

    def claim_batch(self, name: str, queue: Queue, worker: str, most: int) -> list[ClaimedJob]:
        """Take up to `most` due jobs of one name."""
        return transitions.claim_batch(self.line.open(), name, queue, worker, most)

    def wake(self, wake_ups: Sequence[WakeUp]) -> None:
        """Publish wake-ups of jobs that a commit elsewhere holds."""
        if wake_ups:
            self._wake.publish(wake_ups)

    def wake_next(self, job: ClaimedJob) -> None:
        """Tell the queue of the job that `job`, now ended, kept waiting; the relay will if Postgres is away."""
        if job.sequence_key is None:
            return
        try:
            waiting = queues.next_in_sequence(self.line.open(), job.sequence_key)
        except (LedgerUnavailableError, psycopg.Error) as error:
            log.warning("who waits for %s is not known: %s", job.sequence_key, error)
            return
        if waiting is not None:
            self._wake.publish([waiting])
