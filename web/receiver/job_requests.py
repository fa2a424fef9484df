"""POST /v1/jobs/{name} requests a job, and GET /v1/jobs/{id} follows it, both with an API token."""

import logging
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from shared.db.api_tokens import ApiToken, job_key_of
from shared.errors import QueueFullError
from shared.ids import new_id
from shared.ledger.async_ledger import AsyncLedger
from shared.ledger.enqueue import Enqueued
from shared.ledger.job import Instant, Job, job_type
from shared.ledger.job_scope import is_in_scope
from shared.ledger.jobs.orders import GuardPosition, guard_key
from web.receiver.body import MAX_BYTES, BodyLateError, read_body
from web.receiver.deadline import with_timeout
from web.receiver.job_arguments import IDEMPOTENCY_KEY, read_arguments, read_idempotency_key
from web.receiver.problem import RETRY_AFTER_S, RefusedRequestError, not_found
from web.receiver.scope import IS_STORING
from web.receiver.tokens import TokenAuthenticator

log = logging.getLogger("receiver")


class JobAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a 202: the job that serves the request. A `duplicate` was requested before with the same key."""

    job_id: UUID
    status_url: str
    duplicate: bool


class JobDetails(msgspec.Struct, frozen=True, kw_only=True):
    """A job with its result, for the holder of a token that may request it."""

    job_id: UUID
    name: str
    state: str
    queue: str
    attempt: int
    correlation_id: UUID
    enqueued_at: Instant
    started_at: Instant | None
    finished_at: Instant | None
    result: Any
    error: str | None


class JobRequestRoute:
    """The route that requests jobs by name, and shows them by id."""

    def __init__(
        self, ledger: AsyncLedger, tokens: TokenAuthenticator, *, entry_ttl: timedelta, receiver_url: str
    ) -> None:
        self._ledger = ledger
        self._tokens = tokens
        self._entry_ttl = entry_ttl
        self._url = f"{receiver_url.rstrip('/')}/v1/jobs"

    async def serve(self, request: Request) -> Response:
        """Answer a request of either method."""
        try:
            return await (self._post(request) if request.method == "POST" else self._get(request))
        except RefusedRequestError as error:
            return error.to_response()

    async def _post(self, request: Request) -> Response:
        """Answer 202 after the commit of the job."""
        raw = await _read_whole_body(request)
        token = await self._tokens.authenticate(request)
        type_ = _find_job_type(request.path_params["job"], token)
        key = read_idempotency_key(request.headers.getlist(IDEMPOTENCY_KEY))
        request.scope[IS_STORING] = True
        job = await with_timeout(self._enqueue(token, read_arguments(raw, type_), key))
        log.info(
            "token %s: %s %s, job %s",
            token.name,
            type_.job_name(),
            "repeated" if job.is_duplicate else "requested",
            job.job_id,
        )
        accepted = JobAccepted(job_id=job.job_id, status_url=f"{self._url}/{job.job_id}", duplicate=job.is_duplicate)
        return Response(
            msgspec.json.encode(accepted),
            HTTPStatus.ACCEPTED,
            {"Location": accepted.status_url},
            media_type="application/json",
        )

    async def _enqueue(self, token: ApiToken, request: Job, key: str | None) -> Enqueued:
        try:
            async with self._ledger.transaction() as tx:
                enqueued = await tx.enqueue(
                    request,
                    key=job_key_of(token.id, f"once:{new_id()}" if key is None else f"key:{key}"),
                    sequence_key=_sequence_key_of(request),
                    expires_after=self._entry_ttl if request.is_entry else None,
                )
                if enqueued.is_duplicate and not await tx.has_request(enqueued.job_id, request):
                    raise RefusedRequestError(
                        HTTPStatus.UNPROCESSABLE_ENTITY,
                        f"this {IDEMPOTENCY_KEY} belongs to another request, job {enqueued.job_id}",
                        field=IDEMPOTENCY_KEY,
                        hint="use a new key for each request, and the same one only to send a request again",
                    )
        except QueueFullError as error:
            raise RefusedRequestError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                str(error),
                hint=f"send the same request again in {RETRY_AFTER_S} s or later",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            ) from None
        return enqueued

    async def _get(self, request: Request) -> Response:
        """Answer with the whole job, or 404 if there is none in the token's scope."""
        token = await self._tokens.authenticate(request)
        try:
            job_id = UUID(request.path_params["job"])
        except ValueError:
            return not_found()
        job = await with_timeout(self._ledger.job(job_id))
        if job is None or not is_in_scope(job.name, token.job_names):
            return not_found()
        values = msgspec.structs.asdict(job)
        details = JobDetails(job_id=values.pop("id"), **values)
        return Response(msgspec.json.encode(details), media_type="application/json")


async def _read_whole_body(request: Request) -> bytes:
    try:
        body = await read_body(request)
    except BodyLateError as error:
        raise RefusedRequestError(
            HTTPStatus.REQUEST_TIMEOUT,
            str(error),
            field="body",
            hint="send the body at once",
            headers={"Connection": "close"},
        ) from None
    if body.is_too_large:
        raise RefusedRequestError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body is larger than {MAX_BYTES} bytes",
            field="body",
            hint="send the arguments of one job",
            headers=None if body.is_whole else {"Connection": "close"},
        )
    return body.raw


def _find_job_type(name: str, token: ApiToken) -> type[Job]:
    try:
        type_ = job_type(name)
        is_known = not type_.is_internal
    except LookupError:
        is_known = False
    if not is_known:
        hint = "GET /v1/openapi.json lists the jobs"
        raise RefusedRequestError(HTTPStatus.NOT_FOUND, f"unknown job {name[:64]!r}", hint=hint)
    if not is_in_scope(name, token.job_names):
        raise RefusedRequestError(
            HTTPStatus.FORBIDDEN,
            f"this token may not request {name}",
            hint=f"it may request {', '.join(token.job_names)}; `tickwork tokens add NAME --job {name}` adds another",
        )
    return type_


def _sequence_key_of(request: Job) -> str | None:
    """Return the key of the guard of a position; None for any other job."""
    return guard_key(request.account_id, request.contract_id) if isinstance(request, GuardPosition) else None
