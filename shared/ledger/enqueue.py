"""The statements that put a job into the ledger, the same for sync and async programs."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TypedDict, Unpack
from uuid import UUID

from sqlalchemy import Executable, func, literal, null, select
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables import job, job_key
from shared.fleets import Queue
from shared.ids import new_id
from shared.ledger.envelope import WakeUp
from shared.ledger.job import Job

KEY_KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Enqueued:
    """The job that now stands for the request; `is_duplicate` when its key was already taken."""

    job_id: UUID
    is_duplicate: bool


class EnqueueOptions(TypedDict, total=False):
    """What the asker may say about a job, beyond what its type says."""

    key: str | None  # at most one job per key, ever (as long as keys are kept)
    order_key: str | None  # jobs that share it run one at a time, in order
    queue: Queue | None
    run_after: timedelta
    expires_after: timedelta | None  # not started by then: expired
    correlation_id: UUID | None
    cause_id: UUID | None
    turn: UUID  # its place among the jobs of its order_key; its own id unless it carries on for another
    wakes_itself: bool


@dataclass(frozen=True, slots=True)
class NewJob:
    """One request on its way into the ledger."""

    request: Job
    id: UUID
    queue: Queue
    key: str | None
    order_key: str | None
    run_after: timedelta
    expires_after: timedelta | None
    correlation_id: UUID
    cause_id: UUID | None
    turn: UUID
    wakes_itself: bool  # False leaves the wake-up to the relay

    @property
    def is_due_at_once(self) -> bool:
        """Whether its wake-up may be published right after the commit."""
        return self.wakes_itself and self.run_after <= timedelta(0)

    def wake_up(self) -> WakeUp:
        """Return the message that tells its queue."""
        return WakeUp(self.id, self.request.job_name(), self.queue, self.request.deadline)

    def take_key(self) -> Executable:
        """Claim the key; returns no row when it was taken before."""
        statement = insert(job_key).values(
            unique_key=self.key, job_id=self.id, kept_until=func.now() + literal(KEY_KEPT)
        )
        return statement.on_conflict_do_nothing().returning(job_key.c.job_id)

    def holder_of_key(self) -> Executable:
        """Read the job that holds the key."""
        return select(job_key.c.job_id).where(job_key.c.unique_key == self.key)

    def insert(self) -> Executable:
        """Write the row."""
        return insert(job).values(
            id=self.id,
            name=self.request.job_name(),
            queue=self.queue,
            arguments=self.request.arguments(),
            max_attempts=self.request.attempts,
            deadline=self.request.deadline,
            run_at=func.now() + literal(self.run_after),
            expires_at=null() if self.expires_after is None else func.now() + literal(self.expires_after),
            order_key=self.order_key,
            published_at=func.now() if self.is_due_at_once else null(),
            cause_id=self.cause_id,
            turn=self.turn,
            correlation_id=self.correlation_id,
        )

    def tell_relay(self) -> Executable:
        """Wake the relay early; it would look anyway."""
        return select(func.pg_notify("job_due", self.queue.value))


def new_job(request: Job, **options: Unpack[EnqueueOptions]) -> NewJob:
    """Return the request with everything its row needs; without a correlation id the job starts a story of its own."""
    job_id = new_id()
    return NewJob(
        request=request,
        id=job_id,
        queue=options.get("queue") or request.queue,
        key=options.get("key"),
        order_key=options.get("order_key"),
        run_after=options.get("run_after", timedelta(0)),
        expires_after=options.get("expires_after"),
        correlation_id=options.get("correlation_id") or job_id,
        cause_id=options.get("cause_id"),
        turn=options.get("turn") or job_id,
        wakes_itself=options.get("wakes_itself", True),
    )
