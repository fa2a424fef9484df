"""One HTTP call to the venue and what its failure means: a read may be tried again, a mutation never."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, NoReturn

import msgspec
import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError

from shared.clock import machine_now, monotonic, until
from shared.errors import AmbiguousOutcomeError, RateLimitedError, RefusedError, TickworkError, VenueDownError
from shared.fleets import Queue
from shared.gateway.errors import NotSentError
from shared.gateway.ports import Budget, Call, CallLog, Limiter
from shared.gateway.rest.connections import KeptConnections

BARS = "/api/History/retrieveBars"
_CONNECT_TIMEOUT_S = 2.0
_SHORTEST_RETRY_AFTER = timedelta(seconds=1)
_LONGEST_RETRY_AFTER = timedelta(minutes=5)
_BODY = msgspec.json.Encoder(decimal_format="number")  # a price leaves exact to the tick, never as a float


class TokenRefusedError(TickworkError):
    """The venue answered 401: nothing was done, and the token is worth nothing."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of one path. `ends` bounds a mutation: its answer must be there by then, on the monotonic clock."""

    path: str
    body: Mapping[str, Any] | None = None
    queue: Queue = Queue.NORMAL
    token: str | None = None
    is_mutation: bool = False
    ends: float | None = None

    @property
    def budget(self) -> Budget:
        """The window in which the venue counts it."""
        return "bars" if self.path == BARS else "other"


class Transport:
    """A pool of connections to one venue. Safe to share between threads.

    Neither `secret` nor a token gets into what is returned, raised or recorded, even if the venue repeats them.
    """

    def __init__(self, url: str, limiter: Limiter, calls: CallLog, timeout: timedelta, *, secret: str = "") -> None:
        self._url = url
        self._limiter = limiter
        self._calls = calls
        self._timeout_s = timeout.total_seconds()
        self._secret = secret
        self._http = requests.Session()
        self._http.trust_env = False  # no proxy: order flow leaves from this computer
        self._http.mount(url, KeptConnections())

    def post(self, request: Request) -> dict[str, Any]:
        """Return the answer's JSON object, whatever it says of success.

        Raise TokenRefusedError (401), RateLimitedError when our budget is spent or, for a read, on a 429; NotSentError
        when no connection came about; and when no clear answer came back: AmbiguousOutcomeError for a mutation (a 429
        too: it was sent), VenueDownError for a read.
        """
        with self._limiter.counted(request.budget, request.queue), self._recorded("POST", request) as call:
            answer = self._send(request)
            call.status = answer.status_code
            document = self._judged(request, answer)
            if document.get("success") is not True:
                call.error = complaint(document)
            return document

    def ping(self, path: str, queue: Queue) -> timedelta:
        """Return how long the venue took to answer a GET that needs no login; raise VenueDownError if it does not."""
        request, began = Request(path, queue=queue), monotonic()
        with self._limiter.counted(request.budget, queue), self._recorded("GET", request) as call:
            answer = self._http.get(f"{self._url}{path}", timeout=self._timeouts(request), allow_redirects=False)
            call.status = answer.status_code
            if answer.status_code not in {
                HTTPStatus.OK,
                HTTPStatus.UNAUTHORIZED,
            }:  # whether it needs a login is unknown
                raise VenueDownError(f"{path}: the venue answered {answer.status_code}")
            return timedelta(seconds=monotonic() - began)

    def close(self) -> None:
        """Close the pooled connections."""
        self._http.close()

    @contextmanager
    def _recorded(self, method: str, request: Request) -> "Iterator[_Told]":
        told = _Told(machine_now(), monotonic())
        try:
            yield told
        except requests.RequestException as failure:
            problem = _failure(request, failure)
            told.error = f"{type(problem).__name__}: {type(failure).__name__}"
            raise problem from None  # the cause may quote headers
        except TickworkError as problem:
            told.error = str(problem)
            raise
        finally:
            duration = timedelta(seconds=monotonic() - told.began)
            self._calls.record(
                Call(request.path, method, told.started_at, duration, told.status, told.error, request.queue)
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
            timeout=self._timeouts(request),
            allow_redirects=False,
        )

    def _timeouts(self, request: Request) -> tuple[float, float]:
        """Return the most seconds to connect and to wait for the answer, together what is left until its end."""
        left_s = self._timeout_s if request.ends is None else request.ends - monotonic()
        if left_s < self._timeout_s / 2:
            raise NotSentError(f"{request.path}: too late to send it, getting ready took too long")
        connect_s = min(_CONNECT_TIMEOUT_S, left_s / 2)
        return connect_s, left_s - connect_s

    def _judged(self, request: Request, answer: requests.Response) -> dict[str, Any]:
        path, status, content = request.path, answer.status_code, answer.content
        for secret in (self._secret, request.token or ""):
            if secret and not (secret == request.token and path.startswith("/api/Auth/")):  # it may be confirmed there
                content = content.replace(secret.encode(), b"***")
        if status == HTTPStatus.UNAUTHORIZED:
            raise TokenRefusedError(f"{path}: 401")
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            self._too_many(request, answer)
        if status == HTTPStatus.OK and isinstance(document := _document(content), dict):
            return document
        is_clear = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        if is_clear and status != HTTPStatus.REQUEST_TIMEOUT:
            raise RefusedError(f"{path}: the venue answered {status}: {content[:300].decode(errors='replace')!r}")
        if request.is_mutation:
            raise AmbiguousOutcomeError(f"{path}: sent, and the venue answered {status} without saying what it did")
        raise VenueDownError(f"{path}: the venue answered {status}")

    def _too_many(self, request: Request, answer: requests.Response) -> NoReturn:
        wait = self._limiter.refused(request.budget, _retry_after(answer))
        if request.is_mutation:
            raise AmbiguousOutcomeError(f"{request.path}: sent, and the venue answered 429, too many requests")
        raise RateLimitedError(f"{request.path}: the venue answered 429, too many requests", wait)


@dataclass(slots=True)
class _Told:
    """What becomes known of a call while it is made."""

    started_at: datetime
    began: float
    status: int | None = None
    error: str | None = None


def complaint(answer: Mapping[str, Any]) -> str:
    """Return what an answer without success says of itself, in the venue's words."""
    return f"the venue says error {answer.get('errorCode')}: {answer.get('errorMessage') or 'no message'}"


def _document(content: bytes) -> object:
    try:
        return json.loads(content, parse_float=Decimal, parse_constant=_no_number)
    except ValueError:
        return None


def _no_number(token: str) -> NoReturn:
    raise ValueError(f"{token} is no number in JSON")


def _failure(request: Request, failure: requests.RequestException) -> TickworkError:
    if _never_connected(failure):
        return NotSentError(f"{request.path}: no connection to the venue")
    if request.is_mutation:
        return AmbiguousOutcomeError(f"{request.path}: sent, and no answer came ({type(failure).__name__})")
    return VenueDownError(f"{request.path}: no answer from the venue ({type(failure).__name__})")


def _never_connected(failure: requests.RequestException) -> bool:
    """Whether it failed before the first byte left: refused, timed out while connecting, or a name without address."""
    cause = failure.args[0] if failure.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else None
    return isinstance(failure, requests.ConnectTimeout) or isinstance(reason, NewConnectionError)


def _retry_after(answer: requests.Response) -> timedelta | None:
    said = answer.headers.get("Retry-After", "")
    try:
        wait = timedelta(seconds=int(said)) if said.isdigit() else until(parsedate_to_datetime(said))
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, _SHORTEST_RETRY_AFTER), _LONGEST_RETRY_AFTER)
