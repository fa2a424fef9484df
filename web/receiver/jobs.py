"""GET /jobs/{id}: the state of a job, for anyone who knows its id."""

from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from shared.ledger.async_ledger import AsyncLedger, JobView
from shared.ledger.job import Instant
from web.receiver.anonymous_work import AnonymousWork
from web.receiver.job_reason import describe_job
from web.receiver.limits import MissBucket
from web.receiver.problem import RefusedRequestError, not_found, too_many_requests
from web.receiver.sender import AddressReader


class JobAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a 200: one job, without its figures."""

    job_id: UUID
    name: str
    state: str
    reason: str
    enqueued_at: Instant
    started_at: Instant | None
    finished_at: Instant | None


class JobRoute:
    """The route that reads jobs from the ledger."""

    def __init__(self, ledger: AsyncLedger, addresses: AddressReader) -> None:
        self._ledger = ledger
        self._anonymous = AnonymousWork()
        self._addresses = addresses
        self._unknown = MissBucket()

    async def get(self, request: Request) -> Response:
        """Answer with the job's state, or 404; an address that asks for too many unknown jobs gets a 429."""
        try:
            return await self._get(request)
        except RefusedRequestError as error:
            return error.to_response()

    async def _get(self, request: Request) -> Response:
        address = self._addresses.address_of(request)
        job = await self._find(request.path_params["job_id"], address)
        if job is None:
            return not_found() if self._unknown.take(address) else _too_many_unknown().to_response()
        answer = JobAnswer(
            job_id=job.id,
            name=job.name,
            state=job.state,
            reason=describe_job(job.state, job.error, job.result),
            enqueued_at=job.enqueued_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
        )
        return Response(msgspec.json.encode(answer), media_type="application/json")

    async def _find(self, id_: str, address: str) -> JobView | None:
        try:
            job_id = UUID(id_)
        except ValueError:
            return None
        if not self._unknown.has(address):
            raise _too_many_unknown()
        return await self._anonymous.run(lambda: self._ledger.job(job_id))


def _too_many_unknown() -> RefusedRequestError:
    return too_many_requests("unknown jobs asked for from your address", 60)
