"""The SQL that inserts jobs into the transactional outbox, for synchronous and asyncio programs alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import LiteralString, TypedDict, Unpack
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from shared.errors import QueueFullError
from shared.fleets import MAX_QUEUED, Queue
from shared.ids import new_id
from shared.ledger.envelope import WakeUp
from shared.ledger.job import Job

KEY_RETENTION = timedelta(days=7)
FIRST_SEQUENCE_ID = UUID(int=0)  # before every job of its sequence, also before one that is not due yet

Statement = tuple[LiteralString, dict[str, object]]  # for psycopg

_INSERT: LiteralString = """
    INSERT INTO job (id, name, queue, arguments, max_attempts, deadline, run_at, expires_at, sequence_key, published_at,
                     parent_id, sequence_id, correlation_id, schedule)
    SELECT %(id)s::uuid, %(name)s, %(queue)s, %(arguments)s::jsonb, %(max_attempts)s::integer, %(deadline)s::interval,
           now() + %(run_after)s::interval, now() + %(expires_after)s::interval, %(sequence_key)s,
           CASE WHEN %(is_published)s THEN now() END, %(parent_id)s::uuid, %(sequence_id)s::uuid,
           %(correlation_id)s::uuid, %(schedule)s
"""
_HAS_CAPACITY: LiteralString = """
    (%(most)s::integer IS NULL
     OR NOT EXISTS (SELECT 1 FROM queue_state WHERE queue = %(queue)s AND queued >= %(most)s::integer))
