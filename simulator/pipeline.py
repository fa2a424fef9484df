"""What every request passes: the count, armed faults, the token, the limits, the body's form; then its answer."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from shared.clock import machine_now
from simulator import request_bodies, response_faults, wire
from simulator.faults import Fault, Faults
from simulator.limits import Limits
from simulator.logins import Logins
from simulator.request_log import RequestLog
from simulator.response_faults import RESPONSE_FAULTS
from simulator.schemas import SCHEMAS
from simulator.venue.user_view import UserView
from simulator.venue.venue import Venue

_JSON = "application/json; charset=utf-8"
_ANSWERS_KEPT = 1000  # of questions that can be answered as they were before
_PLACE_IN_BODY = re.compile(r" - at `(\$[^`]*)`")
Cut = Callable[[HTTPConnection], None]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path of the venue that needs a token: the body it takes, and what answers it."""

    path: str
    body: type[request_bodies.RequestBody]
    answer: Callable[[UserView, Any], bytes]


class Pipeline:
    """Lets requests in. An answer is made without awaiting anything, so each sees and leaves a whole state."""

    def __init__(self, venue: Venue, logins: Logins, limits: Limits, faults: Faults) -> None:
        self.request_log = RequestLog()
        self.faults = faults
        self.limits = limits
        self._venue = venue
        self._logins = logins
        self._before: dict[tuple[str, str, bytes], bytes] = {}
        self.cut: Cut = _cannot_cut  # the program puts in what closes a connection

    def serving(self, endpoint: Endpoint) -> Callable[[Request], Any]:
        """Return the handler of an endpoint that needs a token."""

        def answer(request: Request, raw: bytes) -> Response:
            user = self._logins.user_of(request.headers.get("authorization", ""))
            if user is None:
                return Response(status_code=401)
            if not self.limits.may_pass(user, endpoint.path):
                return Response(status_code=429)
            user_view = UserView(self._venue, user, self._logins.owner)
            try:
                said = endpoint.answer(user_view, msgspec.json.decode(raw, type=endpoint.body))
            except (msgspec.DecodeError, UnicodeDecodeError, OverflowError) as error:
                # Overflow: an instant at the edge of time, which no calendar can add a minute to.
                return problem(error)
            return Response(said, media_type=_JSON)

        return self.passing(answer)

    def passing(self, answer: Callable[[Request, bytes], Response]) -> Callable[[Request], Any]:
        """Return a handler that counts the request and suffers its faults around `answer`."""

        async def handle(request: Request) -> Response:
            raw = await request.body()
            self.request_log.record(request.url.path, raw)
            fault = self.faults.meet(request.url.path)
            if fault is None:
                return self._noted(request, raw, answer(request, raw))
            return await self._suffer(fault, request, raw, answer)

        return handle

    def log_in(self, request: Request, raw: bytes) -> Response:
        """Answer Auth/loginKey; a wrong user or key is code 3, with status 200."""
        try:
            body = msgspec.json.decode(raw, type=request_bodies.LoginKeyBody)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return problem(error)
        if not self.limits.may_pass(body.user_name, request.url.path):
            return Response(status_code=429)
        if not self._logins.may_login(body.user_name, body.api_key):
            return Response(wire.envelope(3, token=None), media_type=_JSON)
        return Response(wire.envelope(token=self._logins.issue(body.user_name)), media_type=_JSON)

    def log_in_by_app(self, request: Request, raw: bytes) -> Response:
        """Answer Auth/loginApp, the flow of firms: there is no app here, so it is code 4, with status 200."""
        try:
            body = msgspec.json.decode(raw, type=request_bodies.LoginAppBody)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return problem(error)
        if not self.limits.may_pass(body.user_name, request.url.path):
            return Response(status_code=429)
        return Response(wire.envelope(4, token=None), media_type=_JSON)

    def validate(self, request: Request, _: bytes) -> Response:
        """Answer Auth/validate with a fresh token for a good one."""
        return self._with_token(request, lambda user: wire.envelope(newToken=self._logins.issue(user)))

    def log_out(self, request: Request, _: bytes) -> Response:
        """Answer Auth/logout: this token is over, others stay."""

        def end(_: str) -> bytes:
            self._logins.log_out(request.headers["authorization"])
            return wire.envelope()

        return self._with_token(request, end)

    def _with_token(self, request: Request, answer: Callable[[str], bytes]) -> Response:
        user = self._logins.user_of(request.headers.get("authorization", ""))
        if user is None:
            return Response(status_code=401)
        if not self.limits.may_pass(user, request.url.path):
            return Response(status_code=429)
        return Response(answer(user), media_type=_JSON)

    async def _suffer(
        self, fault: Fault, request: Request, raw: bytes, answer: Callable[[Request, bytes], Response]
    ) -> Response:
        if fault.kind in {"lose_before", "lose_answer_after"}:
            if fault.kind == "lose_answer_after":
                answer(request, raw)
            return await self._cut_off(request)
        if fault.kind == "delay_before":
            await asyncio.sleep(fault.seconds)
        if fault.kind == "duplicate":
            answer(request, raw)
        if fault.kind == "end_token":
            self._logins.log_out(request.headers.get("authorization", ""))
        response = _refusal(fault, request.url.path) or answer(request, raw)
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        return (
            self._with_response_faults(fault.kind, request, raw, response)
            if fault.kind in RESPONSE_FAULTS
            else response
        )

    async def _cut_off(self, request: Request) -> Response:
        self.cut(request)
        # The connection is gone; wait until the server has noticed, then nothing is left to send.
        while (await request.receive())["type"] != "http.disconnect":
            pass
        return Response(status_code=500)

    def _with_response_faults(self, kind: str, request: Request, raw: bytes, response: Response) -> Response:
        path, said = request.url.path, bytes(response.body)
        if response.status_code != HTTPStatus.OK or not (document := response_faults.document_of(said))["success"]:
            return response
        before = self._before.get(self._question(request, raw))
        spoiled = RESPONSE_FAULTS[kind].spoiled(path, document, response_faults.document_of(before) if before else None)
        return Response(wire.encoded(spoiled), media_type=_JSON)

    def _noted(self, request: Request, raw: bytes, response: Response) -> Response:
        """Keep an answer that may come again when it is no longer true."""
        if request.url.path in response_faults.OPEN and response.status_code == HTTPStatus.OK:
            question = self._question(request, raw)
            self._before.pop(question, None)
            self._before[question] = bytes(response.body)
            if len(self._before) > _ANSWERS_KEPT:
                del self._before[next(iter(self._before))]
        return response

    def _question(self, request: Request, raw: bytes) -> tuple[str, str, bytes]:
        user = self._logins.user_of(request.headers.get("authorization", ""))
        return user or "", request.url.path, raw


