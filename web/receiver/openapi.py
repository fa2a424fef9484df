"""GET /v1/openapi.json: the OpenAPI document of /v1, generated from the job types and the types of the answers."""

import inspect
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from shared.ledger.job import Job
from shared.ledger.job_scope import requestable_jobs
from web.receiver.body import MAX_BYTES
from web.receiver.job_arguments import IDEMPOTENCY_KEY, LONGEST_KEY
from web.receiver.job_requests import JobAccepted, JobDetails
from web.receiver.problem import Problem

Json = dict[str, Any]

_REF = "#/components/schemas/{name}"
_REFUSALS = {
    "400": "The body is not one JSON object, or the idempotency key is not valid.",
    "401": "The token is missing, malformed, unknown, expired or revoked.",
    "403": "The token may not request this job.",
    "408": "The body did not arrive in time.",
    "413": f"The body is larger than {MAX_BYTES} bytes.",
    "422": "An argument is wrong, missing or unknown, or the idempotency key belongs to another request.",
    "429": "Too many wrong tokens came from this address.",
    "503": "The queue is full, or the database is busy or away: send the same request again, with its idempotency key.",
}
_NOT_FOUND = "There is no such job in the scope of the token."
_KEY_PARAMETER: Json = {
    "name": IDEMPOTENCY_KEY,
    "in": "header",
    "required": False,
    "description": "The same key and the same request again within 7 days: the first answer, with `duplicate` true.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
}
_LOCATION: Json = {"Location": {"description": "The same as `status_url`.", "schema": {"type": "string"}}}


class OpenapiRoute:
    """The route that shows the document, which is encoded once."""

    def __init__(self, receiver_url: str) -> None:
        self._encoded = msgspec.json.encode(make_document(receiver_url))

    async def get(self, _: Request) -> Response:
        """Answer with the document."""
        return Response(self._encoded, media_type="application/json")


def make_document(receiver_url: str) -> Json:
    """Return the document; every job is a path of its own, with the schema of its arguments."""
    types = requestable_jobs()
    answers = (JobAccepted, JobDetails, Problem)
    _, schemas = msgspec.json.schema_components([*types, *answers], ref_template=_REF)
    for type_ in types:
        schemas[type_.__name__] |= {"additionalProperties": False}
    for schema in schemas.values():
        if "description" in schema:
            schema["description"] = inspect.cleandoc(schema["description"])
    paths: Json = {f"/v1/jobs/{type_.job_name()}": {"post": _request_operation(type_)} for type_ in types}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tickwork",
            "version": "1",
            "description": "Request jobs and follow them. `tickwork tokens add` makes the token.",
        },
        "servers": [{"url": receiver_url.rstrip("/") or "/"}],
        "security": [{"token": []}],
        "paths": paths | {"/v1/jobs/{job_id}": {"get": _follow_operation()}},
        "components": {
            "schemas": schemas,
            "parameters": {IDEMPOTENCY_KEY: _KEY_PARAMETER},
            "responses": {status: _problem(text) for status, text in _REFUSALS.items()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _request_operation(type_: type[Job]) -> Json:
    summary, _, more = (inspect.getdoc(type_) or "").partition("\n\n")
    may_trade = "It may open a position." if type_.is_entry else ""
    return {
        "tags": [type_.job_name().partition(".")[0]],
        "operationId": type_.job_name(),
        "summary": summary,
        "description": "\n\n".join(part for part in (more, may_trade) if part),
        "parameters": [{"$ref": f"#/components/parameters/{IDEMPOTENCY_KEY}"}],
        "requestBody": {"required": True, "content": _content(_ref(type_.__name__))},
        "responses": {
            "202": {
                "description": "The job is committed.",
                "headers": _LOCATION,
                "content": _content(_ref(JobAccepted.__name__)),
            }
        }
        | _refusals(*_REFUSALS),
    }


def _follow_operation() -> Json:
    return {
        "tags": ["jobs"],
        "operationId": "get_job",
        "summary": "Show a job with its result.",
        "parameters": [
            {"name": "job_id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
        ],
        "responses": {
            "200": {"description": "The job.", "content": _content(_ref(JobDetails.__name__))},
            "404": _problem(_NOT_FOUND),
        }
        | _refusals("401", "429", "503"),
    }


def _refusals(*statuses: str) -> Json:
    return {status: {"$ref": f"#/components/responses/{status}"} for status in statuses}


def _problem(text: str) -> Json:
    return {"description": text, "content": {"application/problem+json": {"schema": _ref(Problem.__name__)}}}


def _content(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _ref(name: str) -> Json:
    return {"$ref": _REF.format(name=name)}
