"""The ledger as programs use it: one transaction commits the cause and its jobs; wake-ups follow the commit."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Unpack
from uuid import UUID

from sqlalchemy import Connection, Engine

from shared.ledger import rows
from shared.ledger.enqueue import Enqueued, EnqueueOptions, new_job
from shared.ledger.envelope import WakeUp
from shared.ledger.job import Job
from shared.ledger.rows import ClaimedJob
from shared.ledger.wake import Wake


class LeaseLostError(Exception):
    """The job was taken back while it ran: another may run it now, so nothing of ours may be written."""


class Transaction:
    """What one commit holds: SQL on `connection`, and jobs."""

    def __init__(self, connection: Connection, cause: ClaimedJob | None = None) -> None:
        self.connection = connection
        self.wake_ups: list[WakeUp] = []
        self.has_finished_cause = False
        self.follow_up: ClaimedJob | None = None
        self._cause = cause

    def enqueue(self, request: Job, **options: Unpack[EnqueueOptions]) -> Enqueued:
        """Insert a job, unless its key is taken; it carries on the story (correlation id) of the job that asks."""
        if self._cause is not None:
            options.setdefault("correlation_id", self._cause.correlation_id)
            options.setdefault("cause_id", self._cause.id)
        job = new_job(request, **options)
        if job.key is not None and self.connection.execute(job.take_key()).one_or_none() is None:
            holder: UUID = self.connection.execute(job.holder_of_key()).scalar_one()
            return Enqueued(holder, is_duplicate=True)
        self.connection.execute(job.insert())
        if job.is_due_at_once:
            self.wake_ups.append(job.wake_up())
        else:
            self.connection.execute(job.tell_relay())
        return Enqueued(job.id, is_duplicate=False)

    def finish(self, result: object) -> None:
        """End the job that caused this, as succeeded, in this very commit; raise LeaseLostError if it is not ours."""
        job = self._job()
        if not rows.finish(self.connection, job, "succeeded", result=result):
            raise LeaseLostError(f"job {job.id} was taken back from {job.worker}")
        self.has_finished_cause = True

    def hand_over(self, result: object, request: Job) -> None:
        """End the job that caused this and insert `request` as claimed by the same worker, which runs it at once."""
        job = self._job()
        self.finish(result)
        follow_up = new_job(
            request,
            order_key=job.order_key,
            turn=job.turn,
            correlation_id=job.correlation_id,
            cause_id=job.id,
            wakes_itself=False,
        )
        self.connection.execute(follow_up.insert())
        self.follow_up = rows.claim_follow_up(self.connection, follow_up.id, job.worker)

    def _job(self) -> ClaimedJob:
        if self._cause is None:
            raise ValueError("only the transaction of a running job can end that job")
        return self._cause


class Ledger:
    """Jobs as rows in Postgres, with Redis to tell the workers."""

    def __init__(self, engine: Engine, wake: Wake) -> None:
        self.engine = engine
        self._wake = wake

    @contextmanager
    def transaction(self, cause: ClaimedJob | None = None) -> Iterator[Transaction]:
        """Commit everything done inside, or nothing; publish the wake-ups once COMMIT has returned."""
        with self.engine.begin() as connection:
            transaction = Transaction(connection, cause)
            yield transaction
        if transaction.wake_ups:
            self._wake.publish(transaction.wake_ups)

    def close(self) -> None:
        """Close the connections to Postgres and Redis."""
        self.engine.dispose()
        self._wake.close()

    def claim(self, job_id: UUID, worker: str) -> ClaimedJob | None:
        """Take the job if it is due and its turn, else return None."""
        with self.engine.begin() as connection:
            return rows.claim(connection, job_id, worker)

    def wake_next(self, job: ClaimedJob) -> None:
        """Tell the queue of the job that `job`, now ended, kept waiting."""
        if job.order_key is None:
            return
        with self.engine.connect() as connection:
            waiting = rows.next_of_key(connection, job.order_key)
        if waiting is not None:
            self._wake.publish([waiting])
