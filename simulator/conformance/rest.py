"""The REST client: it sends one request, keeps what came back, and decodes numbers without floats."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import msgspec
import requests

from shared.clock import monotonic
from shared.errors import RateLimitedError, RefusedError, VenueDownError
from simulator.client_json import read_json
from simulator.conformance.budget import RequestBudget
from simulator.conformance.redaction import Redactor, SampleBook

LOGIN = "/api/Auth/loginKey"
_TIMEOUT_S, _SHORTEST_TIMEOUT_S = 30.0, 0.5
_SHARE_OF_TIME = 4  # one of so many parts of the time that is left, for a request that may hang and be repeated
_UNCLEAR_CODES = {6, 7}  # of Order/place and Position/closeContract: OrderPending and UnknownError
_UNREPEATED = ("/api/Order/place", "/api/Position/closeContract", "/api/Position/partialCloseContract")
_LIMIT_WINDOW = timedelta(seconds=60)
_IDLE_S = 3.0  # an idle connection may be closed by the server just as we send
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def decode_json(raw: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Decode JSON with exact decimals; raise msgspec.DecodeError for anything else, also for endless nesting."""
    return read_json(raw, _DECODER)


def is_outage(status: int) -> bool:
    """Whether an HTTP status says that the server cannot serve now, which answers no question: 408, 429 or 5xx."""
    is_server_error = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return is_server_error or status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}