"""
_INSERT_ALONE: LiteralString = f"{_INSERT} WHERE {_HAS_CAPACITY}"
# Ends the parent job and inserts the follow-up as already claimed by the same worker, ahead of the jobs that wait for
# the same sequence_key. Writes neither unless the worker still has its claim of the parent.
_CONTINUE_WITH: LiteralString = """
    done AS (
        UPDATE job SET state = 'succeeded', finished_at = now(), lease_until = NULL, result = %(result)s::jsonb
        WHERE id = %(parent_id)s AND claim_id = %(parent_claim)s AND state = 'running' RETURNING id),
    follow_up AS (
    INSERT INTO job (id, name, queue, arguments, max_attempts, deadline, sequence_key, parent_id, sequence_id,
                     correlation_id, state, attempt, claim_id, worker_id, process_id, started_at, lease_until)
    SELECT %(id)s::uuid, %(name)s, %(queue)s, %(arguments)s::jsonb, %(max_attempts)s::integer, %(deadline)s::interval,
           %(sequence_key)s, %(parent_id)s::uuid, %(sequence_id)s::uuid, %(correlation_id)s::uuid,
           'running', 1, %(claim_id)s::uuid, %(worker_id)s::uuid, %(process_id)s::integer, now(),
           clock_timestamp() + %(lease)s::interval
    FROM done
"""
_INSERT_WITH_KEY: LiteralString = f"""
    WITH taken AS (
        INSERT INTO job_key (idempotency_key, job_id, kept_until)
        SELECT %(key)s, %(id)s::uuid, now() + %(kept)s::interval WHERE {_HAS_CAPACITY}
        ON CONFLICT DO NOTHING RETURNING job_id)
    {_INSERT} FROM taken
"""  # noqa: S608  # no value enters the text


@dataclass(frozen=True, slots=True)
class Enqueued:
    """The job that serves the request; `is_duplicate` if it existed before the request."""

    job_id: UUID
    is_duplicate: bool


class EnqueueOptions(TypedDict, total=False):
    """Options of one job, in addition to the defaults of its type."""

    id: UUID
    key: str | None  # idempotency key: at most one job per key while keys are kept
    sequence_key: str | None  # jobs of one key run one at a time, in order
    queue: Queue | None
    run_after: timedelta
    expires_after: timedelta | None  # a job not started by then expires
    correlation_id: UUID | None
    parent_id: UUID | None
    sequence_id: UUID  # position in its sequence: its own id, or that of the job it continues
    publish_on_commit: bool
    schedule: str | None  # the entry of the schedule whose next slot supersedes the job


@dataclass(frozen=True, slots=True)
class NewJob:
    """A request and the values of its job row."""

    request: Job
    id: UUID
    queue: Queue
    key: str | None
    sequence_key: str | None
    run_after: timedelta
    expires_after: timedelta | None
    correlation_id: UUID
    parent_id: UUID | None
    sequence_id: UUID
    publish_on_commit: bool  # False: the relay publishes the wake-up
    schedule: str | None

    @property
    def is_due_at_once(self) -> bool:
        """Whether its wake-up is published right after the commit."""
        return self.publish_on_commit and self.run_after <= timedelta(0)

    def wake_up(self) -> WakeUp:
        """Return the message that wakes its queue."""
        return WakeUp(self.id, self.request.job_name(), self.queue, self.request.deadline)

    def insert(self) -> Statement:
        """Return the statement that inserts the row and its key, or nothing if the key is taken or the queue full."""
        values = {
            "id": self.id,
            "name": self.request.job_name(),
            "queue": self.queue.value,
            "arguments": Jsonb(self.request, dumps=msgspec.json.encode),
            "max_attempts": self.request.attempts,
            "deadline": self.request.deadline,
            "run_after": self.run_after,
            "expires_after": self.expires_after,
            "sequence_key": self.sequence_key,
            "is_published": self.is_due_at_once,
            "parent_id": self.parent_id,
            "sequence_id": self.sequence_id,
            "correlation_id": self.correlation_id,
            "schedule": self.schedule,
            "most": None if self.request.is_probe else MAX_QUEUED.get(self.queue),
        }
        if self.key is None:
            return _INSERT_ALONE, values
        return _INSERT_WITH_KEY, values | {"key": self.key, "kept": KEY_RETENTION}

    def continue_with(self, parent_claim: UUID, result: object) -> Statement:
        """Return the parts of a WITH, `done` and `follow_up`, that end the parent job and insert this one as claimed.

        Append RETURNING and the closing parenthesis; the values lack those of a claim. If `follow_up` has no row, the
        parent's lease was lost and nothing was written.
        """
        _, values = self.insert()
        more = {"parent_claim": parent_claim, "result": None if result is None else Jsonb(result)}
        return _CONTINUE_WITH, values | more

    def holder_of_key(self) -> Statement:
        """Return the statement that reads the job holding the key."""
        return "SELECT job_id FROM job_key WHERE idempotency_key = %(key)s", {"key": self.key}

    def require_holder(self, holder: Sequence[Sequence[UUID]]) -> Enqueued:
        """Return the job that holds the key; raise QueueFullError if none does, as then the queue was full."""
        if holder:
            return Enqueued(holder[0][0], is_duplicate=True)
        raise QueueFullError(
            f"{self.request.job_name()} was not enqueued: {self.queue} holds {MAX_QUEUED.get(self.queue)} jobs or "
            "more; try again when `tickwork metrics` shows fewer"
        )

    def notify_relay(self) -> Statement:
        """Return the statement that wakes the relay at once; without it the relay finds the job when it polls."""
        return "SELECT pg_notify('job_due', %(queue)s)", {"queue": self.queue.value}


def new_job(request: Job, **options: Unpack[EnqueueOptions]) -> NewJob:
    """Return the request with the values of its row; without `correlation_id` the job starts a new correlation."""
    job_id = options.get("id") or new_id()
    return NewJob(
        request=request,
        id=job_id,
        queue=options.get("queue") or request.queue,
        key=options.get("key"),
        sequence_key=options.get("sequence_key"),
        run_after=options.get("run_after", timedelta(0)),
        expires_after=options.get("expires_after"),
        correlation_id=options.get("correlation_id") or job_id,
        parent_id=options.get("parent_id"),
        sequence_id=options.get("sequence_id") or job_id,
        publish_on_commit=options.get("publish_on_commit", True),
        schedule=options.get("schedule"),
    )
