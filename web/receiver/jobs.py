"""GET /jobs/{id}: the state of a job, for anyone who knows its id."""

from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from shared.ledger.async_ledger import AsyncLedger
from shared.ledger.job import Instant
from web.receiver.deadline import with_timeout
from web.receiver.job_reason import describe_job
from web.receiver.problem import not_found


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

    def __init__(self, ledger: AsyncLedger) -> None:
        self._ledger = ledger

    async def get(self, request: Request) -> Response:
        """Answer with the job's state, or 404."""
        try:
            job_id = UUID(request.path_params["job_id"])
        except ValueError:
            return not_found()
        job = await with_timeout(self._ledger.job(job_id))
        if job is None:
            return not_found()
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
