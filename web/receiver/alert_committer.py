"""Commits alerts with their jobs: by one statement if all are new, else in a transaction that resolves each."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import msgspec
import psycopg

from shared.clock import machine_now
from shared.db.alerts import intake
from shared.db.alerts.intake import NewAlert
from shared.db.kept_connection import KeptConnection, driver_of
from shared.domain.alerts.alert import Alert
from shared.errors import RefusedError
from shared.ledger.alert_insert import insert_new_alerts
from shared.ledger.async_ledger import AsyncLedger
from shared.ledger.batch_insert import encode_job, insert_jobs
from shared.ledger.enqueue import NewJob, new_job
from shared.ledger.jobs.alerts import HandleAlert, alert_job_options, jobs_beside
from web.receiver.check import Refusal
from web.receiver.idempotency import idempotency_key, insert_alert_jobs
from web.receiver.incoming import Accepted, Incoming, Outcome


class UnstorableAlertError(RefusedError):
    """Postgres refuses an alert of a batch."""


@dataclass(frozen=True, slots=True)
class PreparedAlert:
    """An alert with its own job and those beside it, which has none if it is refused, and the rows of all."""

    incoming: Incoming
    jobs: Sequence[NewJob]
    row: msgspec.Raw
    job_rows: Sequence[msgspec.Raw]


class AlertCommitter:
    """Commits batches of alerts, each with its job and the jobs beside it, and publishes their wake-ups."""

    def __init__(self, ledger: AsyncLedger, entry_ttl: timedelta) -> None:
        self._ledger = ledger
        self._kept = KeptConnection(ledger.engine)
        self._entry_ttl = entry_ttl

    def prepare(self, incoming: Incoming) -> PreparedAlert:
        """Return an alert as `commit` takes it: what can be done while the batch before is written."""
        jobs = list(self._make_jobs(incoming))
        row = intake.encode_alert(_make_row(incoming, incoming.checked))
        return PreparedAlert(incoming, jobs, row, [encode_job(job) for job in jobs])

    async def commit(self, batch: Sequence[PreparedAlert]) -> list[Outcome]:
        """Commit the alerts and their jobs, and return the outcome of each; raise UnstorableAlertError.

        After an error some may be stored: to commit one again with the same ids stores nothing twice. If one of them
        has a known key, all are committed in one transaction, as the job of an exit may not come after a younger one.
        """
        try:
            keys = [one.jobs[0].key for one in batch if one.jobs]
            outcomes = await self._commit_new(batch) if len(set(keys)) == len(keys) else {}
            rest = [one for one in batch if one.incoming.job_id not in outcomes]
            if rest:
                outcomes |= await self._commit_rest(rest)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            raise UnstorableAlertError(str(error).splitlines()[0]) from None
        return [outcomes[one.incoming.job_id] for one in batch]

    async def _commit_new(self, batch: Sequence[PreparedAlert]) -> dict[UUID, Outcome]:
        """Commit the alerts if none of their keys is taken, and return their outcomes; else none."""
        job_rows = [row for one in batch for row in one.job_rows]
        async with self._kept.use() as connection:
            inserted = await insert_new_alerts(connection, [one.row for one in batch], job_rows)
        if inserted is None:
            return {}
        self._publish(job for one in batch for job in one.jobs if job.id in inserted)
        outcomes: dict[UUID, Outcome] = {}
        for one in batch:
            if one.incoming.job_id in inserted:
                outcomes[one.incoming.job_id] = Accepted(one.incoming.job_id)
            if isinstance(one.incoming.checked, Refusal):
                outcomes[one.incoming.job_id] = one.incoming.checked
        return outcomes

    async def _commit_rest(self, rest: Sequence[PreparedAlert]) -> dict[UUID, Outcome]:
        """Commit alerts of which some may have a known key, and return their outcomes."""
        batch = [one.incoming for one in rest]
        jobs = {one.incoming.job_id: one.jobs[0] for one in rest if one.jobs}
        async with self._ledger.engine.begin() as connection:
            raw = await driver_of(connection)
            inserted, outcomes = await insert_alert_jobs(raw, batch, jobs)
            beside = [job for one in rest if one.incoming.job_id in inserted for job in one.jobs[1:]]
            taken = await insert_jobs(raw, beside) if beside else set()
            rows = [_make_row(one, outcome) for one, outcome in zip(batch, outcomes, strict=True) if _has_row(outcome)]
            await intake.insert_alerts(raw, rows)
        self._publish([*(jobs[job_id] for job_id in inserted), *(job for job in beside if job.id in taken)])
        return dict(zip((one.job_id for one in batch), outcomes, strict=True))

    def _publish(self, jobs: Iterable[NewJob]) -> None:
        self._ledger.publish([job.wake_up() for job in jobs])

    async def close(self) -> None:
        """Give the connection back."""
        await self._kept.close()

    def _make_jobs(self, incoming: Incoming) -> Iterator[NewJob]:
        """Yield the job of an alert, then those beside it: for the followers of its hook, and what it reverses."""
        hook, alert = incoming.hook, incoming.checked
        if not isinstance(alert, Alert):
            return
        ttl = self._entry_ttl - _waited(incoming)
        yield new_job(
            HandleAlert(alert_id=incoming.id),
            id=incoming.job_id,
            key=idempotency_key(incoming, alert),
            **alert_job_options(alert, hook.account_id, ttl),
        )
        for request, options in jobs_beside(
            incoming.job_id, incoming.id, alert, (hook.account_id, *hook.follower_ids), ttl
        ):
            yield new_job(request, **options)


def _has_row(outcome: Outcome) -> bool:
    """Whether an alert has a row of its own: a duplicate has none."""
    return isinstance(outcome, Refusal) or not outcome.is_duplicate


def _waited(incoming: Incoming) -> timedelta:
    """Return how long an alert was in the spool."""
    return timedelta(0) if incoming.received_at is None else machine_now() - incoming.received_at


def _make_row(incoming: Incoming, outcome: Alert | Outcome) -> NewAlert:
    """Return the row of an alert that is refused, or else accepted with its own job."""
    alert = incoming.checked if isinstance(incoming.checked, Alert) else None
    dialect = incoming.hook.settings.dialect
    reason, job_id = None, None
    if isinstance(outcome, Refusal):
        alert, is_json, reason = None, outcome.is_json, f"{outcome.status.value}: {outcome.wrong}"
    else:
        is_json, job_id = alert is not None and alert.is_storable, incoming.job_id
    return NewAlert(
        id=incoming.id,
        hook_id=incoming.hook.id,
        received_at=incoming.received_at,
        body=incoming.raw,
        payload=incoming.raw.decode() if is_json and dialect == "tickwork" else None,
        dialect=dialect,
        alert=alert,
        reason=reason,
        job_id=job_id,
    )
