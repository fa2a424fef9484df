"""One HTTP call to the venue, and the meaning of its failure: a read may be retried, a mutation never."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, NoReturn

import msgspec
import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError

from shared.clock import machine_now, monotonic, time_until
from shared.errors import AmbiguousOutcomeError, RateLimitedError, RefusedError, TickworkError, VenueDownError
from shared.fleets import Queue
from shared.gateway import json_text
from shared.gateway.errors import NotSentError
from shared.gateway.ports import Budget, Call, CallLog, Limiter
from shared.gateway.rest.connections import KeepAliveAdapter

BARS = "/api/History/retrieveBars"
_CONNECT_TIMEOUT_S = 2.0
_SHORTEST_RETRY_AFTER = timedelta(seconds=1)
_LONGEST_RETRY_AFTER = timedelta(minutes=5)
_CRITICAL_RETRY_AFTER = timedelta(seconds=2)  # exits keep a reserve while a 429 closes the window
_BODY = msgspec.json.Encoder(decimal_format="number")  # a price is sent exactly, never as a float


class TokenRefusedError(TickworkError):
    """The venue answered 401: nothing was done, and the token is no longer valid."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request to one path. `ends` is the deadline of a mutation's answer, on the monotonic clock.

    `is_exit` marks one that an exit needs: a login, a close, a cancel, or an order that is no entry.
    """

    path: str
    body: Mapping[str, Any] | None = None
    queue: Queue = Queue.NORMAL
    token: str | None = None
    is_mutation: bool = False
    is_exit: bool = False
    ends: float | None = None

    @property
    def budget(self) -> Budget:
        """The budget in which the venue counts the request."""
        return "bars" if self.path == BARS else "other"


class Transport:
    """A pool of connections to one venue. Safe to share between threads.

    No result, error or record contains `secret` or a token, even if the venue repeats them.
    """

    def __init__(self, url: str, limiter: Limiter, calls: CallLog, timeout: timedelta, *, secret: str = "") -> None:
        self._url = url
        self._limiter = limiter
        self._calls = calls
        self._timeout_s = timeout.total_seconds()
        self._secret = secret
        self._http = requests.Session()
        self._http.trust_env = False  # no proxy: order flow leaves from this computer
        self._http.mount(url, KeepAliveAdapter())

    def post(self, request: Request) -> dict[str, Any]:
        """Return the answer's JSON object, whether it reports success or not.

        Raise TokenRefusedError on a 401, RateLimitedError when our budget is spent or, for a read, on a 429,
        NotSentError when no connection was made, RefusedError on another 4xx. Without a clear answer raise
        AmbiguousOutcomeError for a mutation (on a 429 too: it was sent) and VenueDownError for a read.
        """
        counted = self._limiter.count_request(request.budget, request.queue, is_exit=request.is_exit)
        with counted, self._record_call("POST", request) as call:
            answer = self._send(request)
            call.status = answer.status_code
            document = self._parse_answer(request, answer)
            if document.get("success") is not True:
                call.error = describe_error(document)
            return document

    def ping(self, path: str, queue: Queue) -> timedelta:
        """Return how long the venue took to answer a GET without a login; raise VenueDownError if it did not."""
        request, began = Request(path, queue=queue), monotonic()
        with self._limiter.count_request(request.budget, queue), self._record_call("GET", request) as call:
            answer = self._http.get(f"{self._url}{path}", timeout=self._get_timeouts(request), allow_redirects=False)
            call.status = answer.status_code
            # 401 is an answer too: it is unknown whether the path needs a login.
            if answer.status_code not in {HTTPStatus.OK, HTTPStatus.UNAUTHORIZED}:
                raise VenueDownError(f"{path}: the venue answered {answer.status_code}")
            return timedelta(seconds=monotonic() - began)

    def close(self) -> None:
        """Close the pooled connections."""
        self._http.close()

    @contextmanager
    def _record_call(self, method: str, request: Request) -> "Iterator[_CallOutcome]":
        outcome = _CallOutcome(machine_now(), monotonic())
        try:
            yield outcome
        except requests.RequestException as failure:
            problem = _to_error(request, failure)
            outcome.error = f"{type(problem).__name__}: {type(failure).__name__}"
            raise problem from None  # the cause may quote headers
        except TickworkError as problem:
            outcome.error = str(problem)
            raise
        finally:
            duration = timedelta(seconds=monotonic() - outcome.began)
            self._calls.record(
                Call(request.path, method, outcome.started_at, duration, outcome.status, outcome.error, request.queue)
            )

    def _send(self, request: Request) -> requests.Response:
        headers = {"Accept": "application/json"}
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        if request.token is not None:
            headers["Authorization"] = f"Bearer {request.token}"
        return self._http.post(
            f"{self._url}{request.path}",
            data=None if request.body is None else _BODY.encode(request.body),
            headers=headers,
            timeout=self._get_timeouts(request),
            allow_redirects=False,
        )

    def _get_timeouts(self, request: Request) -> tuple[float, float]:
        """Return the seconds allowed for connecting and for the answer; together they end at the deadline."""
        left_s = self._timeout_s if request.ends is None else request.ends - monotonic()
        if left_s < self._timeout_s / 2:
            raise NotSentError(
                f"{request.path}: not sent: preparing it took too long, too little time is left for an answer"
            )
        connect_s = min(_CONNECT_TIMEOUT_S, left_s / 2)
        return connect_s, left_s - connect_s

    def _parse_answer(self, request: Request, answer: requests.Response) -> dict[str, Any]:
        path, status, content = request.path, answer.status_code, answer.content
        for secret in (self._secret, request.token or ""):
            if secret and not (secret == request.token and path.startswith("/api/Auth/")):  # its answer may return it
                content = content.replace(secret.encode(), b"***")
        if status == HTTPStatus.UNAUTHORIZED:
            raise TokenRefusedError(f"{path}: 401")
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            self._raise_too_many_requests(request, answer)
        if status == HTTPStatus.OK and isinstance(document := _parse_json(content), dict):
            return document
        is_clear = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        if is_clear and status != HTTPStatus.REQUEST_TIMEOUT:
            raise RefusedError(f"{path}: the venue answered {status}: {content[:300].decode(errors='replace')!r}")
        if request.is_mutation:
            raise AmbiguousOutcomeError(f"{path}: sent, but the answer {status} leaves the outcome in doubt")
        raise VenueDownError(f"{path}: the venue answered {status}")

    def _raise_too_many_requests(self, request: Request, answer: requests.Response) -> NoReturn:
        wait = self._limiter.record_refusal(request.budget, _parse_retry_after(answer))
        if request.queue is Queue.CRITICAL:
            wait = min(wait, _CRITICAL_RETRY_AFTER)
        if request.is_mutation:
            raise AmbiguousOutcomeError(f"{request.path}: sent, and the venue answered 429, too many requests")
        raise RateLimitedError(f"{request.path}: the venue answered 429, too many requests", wait)


@dataclass(slots=True)
class _CallOutcome:
    """The facts about a call, collected while it runs."""

    started_at: datetime
    began: float
    status: int | None = None
    error: str | None = None


def describe_error(answer: Mapping[str, Any]) -> str:
    """Return the error code and message of an answer without success, as text."""
    return f"the venue reports error {answer.get('errorCode')}: {answer.get('errorMessage') or 'no message'}"


def _parse_json(content: bytes) -> object:
    try:
        return json_text.parse(content)
    except ValueError:
        return None


def _to_error(request: Request, failure: requests.RequestException) -> TickworkError:
    if _has_never_connected(failure):
        return NotSentError(f"{request.path}: no connection to the venue")
    if request.is_mutation:
        return AmbiguousOutcomeError(f"{request.path}: sent, but no answer came ({type(failure).__name__})")
    return VenueDownError(f"{request.path}: no answer from the venue ({type(failure).__name__})")


def _has_never_connected(failure: requests.RequestException) -> bool:
    """Whether the call failed before its first byte was sent: refused, connect timeout, or an unknown host name."""
    cause = failure.args[0] if failure.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else None
    return isinstance(failure, requests.ConnectTimeout) or isinstance(reason, NewConnectionError)


def _parse_retry_after(answer: requests.Response) -> timedelta | None:
    text = answer.headers.get("Retry-After", "")
    try:
        wait = timedelta(seconds=int(text)) if text.isdigit() else time_until(parsedate_to_datetime(text))
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, _SHORTEST_RETRY_AFTER), _LONGEST_RETRY_AFTER)