def _refusal(fault: Fault, path: str) -> Response | None:
    """Return what a fault answers instead of the venue, if it does."""
    if fault.kind == "reject":
        nothing = dict.fromkeys(SCHEMAS[path].payload) if path in SCHEMAS else {}
        return Response(wire.envelope(fault.error_code, fault.message, **nothing), media_type=_JSON)
    return Response(status_code=fault.status, headers=_retry_after(fault)) if fault.kind == "status" else None


def _retry_after(fault: Fault) -> dict[str, str]:
    if fault.retry_after is None:
        return {}
    at = machine_now() + timedelta(seconds=fault.retry_after)
    said = format_datetime(at, usegmt=True) if fault.retry_after_as == "date" else str(fault.retry_after)
    return {"Retry-After": said}


def problem(error: Exception) -> Response:
    """Return what the venue's framework answers to a body that does not bind: RFC 7807, not the envelope."""
    text = str(error)
    place = _PLACE_IN_BODY.search(text)
    field = place[1] if place else "$"
    errors = {"request": ["The request field is required."], field: [_PLACE_IN_BODY.sub("", text)]}
    body = {
        "type": "https://tools.ietf.org/html/rfc9110#section-15.5.1",
        "title": "One or more validation errors occurred.",
        "status": 400,
        "errors": errors,
    }
    return Response(wire.encoded(body), status_code=400, media_type="application/problem+json")


def _cannot_cut(_: HTTPConnection) -> None:
    raise RuntimeError("this server cannot close a connection: faults that lose answers need the simulator's program")
