"""The steps of every request: log, faults, token, limits, decoding of the body, and the answer."""

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
from simulator.json_binding import decode_body
from simulator.limits import Limits
from simulator.logins import Logins
from simulator.request_log import RequestLog
from simulator.response_faults import RESPONSE_FAULTS
from simulator.schemas import SCHEMAS
from simulator.turns import LongAnswer, Turns
from simulator.venue.user_view import UserView
from simulator.venue.venue import Venue

_JSON = "application/json; charset=utf-8"
_ANSWERS_KEPT = 1000  # of requests that the fault stale_search_open can answer with old rows
_FIELD_PATH = re.compile(r" - at `(\$[^`]*)`")
CutConnection = Callable[[HTTPConnection], None]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path of the venue that needs a token: its request body, and the function that answers it."""

    path: str
    body: type[request_bodies.RequestBody]
    answer: Callable[[UserView, Any], bytes | LongAnswer[bytes]]


FindAnswer = Callable[[Request, bytes], Response | LongAnswer[Response]]


class Pipeline:
    """Handles requests. Only a long answer awaits, after its first step, so each request sees a consistent state."""

    def __init__(self, venue: Venue, logins: Logins, limits: Limits, faults: Faults) -> None:
        self.request_log = RequestLog()
        self.faults = faults
        self.limits = limits
        self._venue = venue
        self._logins = logins
        self._turns = Turns()
        self._last_answers: dict[tuple[str, str, bytes], bytes] = {}
        self.cut: CutConnection = _cut_not_set  # set by the program: closes the connection of a request

    def make_endpoint_handler(self, endpoint: Endpoint) -> Callable[[Request], Any]:
        """Return the handler of an endpoint that needs a token."""

        def answer(request: Request, raw: bytes) -> Response | LongAnswer[Response]:
            user = self._logins.user_of(request.headers.get("authorization", ""))
            if user is None:
                return Response(status_code=401)
            if not self.limits.may_pass(user, endpoint.path):
                return Response(status_code=429)
            user_view = UserView(self._venue, user, self._logins.owner)
            try:
                content = endpoint.answer(user_view, decode_body(raw, endpoint.body))
            except (msgspec.DecodeError, OverflowError) as error:
                # OverflowError: an instant too close to the limits of datetime for calendar arithmetic.
                return problem_response(error)
            return Response(content, media_type=_JSON) if isinstance(content, bytes) else _make_long_response(content)

        return self.make_handler(answer)

    def make_handler(self, answer: FindAnswer) -> Callable[[Request], Any]:
        """Return a handler that logs the request and applies its faults to `answer`."""

        async def handle(request: Request) -> Response:
            raw = await request.body()
            self.request_log.record(request.url.path, raw)
            await self._venue.catch_up()
            fault = self.faults.draw(request.url.path)
            if fault is None:
                return self._remember_open_rows(request, raw, await self._finish(answer(request, raw)))
            return await self._answer_with_fault(fault, request, raw, answer)

        return handle

    def log_in(self, request: Request, raw: bytes) -> Response:
        """Answer Auth/loginKey; a wrong user or key is code 3, with status 200."""
        try:
            body = decode_body(raw, request_bodies.LoginKeyBody)
        except msgspec.DecodeError as error:
            return problem_response(error)
        if not self.limits.may_pass(body.user_name, request.url.path):
            return Response(status_code=429)
        if not self._logins.is_valid_login(body.user_name, body.api_key):
            return Response(wire.encode_envelope(3, token=None), media_type=_JSON)
        return Response(wire.encode_envelope(token=self._logins.issue(body.user_name)), media_type=_JSON)

    def log_in_by_app(self, request: Request, raw: bytes) -> Response:
        """Answer Auth/loginApp, the login of firms: no app exists here, so the answer is code 4, with status 200."""
        try:
            body = decode_body(raw, request_bodies.LoginAppBody)
        except msgspec.DecodeError as error:
            return problem_response(error)
        if not self.limits.may_pass(body.user_name, request.url.path):
            return Response(status_code=429)
        return Response(wire.encode_envelope(4, token=None), media_type=_JSON)

    def validate(self, request: Request, _: bytes) -> Response:
        """Answer Auth/validate with a new token for a valid one."""
        return self._answer_for_user(request, lambda user: wire.encode_envelope(newToken=self._logins.issue(user)))

    def log_out(self, request: Request, _: bytes) -> Response:
        """Answer Auth/logout: end this token; others stay valid."""

        def end(_: str) -> bytes:
            self._logins.log_out(request.headers["authorization"])
            return wire.encode_envelope()

        return self._answer_for_user(request, end)

    def _answer_for_user(self, request: Request, answer: Callable[[str], bytes]) -> Response:
        user = self._logins.user_of(request.headers.get("authorization", ""))
        if user is None:
            return Response(status_code=401)
        if not self.limits.may_pass(user, request.url.path):
            return Response(status_code=429)
        return Response(answer(user), media_type=_JSON)

    async def _finish(self, found: Response | LongAnswer[Response]) -> Response:
        return found if isinstance(found, Response) else await self._turns.finish(found)

    async def _answer_with_fault(self, fault: Fault, request: Request, raw: bytes, answer: FindAnswer) -> Response:
        if fault.kind in {"lose_before", "lose_answer_after"}:
            if fault.kind == "lose_answer_after":
                await self._finish(answer(request, raw))
            return await self._cut_connection(request)
        if fault.kind == "delay_before":
            await asyncio.sleep(fault.seconds)
        if fault.kind == "duplicate":
            await self._finish(answer(request, raw))
        if fault.kind == "end_token":
            self._logins.log_out(request.headers.get("authorization", ""))
        response = _fault_response(fault, request.url.path) or await self._finish(answer(request, raw))
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        return (
            self._apply_response_fault(fault.kind, request, raw, response)
            if fault.kind in RESPONSE_FAULTS
            else response
        )

    async def _cut_connection(self, request: Request) -> Response:
        self.cut(request)
        # Wait until the server has noticed the cut, so that it sends no answer.
        while (await request.receive())["type"] != "http.disconnect":
            pass
        return Response(status_code=500)

    def _apply_response_fault(self, kind: str, request: Request, raw: bytes, response: Response) -> Response:
        path, body = request.url.path, bytes(response.body)
        if response.status_code != HTTPStatus.OK or not (document := response_faults.decode_answer(body))["success"]:
            return response
        before = self._last_answers.get(self._request_key(request, raw))
        changed = RESPONSE_FAULTS[kind].apply(path, document, response_faults.decode_answer(before) if before else None)
        return Response(wire.encode(changed), media_type=_JSON)

    def _remember_open_rows(self, request: Request, raw: bytes, response: Response) -> Response:
        """Keep the last answer of the open orders and positions for the fault stale_search_open."""
        if request.url.path in response_faults.OPEN and response.status_code == HTTPStatus.OK:
            key = self._request_key(request, raw)
            self._last_answers.pop(key, None)
            self._last_answers[key] = bytes(response.body)
            if len(self._last_answers) > _ANSWERS_KEPT:
                del self._last_answers[next(iter(self._last_answers))]
        return response

    def _request_key(self, request: Request, raw: bytes) -> tuple[str, str, bytes]:
        user = self._logins.user_of(request.headers.get("authorization", ""))
        return user or "", request.url.path, raw


def _make_long_response(content: LongAnswer[bytes]) -> LongAnswer[Response]:
    try:
        return Response((yield from content), media_type=_JSON)
    except OverflowError as error:  # as in make_endpoint_handler
        return problem_response(error)


def _fault_response(fault: Fault, path: str) -> Response | None:
    """Return the answer of a fault that replaces the venue's, or None."""
    if fault.kind == "reject":
        nothing = dict.fromkeys(SCHEMAS[path].payload) if path in SCHEMAS else {}
        return Response(wire.encode_envelope(fault.error_code, fault.message, **nothing), media_type=_JSON)
    return Response(status_code=fault.status, headers=_retry_after_headers(fault)) if fault.kind == "status" else None


def _retry_after_headers(fault: Fault) -> dict[str, str]:
    if fault.retry_after is None:
        return {}
    at = machine_now() + timedelta(seconds=fault.retry_after)
    value = format_datetime(at, usegmt=True) if fault.retry_after_as == "date" else str(fault.retry_after)
    return {"Retry-After": value}


def problem_response(error: Exception) -> Response:
    """Return the 400 of the venue's framework for a body that does not bind: RFC 7807, not the envelope."""
    text = str(error)
    place = _FIELD_PATH.search(text)
    field = place[1] if place else "$"
    errors = {"request": ["The request field is required."], field: [_FIELD_PATH.sub("", text)]}
    body = {
        "type": "https://tools.ietf.org/html/rfc9110#section-15.5.1",
        "title": "One or more validation errors occurred.",
        "status": 400,
        "errors": errors,
    }
    return Response(wire.encode(body), status_code=400, media_type="application/problem+json")


def _cut_not_set(_: HTTPConnection) -> None:
    raise RuntimeError("cannot cut a connection: `pipeline.cut` is not set, run `python -m simulator`")
