"""The buffer of jobs from user hub events: none is lost while Postgres does not answer for a moment."""

import asyncio
import logging
from dataclasses import dataclass

import psycopg
import sqlalchemy.exc
from tenacity import before_sleep_log, retry, retry_if_not_exception_type, wait_fixed

from shared.clock import machine_now
from shared.errors import TickworkError
from shared.fleets import Queue
from shared.ledger.async_ledger import AsyncLedger
from shared.ledger.job import Job
from shared.ledger.jobs.accounts import SnapshotAccounts
from shared.ledger.jobs.orders import ReconcileAccount, ReconcileAccounts, reconcile_key

log = logging.getLogger(__name__)

MAX_WAITING = 10_000
RETRY_AFTER_S = 0.5
_BATCH = 100
_PERMANENT_ERRORS = (psycopg.DataError, sqlalchemy.exc.DataError, TickworkError, TypeError)


@dataclass(frozen=True, slots=True)
class _PendingJob:
    key: str
    job: Job
    queue: Queue | None
    sequence_key: str | None


class EventBuffer:
    """Enqueues jobs in order and in batches; a reconcile with the venue replaces those it has no room for."""

    def __init__(self, ledger: AsyncLedger, *, max_waiting: int = MAX_WAITING) -> None:
        self._ledger = ledger
        self._waiting: asyncio.Queue[_PendingJob] = asyncio.Queue(max_waiting)
        self._batch: list[_PendingJob] = []  # kept until it is committed
        self._must_reconcile = False
        self.lost_count = 0

    @property
    def waiting_count(self) -> int:
        """The number of jobs that wait to be enqueued."""
        return self._waiting.qsize() + len(self._batch)

    def put(self, key: str, job: Job, queue: Queue | None = None, sequence_key: str | None = None) -> None:
        """Add a job, to be enqueued with the idempotency key `key`; never waits.

        Jobs of one `sequence_key` run one at a time, in the order they were added.
        """
        try:
            self._waiting.put_nowait(_PendingJob(key, job, queue, sequence_key))
        except asyncio.QueueFull:
            self._record_loss(
                key, f"the event buffer is full, {self._waiting.maxsize} jobs, and Postgres does not answer"
            )

    def request_reconcile(self) -> None:
        """Request a snapshot and a reconcile by REST, as after a gap in the stream."""
        number = f"{machine_now():%Y%m%dT%H%M%S.%f}"
        self.put(f"feed:snapshot:{number}", SnapshotAccounts(), Queue.CRITICAL)
        self.put(f"feed:reconcile:{number}", ReconcileAccounts(), Queue.CRITICAL)

    def request_reads_of_exposed(self) -> None:
        """Request a snapshot, and a reconcile of the accounts that hold or order something, on no exit's requests."""
        number = f"{machine_now():%Y%m%dT%H%M%S.%f}"
        self.put(f"feed:snapshot:{number}", SnapshotAccounts(), Queue.HIGH)
        self.put(f"feed:reconcile:{number}", ReconcileAccounts(only_exposed=True), Queue.HIGH)

    def request_read(self, account_id: int) -> None:
        """Request a reconcile of one account, on no exit's requests."""
        number = f"{machine_now():%Y%m%dT%H%M%S.%f}"
        job = ReconcileAccount(account_id=account_id)
        self.put(f"feed:reconcile:{account_id}:{number}", job, Queue.HIGH, reconcile_key(account_id))

    async def run(self) -> None:
        """Enqueue the jobs until cancelled; may be run again."""
        while True:
            if not self._batch:
                self._batch.append(await self._waiting.get())
            while len(self._batch) < _BATCH and not self._waiting.empty():
                self._batch.append(self._waiting.get_nowait())
            await self._enqueue(self._batch)
            self._batch = []
            if self._must_reconcile and self._waiting.empty():
                self._must_reconcile = False
                self.request_reconcile()

    def _record_loss(self, key: str, reason: object) -> None:
        if not self._must_reconcile:  # one log line for all
            log.error("cannot enqueue %s, a reconcile will replace it: %s", key, reason)
        self.lost_count += 1
        self._must_reconcile = True

    async def _enqueue(self, batch: list[_PendingJob]) -> None:
        try:
            await self._commit(batch)
        except _PERMANENT_ERRORS as error:
            if len(batch) == 1:
                self._record_loss(batch[0].key, f"{type(error).__name__}: {error}")
                return
            for one in batch:
                await self._enqueue([one])

    @retry(
        retry=retry_if_not_exception_type((*_PERMANENT_ERRORS, asyncio.CancelledError)),
        wait=wait_fixed(RETRY_AFTER_S),
        before_sleep=before_sleep_log(log, logging.WARNING),
    )
    async def _commit(self, batch: list[_PendingJob]) -> None:
        async with self._ledger.transaction() as tx:
            for one in batch:
                await tx.enqueue(one.job, key=one.key, queue=one.queue, sequence_key=one.sequence_key)
