"""What the user hub has told, on its way into the ledger: nothing is lost while Postgres is away for a moment."""

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
from shared.ledger.jobs.orders import ReconcileAccounts

log = logging.getLogger(__name__)

MOST_WAITING = 10_000
AGAIN_AFTER_S = 0.5
_BATCH = 100
_UNFIT = (psycopg.DataError, sqlalchemy.exc.DataError, TickworkError, TypeError)


@dataclass(frozen=True, slots=True)
class _Waiting:
    key: str
    request: Job
    queue: Queue | None
    sequence_key: str | None


class Outbox:
    """Enqueues jobs in the order they came, in batches; what it has no room for, a reconcile finds at the venue."""

    def __init__(self, intake: AsyncLedger, *, most_waiting: int = MOST_WAITING) -> None:
        self._intake = intake
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue(most_waiting)
        self._batch: list[_Waiting] = []  # kept until it is committed
        self._must_reconcile = False
        self.lost_count = 0

    @property
    def waiting_count(self) -> int:
        """How many jobs wait to be enqueued."""
        return self._waiting.qsize() + len(self._batch)

    def put(self, key: str, request: Job, queue: Queue | None = None, sequence_key: str | None = None) -> None:
        """Let a job be enqueued under `key`, unless one was already; never waits.

        Jobs of one `sequence_key` run one at a time, in the order they were put in.
        """
        try:
            self._waiting.put_nowait(_Waiting(key, request, queue, sequence_key))
        except asyncio.QueueFull:
            self._lose(key, "there is no room for more while Postgres is away")

    def ask_for_snapshot(self) -> None:
        """Have everything read from the venue by REST, as after a gap of the stream."""
        number = f"{machine_now():%Y%m%dT%H%M%S.%f}"
        self.put(f"feed:snapshot:{number}", SnapshotAccounts(), Queue.CRITICAL)
        self.put(f"feed:reconcile:{number}", ReconcileAccounts(), Queue.CRITICAL)

    async def run(self) -> None:
        """Enqueue what comes until cancelled; may be run again."""
        while True:
            if not self._batch:
                self._batch.append(await self._waiting.get())
            while len(self._batch) < _BATCH and not self._waiting.empty():
                self._batch.append(self._waiting.get_nowait())
            await self._enqueue(self._batch)
            self._batch = []
            if self._must_reconcile and self._waiting.empty():
                self._must_reconcile = False
                self.ask_for_snapshot()

    def _lose(self, key: str, reason: object) -> None:
        if not self._must_reconcile:  # one line tells of many
            log.error("%s is left to a reconcile: %s", key, reason)
        self.lost_count += 1
        self._must_reconcile = True

    async def _enqueue(self, batch: list[_Waiting]) -> None:
        try:
            await self._commit(batch)
        except _UNFIT as error:
            if len(batch) == 1:
                self._lose(batch[0].key, f"{type(error).__name__}: {error}")
                return
            for one in batch:
                await self._enqueue([one])

    @retry(
        retry=retry_if_not_exception_type((*_UNFIT, asyncio.CancelledError)),
        wait=wait_fixed(AGAIN_AFTER_S),
        before_sleep=before_sleep_log(log, logging.WARNING),
    )
    async def _commit(self, batch: list[_Waiting]) -> None:
        async with self._intake.transaction() as tx:
            for one in batch:
                await tx.enqueue(one.request, key=one.key, queue=one.queue, sequence_key=one.sequence_key)
