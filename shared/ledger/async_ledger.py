"""The transactional outbox for asyncio programs, which answer requests: enqueue jobs and read one job."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Unpack
from uuid import UUID

import msgspec
import psycopg
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.db.tables.ledger import job as job_table
from shared.ledger.enqueue import Enqueued, EnqueueOptions, new_job
from shared.ledger.envelope import WakeUp
from shared.ledger.job import Job
from shared.ledger.publisher import AsyncPublisher

log = logging.getLogger(__name__)

_IS_WRITABLE = text("SHOW transaction_read_only")


_MOST_UNPUBLISHED = 1000
_PAUSE_S = 0.005  # between two calls of the broker: each costs as much time as an alert


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a job that any client may see."""

    id: UUID
    name: str
    state: str
    queue: str
    attempt: int
    correlation_id: UUID
    enqueued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    result: object
    error: str | None


class AsyncTransaction:
    """One database transaction: SQL on `connection`, and the jobs enqueued with it."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.wake_ups: list[WakeUp] = []

    async def enqueue(self, request: Job, **options: Unpack[EnqueueOptions]) -> Enqueued:
        """Insert a job unless its idempotency key is taken; raise QueueFullError if its queue is full."""
        job = new_job(request, **options)
        raw: psycopg.AsyncConnection[Any] = (await self.connection.get_raw_connection()).driver_connection  # type: ignore[assignment]  # typed as Any | None
        if (await raw.execute(*job.insert())).rowcount == 0:
            return job.require_holder(await (await raw.execute(*job.holder_of_key())).fetchall())
        if job.is_due_at_once:
            self.wake_ups.append(job.wake_up())
        else:
            await raw.execute(*job.notify_relay())
        return Enqueued(job.id, is_duplicate=False)

    async def has_request(self, job_id: UUID, request: Job) -> bool:
        """Whether a job has this name and these arguments; also True if its row was deleted after its end."""
        statement = select(job_table.c.name, job_table.c.arguments).where(job_table.c.id == job_id)
        row = (await self.connection.execute(statement)).one_or_none()
        return row is None or tuple(row) == (request.job_name(), request.arguments())


class AsyncLedger:
    """Enqueues jobs from an asyncio program; wake-ups are published in the background, where a failure loses no job."""

    def __init__(self, engine: AsyncEngine, publisher: AsyncPublisher) -> None:
        self.engine = engine
        self._publisher = publisher
        self._unpublished: list[WakeUp] = []
        self._publishing: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncTransaction]:
        """Commit everything done inside, or nothing; publish the wake-ups after COMMIT in the background."""
        async with self.engine.begin() as connection:
            transaction = AsyncTransaction(connection)
            yield transaction
        self.publish(transaction.wake_ups)

    def publish(self, wake_ups: Sequence[WakeUp]) -> None:
        """Publish wake-ups of committed jobs in the background; the relay publishes those that get lost.

        Those that come while others are published are the next ones. While the broker hangs and many wait for it
        already, they are left to the relay at once.
        """
        if wake_ups and len(self._unpublished) < _MOST_UNPUBLISHED:
            self._unpublished += wake_ups
            if self._publishing is None:
                self._publishing = asyncio.create_task(self._publish_all())

    async def _publish_all(self) -> None:
        try:
            while self._unpublished:
                wake_ups, self._unpublished = self._unpublished, []
                try:
                    await self._publisher.publish(wake_ups)
                except Exception:  # the relay publishes them, and those that came meanwhile are the next ones
                    log.exception("wake-ups could not be published")
                await asyncio.sleep(_PAUSE_S)
        finally:
            self._publishing = None

    async def job(self, job_id: UUID) -> JobView | None:
        """Return the job, or None if there is none."""
        columns = [job_table.c[name] for name in JobView.__struct_fields__]
        async with self.engine.connect() as connection:
            row = (await connection.execute(select(*columns).where(job_table.c.id == job_id))).one_or_none()
        return None if row is None else JobView(**row._mapping)  # noqa: SLF001  # SQLAlchemy's documented name

    async def is_writable(self) -> bool:
        """Whether Postgres takes commits; a standby answers and takes none."""
        async with self.engine.connect() as connection:
            return str((await connection.execute(_IS_WRITABLE)).scalar_one()) == "off"

    async def close(self) -> None:
        """Wait until pending wake-ups are published, then close the connections."""
        if self._publishing is not None:
            await asyncio.gather(self._publishing, return_exceptions=True)
        await self._publisher.close()
        await self.engine.dispose()
