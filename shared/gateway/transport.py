"""One HTTP call to the venue and what its failure means: a read may be tried again, a mutation never."""

import json
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import MaxRetryError, NewConnectionError

from shared.clock import machine_now, monotonic, until
from shared.errors import AmbiguousOutcomeError, RateLimitedError, RefusedError, TradingError, VenueDownError
from shared.gateway.errors import NotSentError
from shared.gateway.ports import Call, CallLog

_CONNECT_TIMEOUT_S = 2.0
_RETRY_AFTER = timedelta(seconds=1)
_LONGEST_RETRY_AFTER = timedelta(minutes=5)
_POOL = 4


class TokenRefusedError(TradingError):
    """The venue answered 401: nothing was done, and the token is worth nothing."""


class Transport:
    """A pool of connections to one venue. Safe to share between threads."""

    def __init__(self, url: str, calls: CallLog, timeout: timedelta) -> None:
        self._url = url
        self._calls = calls
        connect_s = min(_CONNECT_TIMEOUT_S, timeout.total_seconds() / 2)
        self._timeout = (connect_s, timeout.total_seconds() - connect_s)
        self._http = requests.Session()
        self._http.trust_env = False  # no proxy: order flow leaves from this computer
        self._http.mount(url, HTTPAdapter(pool_connections=1, pool_maxsize=_POOL, max_retries=0))

    def post(
        self, path: str, body: Mapping[str, Any], *, token: str | None = None, is_mutation: bool = False
    ) -> dict[str, Any]:
        """Return the answer's JSON object, whatever it says of success.

        Raise TokenRefusedError (401), RateLimitedError (429), NotSentError when no connection came about, and when no
        clear answer came back: AmbiguousOutcomeError for a mutation, VenueDownError for a read.
        """
        started_at, started = machine_now(), monotonic()
        status: int | None = None
        error: str | None = None
        try:
            answer = self._send(path, body, token)
            status = answer.status_code
            document = _judged(path, answer, is_mutation=is_mutation)
            if document.get("success") is not True:
                error = complaint(document)
            return document  # noqa: TRY300 - the error is for the log of calls, the caller knows the endpoint's codes
        except requests.RequestException as failure:
            problem = _failure(path, failure, is_mutation=is_mutation)
            error = f"{type(problem).__name__}: {type(failure).__name__}"
            raise problem from None  # the cause may quote headers
        except TradingError as problem:
            error = str(problem)
            raise
        finally:
            duration = timedelta(seconds=monotonic() - started)
            self._calls.record(Call(path, "POST", started_at, duration, status, error))

    def close(self) -> None:
        """Close the pooled connections."""
        self._http.close()

    def _send(self, path: str, body: Mapping[str, Any], token: str | None) -> requests.Response:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return self._http.post(
            f"{self._url}{path}",
            data=json.dumps(body),
            headers=headers,
            timeout=self._timeout,
            allow_redirects=False,
        )


def _failure(path: str, failure: requests.RequestException, *, is_mutation: bool) -> TradingError:
    if _never_connected(failure):
        return NotSentError(f"{path}: no connection to the venue")
    if is_mutation:
        return AmbiguousOutcomeError(f"{path}: sent, and no answer came ({type(failure).__name__})")
    return VenueDownError(f"{path}: no answer from the venue ({type(failure).__name__})")


def _never_connected(failure: requests.RequestException) -> bool:
    """Whether it failed before the first byte left: refused, timed out while connecting, or a name without address."""
    cause = failure.args[0] if failure.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else None
    return isinstance(failure, requests.ConnectTimeout) or isinstance(reason, NewConnectionError)


def complaint(answer: Mapping[str, Any]) -> str:
    """Return what an answer without success says of itself, in the venue's words."""
    return f"the venue says error {answer.get('errorCode')}: {answer.get('errorMessage') or 'no message'}"


def _judged(path: str, answer: requests.Response, *, is_mutation: bool) -> dict[str, Any]:
    status = answer.status_code
    if status == HTTPStatus.UNAUTHORIZED:
        raise TokenRefusedError(f"{path}: 401")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise RateLimitedError(f"{path}: the venue answered 429, too many requests", _retry_after(answer))
    if status == HTTPStatus.OK:
        try:
            document = json.loads(answer.content, parse_float=Decimal)
        except ValueError:
            document = None
        if isinstance(document, dict):
            return document
    is_clear = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    if is_clear and status != HTTPStatus.REQUEST_TIMEOUT:
        raise RefusedError(f"{path}: the venue answered {status}: {answer.text[:300]!r}")
    if is_mutation:
        raise AmbiguousOutcomeError(f"{path}: sent, and the venue answered {status} without saying what it did")
    raise VenueDownError(f"{path}: the venue answered {status}")


def _retry_after(answer: requests.Response) -> timedelta:
    said = answer.headers.get("Retry-After", "")
    try:
        wait = timedelta(seconds=int(said)) if said.isdigit() else until(parsedate_to_datetime(said))
    except (ValueError, TypeError, OverflowError):
        return _RETRY_AFTER
    return min(max(wait, _RETRY_AFTER), _LONGEST_RETRY_AFTER)
