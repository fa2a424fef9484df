"""Error answers as application/problem+json (RFC 9457), with a field and a hint."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.responses import Response

from shared.errors import RefusedError

RETRY_AFTER_S = 5  # of a 503


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of every error answer; `field` and `hint` are extension members, beside those of the standard."""

    title: str
    status: int
    detail: str
    field: str | None = None
    hint: str | None = None
    type: str = msgspec.field(
        default_factory=lambda: "about:blank"
    )  # a factory, because omit_defaults leaves out a plain default


class RefusedRequestError(RefusedError):
    """A request was refused: `wrong` names the fault and the value, `hint` what to send instead."""

    def __init__(
        self,
        status: HTTPStatus,
        wrong: str,
        *,
        hint: str,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{wrong}: {hint}")
        self.status = status
        self.wrong = wrong
        self.hint = hint
        self.field = field
        self.headers = headers

    def to_response(self) -> Response:
        """Return the answer for this refusal."""
        return problem(self.status, self.wrong, field=self.field, hint=self.hint, headers=self.headers)


def too_many_requests(what: str, retry_after_s: int) -> RefusedRequestError:
    """Return the refusal of what comes too often; the sender must connect again, so that it holds no connection."""
    return RefusedRequestError(
        HTTPStatus.TOO_MANY_REQUESTS,
        f"too many {what}",
        hint=f"send again in {retry_after_s} s",
        headers={"Retry-After": str(retry_after_s), "Connection": "close"},
    )


def problem(
    status: HTTPStatus,
    detail: str,
    *,
    field: str | None = None,
    hint: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the answer for an error, with its detail and a hint."""
    content = Problem(title=status.phrase, status=status.value, detail=detail, field=field, hint=hint)
    return Response(msgspec.json.encode(content), status, headers, media_type="application/problem+json")


def not_found() -> Response:
    """Return the only 404: the same for an unknown path, a wrong token, a removed hook and an unknown job."""
    return problem(HTTPStatus.NOT_FOUND, "there is nothing at this URL", hint="check the URL, to the last character")
