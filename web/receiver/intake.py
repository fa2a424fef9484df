"""Stores alerts with their jobs, many in one commit; while Postgres is away, in the spool."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

import psycopg

from shared.clock import machine_now
from shared.db.alerts import intake
from shared.db.alerts.hooks import Hook
from shared.db.alerts.intake import NewAlert
from shared.db.engine import ping
from shared.domain.alerts.alert import Alert
from shared.domain.alerts.payload import BODY
from shared.fleets import Queue
from shared.ids import new_id
from shared.ledger.async_ledger import AsyncLedger
from shared.ledger.batch_insert import holders_of, insert_jobs
from shared.ledger.enqueue import NewJob, new_job
from shared.ledger.jobs.alerts import HandleAlert
from shared.ledger.jobs.orders import entries_key
from web.receiver.batcher import Batcher
from web.receiver.check import Refusal, is_resend, job_key, refuse_known_delivery, refuse_known_id
from web.receiver.deadline import TIMEOUT_S, DatabaseDownError, with_timeout
from web.receiver.spool import Spool

log = logging.getLogger("receiver")

_RECOVER_EVERY_S = 0.5
_REPLAYED_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Incoming:
    """One checked alert of a hook. `received_at` is None for one that arrives now, else when the spool took it.

    `delivery_key` is the same only in a resend; None if the request names none.
    """

    id: UUID
    job_id: UUID
    hook: Hook
    raw: bytes
    checked: Alert | Refusal
    delivery_key: str | None = None
    received_at: datetime | None = None

    @property
    def is_exit(self) -> bool:
        """Whether it is an alert that opens nothing: such are replayed first."""
        return isinstance(self.checked, Alert) and not self.checked.action.is_entry


@dataclass(frozen=True, slots=True)
class Accepted:
    """The job of an accepted alert; a duplicate has the job of its first delivery."""

    job_id: UUID
    is_duplicate: bool = False
    is_spooled: bool = False


Outcome = Accepted | Refusal
_UNFIT = Refusal(
    HTTPStatus.UNPROCESSABLE_ENTITY, "the alert cannot be stored", BODY, "send plain text: the receiver's log says more"
)


class Intake:
    """Stores alerts durably: in Postgres, else in the spool, from which they are stored once it is back."""

    def __init__(self, ledger: AsyncLedger, spool: Spool[Incoming], entry_ttl: timedelta) -> None:
        self._ledger = ledger
        self._spool = spool
        self._entry_ttl = entry_ttl
        self._batcher: Batcher[Incoming, Outcome] = Batcher(self._write)
        self._recovery: asyncio.Task[None] | None = None

    @property
    def is_spooling(self) -> bool:
        """Whether alerts go to the spool."""
        return self._recovery is not None

    def start(self) -> None:
        """Store what an earlier process has left in the spool."""
        if not self._spool.is_empty:
            self._recover()

    async def stop(self) -> None:
        """End a recovery that is under way; what it has not stored stays in the spool."""
        if self._recovery is not None:
            self._recovery.cancel()
            with suppress(asyncio.CancelledError):
                await self._recovery

    async def store(self, incoming: Incoming) -> Outcome:
        """Store one alert; raise DatabaseDownError if neither Postgres nor the spool can."""
        if self._recovery is None:
            # It is not known whether an alert that is late is stored: the spool has the same ids.
            with suppress(DatabaseDownError, TimeoutError):
                async with asyncio.timeout(TIMEOUT_S):  # for the batch before and its own together
                    return await self._batcher.submit(incoming)
        spooled = replace(incoming, received_at=machine_now())
        try:
            await self._spool.add(spooled)
        except OSError as error:
            log.warning("the spool failed: %s", error)
            raise DatabaseDownError("neither Postgres nor the spool can store the alert") from None
        self._recover()
        return incoming.checked if isinstance(incoming.checked, Refusal) else Accepted(incoming.job_id, is_spooled=True)

    def _recover(self) -> None:
        if self._recovery is None:
            self._recovery = asyncio.create_task(self._replay_spool())

    async def _write(self, batch: Sequence[Incoming]) -> list[Outcome]:
        if self._recovery is not None:
            raise DatabaseDownError("Postgres is away")
        try:
            return await with_timeout(self._commit(batch))
        except _UnfitBatchError:
            return [await self._write_alone(one) for one in batch]
        except DatabaseDownError:
            self._recover()
            raise

    async def _write_alone(self, one: Incoming) -> Outcome:
        try:
            return (await with_timeout(self._commit([one])))[0]
        except _UnfitBatchError as error:
            log.warning("hook %s: an alert cannot be stored: %s", one.hook.name, error)
            return _UNFIT

    async def _commit(self, batch: Sequence[Incoming]) -> list[Outcome]:
        """Commit the alerts and their jobs, and return what became of each."""
        jobs = {one.job_id: self._make_job(one, one.checked) for one in batch if isinstance(one.checked, Alert)}
        try:
            async with self._ledger.engine.begin() as connection:
                raw: psycopg.AsyncConnection[Any] = (await connection.get_raw_connection()).driver_connection  # type: ignore[assignment]  # typed as Any | None
                inserted = await insert_jobs(raw, list(jobs.values())) if jobs else set()
                outcomes = await _judge(raw, batch, jobs, inserted)
                stored = [_to_row(one, outcome) for one, outcome in zip(batch, outcomes, strict=True)]
                await intake.insert_alerts(raw, [row for row in stored if row is not None])
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            raise _UnfitBatchError(str(error).splitlines()[0]) from None
        self._ledger.publish([jobs[job_id].wake_up() for job_id in inserted])
        return outcomes

    def _make_job(self, one: Incoming, alert: Alert) -> NewJob:
        is_entry = alert.action.is_entry
        waited = timedelta(0) if one.received_at is None else machine_now() - one.received_at
        return new_job(
            HandleAlert(alert_id=one.id),
            id=one.job_id,
            key=job_key(one.hook.id, alert, one.raw, one.id, one.delivery_key),
            sequence_key=entries_key(one.hook.account_id) if is_entry else None,
            queue=Queue.HIGH if is_entry else Queue.CRITICAL,
            expires_after=self._entry_ttl - waited if is_entry else None,
        )

    async def _replay_spool(self) -> None:
        """Store what is in the spool, exits first, as often as it takes; then alerts go to Postgres again."""
        log.warning("Postgres is away: alerts go to the spool")
        try:
            while True:
                await asyncio.sleep(_RECOVER_EVERY_S)
                try:
                    await with_timeout(self._ping())
                    while await self._replay_all():
                        pass
                except DatabaseDownError:
                    continue
                except Exception:  # what is in the spool must not wait for the next outage
                    log.exception("the spool could not be stored yet")
                    continue
                if self._spool.is_empty:
                    log.info("Postgres is back: every spooled alert is stored")
                    return
        finally:
            self._recovery = None

    async def _replay_all(self) -> bool:
        """Store every record of the spool; return whether there were any."""
        spooled = sorted(await self._spool.read(), key=replay_order)
        has_unfit = False
        for start in range(0, len(spooled), _REPLAYED_AT_ONCE):
            has_unfit |= await self._replay(spooled[start : start + _REPLAYED_AT_ONCE])
        await self._spool.discard(keep_files=has_unfit)
        return bool(spooled)

    async def _replay(self, batch: Sequence[Incoming]) -> bool:
        """Store some records; return whether Postgres refuses one of them, which then stays in its file."""
        try:
            await with_timeout(self._commit(batch))
        except _UnfitBatchError:
            outcomes = [await self._write_alone(one) for one in batch]
            return any(outcome is _UNFIT for outcome in outcomes)
        return False

    async def _ping(self) -> None:
        async with self._ledger.engine.connect() as connection:
            await ping(connection)


def replay_order(one: Incoming) -> tuple[bool, UUID]:
    """Return the key by which spooled alerts are stored: exits first, each kind as it came."""
    return (not one.is_exit, one.id)


class _UnfitBatchError(Exception):
    """Postgres refuses a row of the batch."""


async def _judge(
    connection: psycopg.AsyncConnection[Any],
    batch: Sequence[Incoming],
    jobs: dict[UUID, NewJob],
    inserted: set[UUID],
) -> list[Outcome]:
    """Return what became of each alert, once the jobs with a free key are inserted."""
    outcomes: dict[UUID, Outcome] = {job_id: Accepted(job_id) for job_id in inserted}
    known = {job.key: job for job in jobs.values() if job.id not in inserted and job.key is not None}
    if known:
        holders = await holders_of(connection, list(known))
        first = await intake.first_deliveries(connection, list(holders.values()))
        together = {one.job_id: one.raw for one in batch}  # of which no row is inserted yet
        for one in batch:
            job = jobs.get(one.job_id)
            if job is None or job.id in inserted or not isinstance(one.checked, Alert):
                continue
            holder = holders[job.key or ""]
            body, age = first.get(holder, (together.get(holder, one.raw), timedelta(0)))
            outcomes[job.id] = _judge_known(one, one.checked, holder, body, age)
    return [outcomes[one.job_id] if isinstance(one.checked, Alert) else one.checked for one in batch]


def _judge_known(one: Incoming, alert: Alert, holder: UUID, first: bytes, age: timedelta) -> Outcome:
    """Return what became of an alert whose key is held by the job of the `first` body, which was received `age` ago."""
    has_key = one.delivery_key is not None
    if holder == one.job_id or is_resend(alert, one.raw, first, age, has_delivery_key=has_key):
        return Accepted(holder, is_duplicate=holder != one.job_id)
    if one.delivery_key is None:
        return refuse_known_id(alert, age)
    return refuse_known_delivery(alert, one.delivery_key, age)


def _to_row(one: Incoming, outcome: Outcome) -> NewAlert | None:
    """Return the row of an alert; a duplicate has none."""
    alert = one.checked if isinstance(one.checked, Alert) else None
    dialect = one.hook.settings.dialect
    match outcome:
        case Accepted() if outcome.is_duplicate:
            return None
        case Accepted():
            payload = one.raw.decode() if alert and alert.is_storable and dialect == "tickwork" else None
            return NewAlert(
                one.id, one.hook.id, one.received_at, one.raw, payload, dialect, alert, None, outcome.job_id
            )
        case Refusal():
            reason = f"{outcome.status.value}: {outcome.wrong}"
            payload = one.raw.decode() if outcome.is_json and dialect == "tickwork" else None
            return NewAlert(one.id, one.hook.id, one.received_at, one.raw, payload, dialect, None, reason, None)


def new_incoming(hook: Hook, raw: bytes, checked: Alert | Refusal, delivery_key: str | None) -> Incoming:
    """Return an alert that arrives now, with ids of its own."""
    return Incoming(new_id(), new_id(), hook, raw, checked, delivery_key)