@dataclass(frozen=True, slots=True)
class GatewayReply:
    """An answer of the gateway; `document` is its JSON, None without any."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    document: Any

    @property
    def is_success(self) -> bool:
        """Whether it is an envelope that reports success."""
        return self.status == HTTPStatus.OK and isinstance(self.document, dict) and self.document.get("success") is True

    @property
    def content_type(self) -> str:
        """The media type, without its parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip()

    def describe(self) -> str:
        """Return the answer in a few words: `200 success`, `400 problem details`, `401 without a body`."""
        if not self.content:
            return f"{self.status} without a body"
        if not isinstance(self.document, dict):
            return f"{self.status} {self.content_type or 'with a body of no type'}"
        if "success" in self.document:
            code, message = self.document.get("errorCode"), self.document.get("errorMessage")
            words = "success" if self.is_success else f"code {code}"
            return f"{self.status} {words}" + (f" {message!r}" if message else "")
        return f"{self.status} {'problem details' if 'errors' in self.document else 'JSON without an envelope'}"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One request to send."""

    method: str
    url: str
    path: str
    content_type: str
    authorization: str | None
    content: bytes | None
    count_sent: Callable[[int], None]


def _count_nothing(_: int) -> None:
    pass


class GatewayRest:
    """Sends requests within the budget; it follows no redirect.

    It repeats a request only after a 429, once; what could act twice (a new order, a close) never. After a 401 to our
    own token, whose session has ended, it logs in and repeats any request once: a 401 was not performed.
    """

    def __init__(self, url: str, user: str, key: str, samples: SampleBook, redactor: Redactor) -> None:
        self.url = url
        self.token = ""
        self.request_count = 0
        self.outage_count = 0  # the requests that got no answer, or one that says that the gateway cannot serve
        self._user, self._key = user, key
        self._samples, self._redactor = samples, redactor
        self.budget = RequestBudget()
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, and no .netrc in the place of our token
        self._used_at = monotonic()

    def log_in(self) -> GatewayReply:
        """Log in once more, and return the answer; raise RefusedError if the gateway refuses the user or key."""
        reply = self.send(LOGIN, {"userName": self._user, "apiKey": self._key}, authorization="")
        if not reply.is_success or not reply.document.get("token"):
            raise RefusedError(f"the login was refused ({reply.describe()}): check the user name and the key")
        self._redactor.hide(reply.document["token"], "token")
        return reply

    def renew_token(self) -> None:
        """Log in, as the session of our token has ended; raise VenueDownError if the gateway refuses it."""
        try:
            self.token = self.log_in().document["token"]
        except RefusedError as error:
            raise VenueDownError(f"the session has ended, and {error}") from None

    def post(self, path: str, **body: object) -> dict[str, Any]:
        """Post and return the JSON of a success; raise RefusedError for any other answer, and as `send` does."""
        reply = self.send(path, body)
        if not reply.is_success:
            raise RefusedError(f"{path} answered {reply.describe()}, expected a success")
        found: dict[str, Any] = reply.document
        return found

    def rows(self, path: str, name: str, **body: object) -> list[dict[str, Any]]:
        """Post and return the list `name` of a success; raise RefusedError if it is not a list."""
        found = self.post(path, **body).get(name)
        if not isinstance(found, list):
            raise RefusedError(f"{path} answered {name} {'null' if found is None else 'without a list'}")
        return found

    def send(
        self,
        path: str,
        body: object = None,
        *,
        authorization: str | None = None,
        method: str = "POST",
        raw: bytes | None = None,
        content_type: str = "application/json",
        is_counted: bool = True,
        url: str = "",
        count_sent: Callable[[int], None] = _count_nothing,
    ) -> GatewayReply:
        """Send one request; `authorization` replaces our own header ("": none), `raw` the JSON of `body`.

        A 429, because another program spends the same limit, is waited out once. Raise RateLimitedError for another
        429, and VenueDownError for another outage, if no answer comes, or if a new token gets a 401 too. Other answers
        to an order or a close are returned (see `is_refusal`), and so is any with `is_counted` False, which ignores the
        limits and the end of a session. `count_sent` is given 1 just before the request is sent, from when on it may be
        performed, and -1 when a 401 says that it was not. `url` replaces our own.
        """
        content = raw if raw is not None or body is None else _ENCODER.encode(body)
        wanted = _Wanted(method, url or self.url, path, content_type, authorization, content, count_sent)
        if not is_counted:
            return self._send_once(wanted)
        reply = self._send_in_session(wanted)
        if path.startswith(_UNREPEATED):
            return reply
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
            self.budget.wait_for_window(path)
            reply = self._send_in_session(wanted)
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise RateLimitedError(f"{path} answered 429: end the other programs that use this key", _LIMIT_WINDOW)
        if is_outage(reply.status):
            raise VenueDownError(f"{path} answered {reply.describe()}: run again once the gateway serves")
        return reply

    def _send_in_session(self, wanted: _Wanted) -> GatewayReply:
        """Send a request; if our token has ended, log in and send it once more."""
        self.budget.wait_for_turn(wanted.path)
        reply = self._send_once(wanted)
        if not _has_ended(wanted, reply):
            return reply
        self.renew_token()
        self.budget.wait_for_turn(wanted.path)
        reply = self._send_once(wanted)
        if _has_ended(wanted, reply):
            raise VenueDownError(f"{wanted.path} answered 401 to a new login too: the session has ended")
        return reply

    def _send_once(self, wanted: _Wanted) -> GatewayReply:
        if monotonic() - self._used_at > _IDLE_S:
            self._session.close()
        headers = {"Accept": "application/json, text/plain", "User-Agent": "tickwork-conformance"}
        header = f"Bearer {self.token}" if wanted.authorization is None else wanted.authorization
        headers |= {"Authorization": header} if header else {}
        headers |= {"Content-Type": wanted.content_type} if wanted.content is not None else {}
        url = f"{wanted.url}{wanted.path}"
        self.request_count += 1
        wanted.count_sent(1)
        left = self.budget.seconds_left / (1 if wanted.path.startswith(_UNREPEATED) else _SHARE_OF_TIME)
        timeout_s = min(_TIMEOUT_S, max(left, _SHORTEST_TIMEOUT_S))
        try:
            answer = self._session.request(
                wanted.method, url, data=wanted.content, headers=headers, timeout=timeout_s, allow_redirects=False
            )
        except requests.RequestException as error:
            self.outage_count += 1
            raise VenueDownError(f"{url} gave no answer ({type(error).__name__})") from None
        self._used_at = monotonic()
        self.outage_count += is_outage(answer.status_code)
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            wanted.count_sent(-1)
        return self._keep(wanted.path, answer)

    def _keep(self, path: str, answer: requests.Response) -> GatewayReply:
        try:
            document = decode_json(answer.content) if answer.content else None
        except msgspec.DecodeError:
            document = None
        reply = GatewayReply(answer.status_code, answer.headers, answer.content, document)
        if isinstance(document, dict) and path.startswith(("/api/", "/hubs/")):
            kind = path if reply.is_success or "success" not in document else f"{path} (refused)"
            self._samples.record(kind if answer.ok else f"{answer.status_code} of a request", document)
        return reply

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def is_refusal(reply: GatewayReply) -> bool:
    """Whether an answer to an order or a close says that nothing came of it.

    Codes 6 and 7 do not say it (venue.md sections 5.6, 5.14, 11.1), nor does an outage.
    """
    if reply.status >= HTTPStatus.BAD_REQUEST:
        return not is_outage(reply.status)
    document = reply.document if isinstance(reply.document, dict) else {}
    is_failure = reply.status == HTTPStatus.OK and document.get("success") is False
    return is_failure and document.get("errorCode") not in {None, 0, *_UNCLEAR_CODES}


def _has_ended(wanted: _Wanted, reply: GatewayReply) -> bool:
    """Whether an answer says that the session of our own token has ended."""
    return wanted.authorization is None and reply.status == HTTPStatus.UNAUTHORIZED


def make_random_name() -> str:
    """Return a name that no user and no order has."""
    return f"tickwork-{secrets.token_hex(6)}"
