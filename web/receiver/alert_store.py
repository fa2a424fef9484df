"""Stores alerts with their jobs, many in one commit; while Postgres is away, in the spool."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import psycopg

from shared.clock import machine_now
from shared.db.alerts import intake
from shared.db.engine import ping
from shared.domain.alerts.payload import BODY
from shared.domain.counting import count_of
from shared.ledger.async_ledger import AsyncLedger
from web.receiver.alert_committer import AlertCommitter, PreparedAlert, UnstorableAlertError
from web.receiver.batcher import Batcher
from web.receiver.check import Refusal
from web.receiver.deadline import TIMEOUT_S, DatabaseDownError, with_timeout
from web.receiver.incoming import Accepted, Incoming, Outcome
from web.receiver.limits import TokenBucket
from web.receiver.spool import Spool, SpoolFile
from web.receiver.spool_drain import RejectedRecord, SpoolDrain

log = logging.getLogger("receiver")

_RECOVER_EVERY_S = 0.5
_RETRY_FILES_EVERY_S = 60.0
_AWAY = "Postgres is away or late: alerts go to the spool"
_UNSTORABLE = Refusal(
    HTTPStatus.UNPROCESSABLE_ENTITY, "the alert cannot be stored", BODY, "send plain text: the receiver's log says more"
)


class AlertStore:
    """Stores alerts durably: in Postgres, else in the spool, from which they are stored once it is back."""

    def __init__(self, ledger: AsyncLedger, spool: Spool[Incoming], entry_ttl: timedelta) -> None:
        self._ledger = ledger
        self._spool = spool
        self._committer = AlertCommitter(ledger, entry_ttl)
        self._batcher: Batcher[PreparedAlert, Outcome] = Batcher(self._write, TIMEOUT_S)
        self._without_spool: Batcher[PreparedAlert, Outcome] = Batcher(self._write_to_postgres, TIMEOUT_S)
        self._drain = SpoolDrain(spool, store=self._store_again, ping=self._ping, report=self._report_rejected)
        self._recovery: asyncio.Task[None] | None = None
        self._retrying: asyncio.Task[None] | None = None
        self._logged_failure = ""  # of a drain, since one last succeeded: it is logged once, not at every attempt
        self._spool_warnings = TokenBucket(1 / 60, 1)

    @property
    def is_spooling(self) -> bool:
        """Whether alerts go to the spool."""
        return self._recovery is not None

    @property
    def may_spool(self) -> bool:
        """Whether the spool can be expected to take an alert."""
        return self._spool.is_writable()

    def start(self) -> None:
        """Store what an earlier process has left in the spool, and try again now and then what cannot be stored yet."""
        if not self._spool.is_empty:
            self._recover("an earlier process has left alerts in the spool: until they are stored, others go there too")
        self._retrying = asyncio.create_task(self._retry_files_set_aside())

    async def stop(self) -> None:
        """End a recovery that is under way, whose rest stays in the spool, and give the connection back."""
        for task in (self._retrying, self._recovery):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        await self._committer.close()

    async def add(self, incoming: Incoming) -> Outcome:
        """Store one alert; raise DatabaseDownError if neither Postgres nor the spool can.

        A refused alert trades nothing and its sender is told so: it takes no room in the spool.
        """
        is_tried = self._recovery is None
        if is_tried:
            # It is not known whether an alert that is late is stored: the spool has the same ids.
            with suppress(DatabaseDownError, TimeoutError):  # for the batch before and its own together
                return await self._batcher.submit(self._committer.prepare(incoming))
        if isinstance(incoming.checked, Refusal):
            return incoming.checked
        spooled = replace(incoming, received_at=machine_now())
        try:
            await self._spool.add(spooled)
        except OSError as error:
            if self._spool_warnings.take(None):
                log.warning("the spool takes no alert: %s", error)
            if not is_tried:  # during a recovery Postgres may be back already
                with suppress(DatabaseDownError, TimeoutError):
                    return await self._without_spool.submit(self._committer.prepare(incoming))
            raise DatabaseDownError("neither Postgres nor the spool can store the alert") from None
        self._recover(_AWAY)
        return Accepted(incoming.job_id, is_spooled=True)

    def _recover(self, why: str) -> None:
        if self._recovery is None:
            log.warning(why)
            self._recovery = asyncio.create_task(self._store_spooled())

    async def _write(self, batch: Sequence[PreparedAlert]) -> list[Outcome]:
        if self._recovery is not None:
            raise DatabaseDownError("Postgres is away")
        try:
            return await self._write_to_postgres(batch)
        except DatabaseDownError:
            self._recover(_AWAY)
            raise

    async def _write_to_postgres(self, batch: Sequence[PreparedAlert]) -> list[Outcome]:
        try:
            return await with_timeout(self._committer.commit(batch))
        except UnstorableAlertError:
            return [await self._write_alone(prepared) for prepared in batch]

    async def _write_alone(self, prepared: PreparedAlert) -> Outcome:
        try:
            return (await with_timeout(self._committer.commit([prepared])))[0]
        except UnstorableAlertError as error:
            log.warning("hook %s: an alert cannot be stored: %s", prepared.incoming.hook.name, error)
            return _UNSTORABLE

    async def _store_spooled(self) -> None:
        """Store what is in the spool, closes of all first, as often as it takes; then alerts go to Postgres again.

        A file that cannot be read or taken away does not prolong it.
        """
        try:
            while True:
                await asyncio.sleep(_RECOVER_EVERY_S)
                if not await self._drain_spool() or not self._spool.is_empty:
                    continue
                if self._spool.aside_count:
                    files = count_of(self._spool.aside_count, "file")
                    log.warning("alerts go to Postgres again, but %s of the spool cannot be read or taken away", files)
                else:
                    log.info("every spooled alert is stored: alerts go to Postgres again")
                return
        finally:
            self._recovery = None

    async def _retry_files_set_aside(self) -> None:
        """Try files again that could not be read or taken away; meanwhile alerts go to Postgres."""
        while True:
            await asyncio.sleep(_RETRY_FILES_EVERY_S)
            await self._spool.retry()
            if self._recovery is None and not self._spool.is_empty:
                await self._drain_spool()

    async def _drain_spool(self) -> bool:
        """Store what waits in the spool, but for records that are late; return False if that fails."""
        try:
            await self._ping()
            await self._drain.run()
        except DatabaseDownError:
            return False
        except Exception as error:  # what is in the spool must not wait for the next outage
            if repr(error) != self._logged_failure:
                log.exception("the spool could not be stored yet")
            self._logged_failure = repr(error)
            return False
        self._logged_failure = ""
        return True

    async def _store_again(self, batch: Sequence[Incoming]) -> str | None:
        """Store spooled alerts, and return why Postgres refuses one of them; None once all are stored."""
        try:
            await with_timeout(self._committer.commit([self._committer.prepare(one) for one in batch]))
        except UnstorableAlertError as error:
            return str(error)
        return None

    async def _report_rejected(self, file: SpoolFile, rejected: Sequence[RejectedRecord[Incoming]]) -> None:
        """Log and record that a file stays in the spool, although its alerts were answered with 202."""
        reasons = [] if file.is_readable else ["a line of the spool is no alert"]
        reasons += [f"Postgres refuses an alert of hook {one.record.hook.name}: {one.reason}" for one in rejected]
        more = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
        message = f"an accepted alert is not stored and trades nothing: {reasons[0]}{more}; see {file.kept_path.name}"
        account_id = rejected[0].record.hook.account_id if rejected else None
        await with_timeout(self._record_rejected(account_id, message))
        log.error("%s, and docs/howto/recover.md", message)

    async def _record_rejected(self, account_id: int | None, message: str) -> None:
        async with self._ledger.engine.begin() as connection:
            raw: psycopg.AsyncConnection[Any] = (await connection.get_raw_connection()).driver_connection  # type: ignore[assignment]  # typed as Any | None
            await intake.record_rejected_alerts(raw, account_id, message)

    async def _ping(self) -> None:
        """Return once Postgres has answered; raise DatabaseDownError if it does not in time."""
        await with_timeout(self._ping_once())

    async def _ping_once(self) -> None:
        async with self._ledger.engine.connect() as connection:
            await ping(connection)
