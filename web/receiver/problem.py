"""What went wrong, as application/problem+json (RFC 9457), with the field and the hint."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.responses import Response


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of every answer that is no success; `field` and `hint` are ours, beside the standard's members."""

    title: str
    status: int
    detail: str
    field: str | None = None
    hint: str | None = None
    type: str = msgspec.field(default_factory=lambda: "about:blank")  # a factory, or the default is left out


def problem(
    status: HTTPStatus,
    detail: str,
    *,
    field: str | None = None,
    hint: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the answer that says what was wrong and what to do."""
    content = Problem(title=status.phrase, status=status.value, detail=detail, field=field, hint=hint)
    return Response(msgspec.json.encode(content), status, headers, media_type="application/problem+json")


def nothing_here() -> Response:
    """Return the one 404 there is: for an unknown path, a wrong token, a revoked hook and an unknown job alike."""
    return problem(HTTPStatus.NOT_FOUND, "there is nothing at this URL", hint="check the URL, to the last character")
