"""The ledger's asyncio twin, for programs that answer requests: enqueue, and look one job up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Unpack
from uuid import UUID

import msgspec
import psycopg
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.db.tables.ledger import job as job_table
from shared.ledger.enqueue import Enqueued, EnqueueOptions, new_job
from shared.ledger.envelope import WakeUp
from shared.ledger.job import Job
from shared.ledger.wake import AsyncWake


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """What anyone may see of a job."""

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
    """What one commit holds: SQL on `connection`, and jobs."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.wake_ups: list[WakeUp] = []

    async def enqueue(self, request: Job, **options: Unpack[EnqueueOptions]) -> Enqueued:
        """Insert a job, unless its key is taken."""
        job = new_job(request, **options)
        line: psycopg.AsyncConnection[Any] = (await self.connection.get_raw_connection()).driver_connection  # type: ignore[assignment]  # typed as Any | None
        if (await line.execute(*job.insert())).rowcount == 0:
            return job.not_inserted(await (await line.execute(*job.holder_of_key())).fetchall())
        if job.is_due_at_once:
            self.wake_ups.append(job.wake_up())
        else:
            await line.execute(*job.notify_relay())
        return Enqueued(job.id, is_duplicate=False)


class AsyncLedger:
    """Enqueues from an asyncio program; the wake-up is pushed off the caller's path and may fail."""

    def __init__(self, engine: AsyncEngine, wake: AsyncWake) -> None:
        self.engine = engine
        self._wake = wake
        self._pushing: set[asyncio.Task[int]] = set()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncTransaction]:
        """Commit everything done inside, or nothing; push the wake-ups after COMMIT without waiting for the broker."""
        async with self.engine.begin() as connection:
            transaction = AsyncTransaction(connection)
            yield transaction
        if transaction.wake_ups:
            push = asyncio.create_task(self._wake.publish(transaction.wake_ups))
            self._pushing.add(push)
            push.add_done_callback(self._pushing.discard)

    async def job(self, job_id: UUID) -> JobView | None:
        """Return the job, or None."""
        columns = [job_table.c[name] for name in JobView.__struct_fields__]
        async with self.engine.connect() as connection:
            row = (await connection.execute(select(*columns).where(job_table.c.id == job_id))).one_or_none()
        return None if row is None else JobView(**row._mapping)  # noqa: SLF001  # SQLAlchemy's documented name

    async def close(self) -> None:
        """Wait for wake-ups under way, then close the connections."""
        await asyncio.gather(*self._pushing, return_exceptions=True)
        await self._wake.close()
        await self.engine.dispose()
