"""The OpenAPI document of the REST API, generated from the request bodies and the answer schemas."""

from collections.abc import Mapping
from typing import Any

import msgspec

from simulator import request_bodies
from simulator.schemas import SCHEMAS, EndpointSchema

Json = dict[str, Any]
PATH = "/swagger/v1/swagger.json"
_REF = "#/components/schemas/{name}"
_PROBLEM: Json = {
    "type": "object",
    "required": ["type", "title", "status", "errors"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "errors": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
    },
}
_INFO = {
    "title": "ProjectX Gateway API, simulated by Tickwork",
    "version": "v1",
    "description": "A failure of business has status 200 with success false and an error code of its endpoint's own. "
    "The realtime hubs at /hubs/user and /hubs/market speak SignalR and are not part of this document.",
}


def make_document(bodies: Mapping[str, type[request_bodies.RequestBody] | None]) -> Json:
    """Return the document; `bodies` are the POST paths, in order, with their request bodies (None: no body)."""
    types = [body for body in bodies.values() if body is not None]
    payloads = [type_ for path in bodies for type_ in SCHEMAS[path].payload.values()]
    schemas, components = msgspec.json.schema_components([*types, *payloads], ref_template=_REF)
    body_schemas = dict(zip(types, schemas, strict=False))
    payload_schemas = iter(schemas[len(types) :])
    paths: Json = {"/api/Status/ping": {"get": _ping()}}
    for path, body in bodies.items():
        payload = {name: next(payload_schemas) for name in SCHEMAS[path].payload}
        paths[path] = {"post": _operation(path, body_schemas[body] if body else None, _answer(SCHEMAS[path], payload))}
    document: Json = {
        "openapi": "3.1.0",
        "info": _INFO,
        "paths": paths,
        "components": {
            "schemas": components | {"ProblemDetails": _PROBLEM},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }
    return _mark_decimals_as_numbers(document)  # type: ignore[no-any-return]


def _ping() -> Json:
    answer = {"description": "It answers.", "content": _content({"type": "string", "const": "pong"})}
    return {"tags": ["Status"], "operationId": "Status_ping", "security": [], "responses": {"200": answer}}


def _operation(path: str, body: Json | None, answer: Json) -> Json:
    _, _, tag, *rest = path.split("/")
    responses: Json = {
        "200": {"description": "What was asked, or why not: see errorCode.", "content": _content(answer)},
        "429": {"description": "More requests than the user has in this window; no body."},
    }
    operation: Json = {"tags": [tag], "operationId": "_".join([tag, *rest]), "responses": responses}
    if body is not None:
        operation["requestBody"] = {"required": True, "content": _content(body)}
        responses["400"] = {
            "description": "The body does not bind.",
            "content": {"application/problem+json": {"schema": {"$ref": _REF.format(name="ProblemDetails")}}},
        }
    if path.startswith("/api/Auth/login"):
        return operation | {"security": []}
    responses["401"] = {"description": "The token is missing, wrong, or over; no body."}
    return operation | {"security": [{"bearer": []}]}


def _answer(schema: EndpointSchema, payload: Json) -> Json:
    names = schema.codes.split()
    code = {"type": "integer", "enum": list(range(len(names))), "x-enum-varnames": names}
    envelope = {"success": {"type": "boolean"}, "errorCode": code, "errorMessage": {"type": ["string", "null"]}}
    return {"type": "object", "required": ["success", "errorCode"], "properties": payload | envelope}


def _content(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _mark_decimals_as_numbers(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return the document with decimals as JSON numbers; msgspec describes them as strings."""
    match value:
        case {"type": "string", "format": "decimal"}:
            return {"type": "number", "format": "decimal"}
        case dict():
            return {name: _mark_decimals_as_numbers(part) for name, part in value.items()}
        case list():
            return [_mark_decimals_as_numbers(part) for part in value]
    return value
