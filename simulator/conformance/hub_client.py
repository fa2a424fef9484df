"""The client of a hub: SignalR's JSON protocol over a WebSocket (venue.md section 7.4)."""

from contextlib import ExitStack
from dataclasses import dataclass
from enum import IntEnum
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import msgspec
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from shared.clock import monotonic
from shared.errors import RefusedError, VenueDownError
from simulator.conformance.budget import wait_seconds
from simulator.conformance.redaction import SampleBook
from simulator.conformance.rest import decode_json

_SEPARATOR = "\x1e"
_MAX_FRAME = 16 * 2**20
_ANSWER_WITHIN_S, _PING_EVERY_S = 15.0, 10.0
_REFUSALS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}


class RecordType(IntEnum):
    """The types of SignalR's records that the run reads or writes. Source: the hub protocol of SignalR."""

    INVOCATION = 1
    COMPLETION = 3
    PING = 6
    CLOSE = 7


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event of a hub: its target and its arguments."""

    target: str
    arguments: list[Any]


class GatewayHub:
    """One connection to a hub. `events` has all events received, `ping_count` counts the server's pings.

    Raise RefusedError for a refused connection (its text has the HTTP status: 401, 403 or 404), VenueDownError for a
    hub that cannot serve, and for a connection that breaks.
    """

    def __init__(self, hub_url: str, name: str, token: str, samples: SampleBook) -> None:
        self.events: list[StreamEvent] = []
        self.ping_count = 0
        self.closed_with: str | None = None
        self._unreadable: str | None = None  # what was wrong with a record
        self._samples = samples
        self._completions: dict[str, dict[str, Any]] = {}
        self._incomplete = ""
        self._calls = 0
        url = f"{hub_url.replace('http', 'ws', 1)}/hubs/{name}?access_token={quote(token)}"
        self._ending = ExitStack()
        try:
            connection = connect(
                url, max_size=_MAX_FRAME, max_queue=None, ping_interval=None, open_timeout=_ANSWER_WITHIN_S, proxy=None
            )
            self._socket: ClientConnection = self._ending.enter_context(connection)
        except InvalidStatus as error:
            status = error.response.status_code
            if status not in _REFUSALS:
                raise VenueDownError(f"the {name} hub answered {status}: run again once it serves") from None
            body = "with a body" if error.response.body else "without a body"
            raise RefusedError(f"{status} {body}") from None
        except (OSError, WebSocketException) as error:
            raise VenueDownError(f"the {name} hub gave no answer ({type(error).__name__})") from None
        self._sent_at = monotonic()
        self.handshake = self._shake_hands()

    def __enter__(self) -> Self:
        """Return the connection."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the connection."""
        self._ending.close()

    def invoke(self, target: str, *arguments: object) -> dict[str, Any]:
        """Call a method and return its completion; raise VenueDownError if none comes."""
        self._calls += 1
        id_ = str(self._calls)
        self._say({"type": RecordType.INVOCATION, "target": target, "arguments": arguments, "invocationId": id_})
        end = monotonic() + _ANSWER_WITHIN_S
        while id_ not in self._completions:
            self.require_open()
            if monotonic() > end:
                raise VenueDownError(f"{target} got no completion")
            self._receive(0.2)
        completion = self._completions.pop(id_)
        self._samples.record("hub completion" + (" with an error" if "error" in completion else ""), completion)
        return completion

    def listen(self, seconds: float) -> None:
        """Receive for some seconds, and ping in time; once the server has closed, only wait."""
        end = monotonic() + seconds
        while monotonic() < end and self.closed_with is None:
            self._receive(min(0.5, max(0.0, end - monotonic())))
        wait_seconds(end - monotonic())

    def require_open(self) -> None:
        """Raise VenueDownError once the connection has ended: what came on it is not all that there was.

        Raise RefusedError if a record could not be read.
        """
        if self._unreadable is not None:
            raise RefusedError(self._unreadable)
        if self.closed_with is not None:
            raise VenueDownError(f"the hub closed: {self.closed_with}")

    def _shake_hands(self) -> dict[str, Any]:
        self._say({"protocol": "json", "version": 1})
        end = monotonic() + _ANSWER_WITHIN_S
        while monotonic() < end and self.closed_with is None and self._unreadable is None:
            if records := self._read(0.5):
                for record in records[1:]:
                    self._sort(record)
                return records[0]
        if self._unreadable is not None:
            raise RefusedError(self._unreadable)
        raise VenueDownError("the hub did not answer the handshake")

    def _say(self, record: object) -> None:
        try:
            self._socket.send(msgspec.json.encode(record).decode() + _SEPARATOR)
        except ConnectionClosed:
            self.closed_with = self.closed_with or "a cut connection"
        self._sent_at = monotonic()

    def _receive(self, seconds: float) -> None:
        if monotonic() - self._sent_at > _PING_EVERY_S:
            self._say({"type": RecordType.PING})
        for record in self._read(seconds):
            self._sort(record)

    def _read(self, seconds: float) -> list[dict[str, Any]]:
        """Return the records of the next message; none after `seconds`, of one that is no JSON, or after the end."""
        try:
            message = self._socket.recv(timeout=seconds)
        except TimeoutError:
            return []
        except ConnectionClosed:
            self.closed_with = self.closed_with or "a cut connection"
            return []
        try:
            text = message.decode() if isinstance(message, bytes) else message
            *whole, self._incomplete = (self._incomplete + text).split(_SEPARATOR)
            return [decode_json(record.encode()) for record in whole]
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._unreadable = "a record of the hub is not JSON"
            return []

    def _sort(self, record: dict[str, Any]) -> None:
        try:
            self._sort_known(record)
        except (AttributeError, KeyError, TypeError):
            self._unreadable = "a record of the hub has an unknown form"

    def _sort_known(self, record: dict[str, Any]) -> None:
        match record.get("type"):
            case RecordType.INVOCATION:
                self._samples.record(f"hub {record['target']}", record)
                self.events.append(StreamEvent(record["target"], record["arguments"]))
            case RecordType.COMPLETION:
                self._completions[record["invocationId"]] = record
            case RecordType.PING:
                self.ping_count += 1
            case RecordType.CLOSE:
                self._samples.record("hub close", record)
                self.closed_with = record.get("error") or "a close record without an error"


def describe_completion(completion: dict[str, Any]) -> str:
    """Return a completion in a few words."""
    if "error" in completion:
        return f"error {completion['error']!r}"
    return "completed" + (" with a result" if completion.get("result") is not None else "")
