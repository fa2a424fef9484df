"""Tells a resend of an alert from another alert: their idempotency keys, and the outcome of one whose key is taken."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

import psycopg

from shared.db.alerts import intake
from shared.db.alerts.intake import FirstDelivery
from shared.domain.alerts.alert import Alert
from shared.domain.alerts.payload import BODY
from shared.ledger.batch_insert import holders_of, insert_jobs
from shared.ledger.enqueue import NewJob
from web.receiver.check import Refusal
from web.receiver.incoming import Accepted, Incoming, Outcome

_FOLLOWS = ":after:"  # the job of the alert before, in the key of another alert with the same body
_MOST_LINKS = 20
_RESENT_WITHIN = timedelta(minutes=1)  # TradingView sends an alert again within 20 s of a 5xx


@dataclass(frozen=True, slots=True)
class _KeyHeldByAnother:
    """The key belongs to a different alert, whose job is `holder`."""

    holder: UUID


def idempotency_key(incoming: Incoming, alert: Alert) -> str:
    """Return the key of an alert: its delivery id, its own id, its body if that has a time, else its arrival.

    A signed request has a delivery id, which counts for exits too: only a resend has it again. The id of an exit does
    not count: an exit is never refused, and never swallowed, because its id was used before. Nor does that of a target
    position, which may close: the same one twice trades once.
    """
    hook_id = incoming.hook.id
    if incoming.delivery_id is not None:
        return f"alert:{hook_id}:delivery:{incoming.delivery_id}"
    if alert.external_id is not None and alert.action.is_entry and alert.target_position is None:
        return f"alert:{hook_id}:id:{alert.external_id}"
    if alert.alert_time is not None:
        return f"alert:{hook_id}:body:{hashlib.sha256(incoming.raw).hexdigest()}"
    return f"alert:{hook_id}:arrival:{incoming.id}"


async def insert_alert_jobs(
    connection: psycopg.AsyncConnection[Any], batch: Sequence[Incoming], jobs: dict[UUID, NewJob]
) -> tuple[set[UUID], list[Outcome]]:
    """Insert the jobs of a batch of alerts; return those inserted, and the outcome of each alert.

    An alert that is another one than the one with its key, and that may close, is never refused: it gets the key that
    follows that one, so that its own resend meets it. `jobs` are changed to have the keys that they are inserted with.
    """
    inserted = await insert_jobs(connection, list(jobs.values())) if jobs else set()
    outcomes = await _resolve_outcomes(connection, batch, jobs, inserted)
    for link in range(_MOST_LINKS):
        others = {id_: outcome.holder for id_, outcome in outcomes.items() if isinstance(outcome, _KeyHeldByAnother)}
        if not others:
            break
        for id_, holder in others.items():
            follows = str(holder) if link < _MOST_LINKS - 1 else f"sending:{id_}"
            jobs[id_] = replace(jobs[id_], key=f"{(jobs[id_].key or '').partition(_FOLLOWS)[0]}{_FOLLOWS}{follows}")
        inserted |= await insert_jobs(connection, [jobs[id_] for id_ in others])
        outcomes = await _resolve_outcomes(connection, batch, jobs, inserted)
    resolved: list[Outcome] = []
    for incoming in batch:
        outcome = outcomes.get(incoming.job_id, incoming.checked)
        assert not isinstance(outcome, Alert | _KeyHeldByAnother)  # noqa: S101  # the last link has a key that no other has
        resolved.append(outcome)
    return inserted, resolved


async def _resolve_outcomes(
    connection: psycopg.AsyncConnection[Any],
    batch: Sequence[Incoming],
    jobs: Mapping[UUID, NewJob],
    inserted: set[UUID],
) -> dict[UUID, "Outcome | _KeyHeldByAnother"]:
    """Return the outcome of each alert with a job, once the jobs with a free key are inserted."""
    outcomes: dict[UUID, Outcome | _KeyHeldByAnother] = {job_id: Accepted(job_id) for job_id in inserted}
    taken = {job.key: job for job in jobs.values() if job.id not in inserted and job.key is not None}
    if taken:
        holders = await holders_of(connection, list(taken))
        first = await intake.find_first_deliveries(connection, list(holders.values()))
        in_batch = {incoming.job_id: incoming for incoming in batch}  # of which no row is inserted yet
        for incoming in batch:
            job = jobs.get(incoming.job_id)
            if job is None or job.id in inserted or not isinstance(incoming.checked, Alert):
                continue
            holder = holders[job.key or ""]
            body, age = _find_first_body(incoming, first.get(holder), in_batch.get(holder, incoming))
            outcomes[job.id] = _resolve_duplicate(incoming, incoming.checked, holder, body, age)
    return outcomes


def _find_first_body(incoming: Incoming, stored: FirstDelivery | None, same_batch: Incoming) -> tuple[bytes, timedelta]:
    """Return the body that has the key of an alert, and how long before or after the alert it was received.

    It is `stored`, else in the same batch. An alert of the spool counts from its receipt, not from when it is stored.
    """
    if stored is not None:
        return stored.body, abs((incoming.received_at or stored.read_at) - stored.received_at)
    if incoming.received_at is None or same_batch.received_at is None:
        return same_batch.raw, timedelta(0)
    return same_batch.raw, abs(incoming.received_at - same_batch.received_at)


def _resolve_duplicate(
    incoming: Incoming, alert: Alert, holder: UUID, first: bytes, age: timedelta
) -> "Outcome | _KeyHeldByAnother":
    """Return the outcome of an alert whose key is taken; `first` is the body that took it, received `age` ago."""
    if holder == incoming.job_id or _is_resend(incoming, alert, first, age):
        return Accepted(holder, is_duplicate=holder != incoming.job_id)
    if incoming.delivery_id is not None:
        return _describe_delivery_conflict(alert, incoming.delivery_id, age)
    if not alert.action.is_entry or alert.target_position is not None:
        return _KeyHeldByAnother(holder)
    return _describe_conflict(alert, age)


def _is_resend(incoming: Incoming, alert: Alert, first: bytes, age: timedelta) -> bool:
    """Whether an alert with a known key is a resend of the first one, which was received `age` ago.

    A resend is the same body: with a delivery id or the time of its sending whenever it comes, without them only soon
    after the first: `time` is a bar's start, which two alerts of one bar share. Later it is another alert, and a quiet
    answer would lose a trade.
    """
    is_timeless = incoming.delivery_id is None and alert.sent_at is None
    return incoming.raw == first and (not is_timeless or age <= _RESENT_WITHIN)


def _describe_delivery_conflict(alert: Alert, delivery_id: str, age: timedelta) -> Refusal:
    """Return the refusal of another body with the delivery id of one received `age` ago."""
    return Refusal(
        HTTPStatus.CONFLICT,
        f"delivery id {delivery_id!r} belongs to another body, received {_show_age(age)} ago, so nothing is traded",
        BODY,
        "give every alert a delivery id of its own, and a resend of it the same id and body",
        is_json=alert.is_storable,
    )


def _describe_conflict(alert: Alert, age: timedelta) -> Refusal:
    """Return the refusal of another entry with the id, or the body, of one received `age` ago."""
    wrong = f"id {alert.external_id!r} belongs to an alert" if alert.external_id is not None else "the same body was"
    return Refusal(
        HTTPStatus.CONFLICT,
        f"{wrong} received {_show_age(age)} ago, so nothing is traded",
        "id" if alert.external_id is not None else BODY,
        "give every alert an id of its own, such as {{ticker}} {{interval}} {{strategy.order.id}} {{timenow}}: an "
        "order's name comes again, and {{time}} is the start of a bar",
        is_json=alert.is_storable,
    )


def _show_age(age: timedelta) -> str:
    minutes = int(age.total_seconds()) // 60
    return f"{minutes} min" if minutes else f"{int(age.total_seconds())} s"
