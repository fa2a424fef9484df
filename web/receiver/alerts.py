"""POST /hooks/tv/{token}: commits an alert and its job before it answers."""

import hashlib
import hmac
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from shared.db.alerts import alerts, hooks
from shared.db.alerts.hooks import Hook
from shared.db.market_data import contracts
from shared.domain.alerts.alert import Alert
from shared.domain.alerts.parse import parse_payload
from shared.domain.alerts.payload import BODY, RefusedAlertError, has_plain_numbers, read_payload
from shared.domain.market_data.symbol import Symbol
from shared.fleets import Queue
from shared.ids import new_id
from shared.ledger.async_ledger import AsyncLedger, AsyncTransaction
from shared.ledger.jobs.alerts import HandleAlert
from shared.ledger.jobs.orders import entries_key
from web.receiver.body import MAX_BYTES, Body, BodyLateError, read_body
from web.receiver.deadline import with_timeout
from web.receiver.problem import not_found, problem
from web.receiver.resend_cache import ResendCache

log = logging.getLogger("receiver")

_RESENT_WITHIN = timedelta(minutes=1)  # TradingView sends an alert again within 20 s of a 5xx


class AlertAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of a 202."""

    job_id: UUID
    status_url: str
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """The reason why an alert is refused; with `is_json` its body is also stored as jsonb."""

    status: HTTPStatus
    wrong: str
    field: str
    hint: str
    is_json: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """The job of an accepted alert; a duplicate has the job of its first delivery."""

    job_id: UUID
    is_duplicate: bool


class AlertRoute:
    """The route that stores alerts and enqueues their jobs."""

    def __init__(self, ledger: AsyncLedger, *, entry_ttl: timedelta, receiver_url: str) -> None:
        self._ledger = ledger
        self._entry_ttl = entry_ttl
        self._receiver_url = receiver_url.rstrip("/")
        self._resend_cache = ResendCache()

    async def post(self, request: Request) -> Response:
        """Answer 202 after the commit of alert and job; a wrong token costs the same work and gets a bare 404."""
        token_hash = hooks.token_hash(request.path_params["token"])
        try:
            body = await read_body(request)
        except BodyLateError as error:
            answer = problem(HTTPStatus.REQUEST_TIMEOUT, str(error), field=BODY, hint="send the alert at once")
            return _with_connection_close(answer)
        answer = self._to_response(await self._store_alert(token_hash, body))
        return answer if body.is_whole else _with_connection_close(answer)

    async def _store_alert(self, token_hash: bytes, body: Body) -> Accepted | Refusal | None:
        """Store the alert within the deadline; raise DatabaseDownError when it is not known whether it was stored."""
        checked = check_alert(body.raw, is_too_large=body.is_too_large)
        fingerprint = hashlib.sha256(token_hash + body.raw).digest()
        delivery_id = self._resend_cache.delivery_id_of(fingerprint)
        try:
            return await with_timeout(self._commit_alert(token_hash, body.raw, checked, delivery_id))
        except Exception:
            self._resend_cache.note(fingerprint, delivery_id)
            raise

    async def _commit_alert(
        self, token_hash: bytes, raw: bytes, checked: Alert | Refusal, delivery_id: UUID
    ) -> Accepted | Refusal | None:
        """Commit the alert and its job, or its refusal; return None, with nothing stored, for an unknown token."""
        async with self._ledger.transaction() as tx:
            row = (await tx.connection.execute(*hooks.with_token(token_hash))).one_or_none()
            if row is None or not hmac.compare_digest(row.token_hash, token_hash):
                return None
            hook = hooks.hook_of(row)
            outcome = (
                await self._enqueue(tx, hook, raw, checked, delivery_id) if isinstance(checked, Alert) else checked
            )
            if isinstance(outcome, Refusal):
                reason = f"{outcome.status.value}: {outcome.wrong}"
                refused = alerts.add_refused(new_id(), hook.id, raw, reason, is_json=outcome.is_json)
                await tx.connection.execute(refused)
        _log_outcome(hook, outcome)
        return outcome

    async def _enqueue(
        self, tx: AsyncTransaction, hook: Hook, raw: bytes, alert: Alert, delivery_id: UUID
    ) -> Accepted | Refusal:
        alert_id = new_id()
        is_entry = alert.action.is_entry
        if is_entry and (
            refusal := _check_traded(alert, (await tx.connection.execute(contracts.TRADED)).scalars().all())
        ):
            return refusal
        job = await tx.enqueue(
            HandleAlert(alert_id=alert_id),
            key=job_key(hook.id, alert, raw, delivery_id),
            sequence_key=entries_key(hook.account_id) if is_entry else None,
            queue=Queue.HIGH if is_entry else Queue.CRITICAL,
            expires_after=self._entry_ttl if is_entry else None,
        )
        if not job.is_duplicate:
            accepted = alerts.add_accepted(alert_id, hook.id, raw, alert, job.job_id)
            await tx.connection.execute(*accepted)
            return Accepted(job.job_id, is_duplicate=False)
        first = (await tx.connection.execute(alerts.first_delivery(job.job_id))).one_or_none()
        if first is None or _is_resend(alert, raw, *first):
            return Accepted(job.job_id, is_duplicate=True)
        return Refusal(
            HTTPStatus.CONFLICT,
            f"id {alert.external_id!r} belongs to an alert received {_format_age(first[1])} ago, so nothing is traded",
            "id",
            "give every alert an id of its own, such as {{ticker}} {{interval}} {{strategy.order.id}} {{timenow}}: an "
            "order's name comes again",
            is_json=True,
        )

    def _to_response(self, outcome: Accepted | Refusal | None) -> Response:
        match outcome:
            case Accepted(job_id, is_duplicate):
                status_url = f"{self._receiver_url}/jobs/{job_id}"
                return Response(
                    msgspec.json.encode(AlertAnswer(job_id, status_url, is_duplicate)),
                    HTTPStatus.ACCEPTED,
                    {"Location": status_url},
                    media_type="application/json",
                )
            case Refusal():
                return problem(outcome.status, outcome.wrong, field=outcome.field, hint=outcome.hint)
            case None:
                return not_found()


def _check_traded(alert: Alert, traded: Sequence[str]) -> Refusal | None:
    """Refuse an entry in a contract that is not traded; take any until the contracts have been fetched once.

    A target may close another month of a traded root, so its month is left to the job.
    """
    symbol = alert.symbol if alert.target is None else Symbol(alert.symbol.text, alert.root)
    if not traded or any(map(symbol.names, traded)):
        return None
    return Refusal(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"symbol {alert.symbol.text!r} means no contract that is traded here",
        "symbol",
        f"traded are {', '.join(traded)}: send the root or the month of one of them, or add it to TICKWORK_CONTRACTS",
        is_json=True,
    )


def check_alert(raw: bytes, *, is_too_large: bool = False) -> Alert | Refusal:
    """Parse a body into an alert, or return its refusal; of a body that is too large, `raw` is the head."""
    if is_too_large:
        wrong = f"the body is larger than {MAX_BYTES} bytes"
        return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, wrong, BODY, "send one alert, with fewer or shorter fields")
    is_json = False
    try:
        payload = read_payload(raw)
        is_json = has_plain_numbers(payload)
        return parse_payload(payload)
    except RefusedAlertError as error:
        status = HTTPStatus.BAD_REQUEST if error.field == BODY else HTTPStatus.UNPROCESSABLE_ENTITY
        return Refusal(status, error.wrong, error.field, error.hint, is_json)


def job_key(hook_id: UUID, alert: Alert, raw: bytes, delivery_id: UUID) -> str:
    """Return the idempotency key of an alert: its id, else its whole body if that has a time, else the delivery.

    The id of an exit does not count: an exit is never refused, and never swallowed, because its id was used before. Nor
    does that of a target, which may close: the same target twice trades once.
    """
    if alert.external_id is not None and alert.action.is_entry and alert.target is None:
        return f"alert:{hook_id}:id:{alert.external_id}"
    if alert.alert_time is not None:
        return f"alert:{hook_id}:body:{hashlib.sha256(raw).hexdigest()}"
    return f"alert:{hook_id}:sending:{delivery_id}"


def _is_resend(alert: Alert, raw: bytes, first: bytes, age: timedelta) -> bool:
    """Whether an alert with a known id is a resend of the first one, which was received `age` ago.

    A resend is the same body: with a time in it whenever it comes, without one only soon after the first. Later, or
    with another time, it is another alert that the sender gave the same id, and a quiet answer would lose a trade.
    """
    return raw == first and (alert.alert_time is not None or age <= _RESENT_WITHIN)


def _format_age(age: timedelta) -> str:
    minutes = int(age.total_seconds()) // 60
    return f"{minutes} min" if minutes else f"{int(age.total_seconds())} s"


def _with_connection_close(answer: Response) -> Response:
    """Close the connection after the answer, so that a sender cannot trickle the rest of its body for ever."""
    answer.headers["Connection"] = "close"
    return answer


def _log_outcome(hook: Hook, outcome: Accepted | Refusal) -> None:
    match outcome:
        case Accepted(job_id, is_duplicate):
            log.info("hook %s: alert %s, job %s", hook.name, "repeated" if is_duplicate else "accepted", job_id)
        case Refusal():
            log.info("hook %s: alert refused with %s, %s", hook.name, outcome.status.value, outcome.wrong)
