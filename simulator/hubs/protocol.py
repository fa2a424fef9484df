"""The SignalR JSON protocol: the records, their separator and their meaning (venue.md section 7.4)."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import msgspec

from shared.errors import TickworkError
from simulator import wire
from simulator.client_json import MAX_RECORD_DEPTH, read_json, read_nested_json

SEPARATOR = "\x1e"
MAX_RECORD = 32 * 1024  # characters of one record of a client: .NET's limit
_CLOSED_WITH_ERROR = "Connection closed with an error."


class SentMessageType(IntEnum):
    """The message types the hubs use; they ignore all others."""

    INVOCATION = 1
    COMPLETION = 3
    STREAM_INVOCATION = 4
    PING = 6
    CLOSE = 7


class BadFrameError(TickworkError):
    """A record that breaks the protocol; it ends the connection."""


class HandshakeRefusedError(TickworkError):
    """A handshake that is refused; `str` is the error text for the client."""


class Handshake(msgspec.Struct, frozen=True):
    """The first record of a client."""

    protocol: str
    version: int


_HANDSHAKE_DECODER = msgspec.json.Decoder(Handshake)


class Invocation(msgspec.Struct, frozen=True, rename="camel"):
    """A call of a hub's method; without an id the client expects no answer."""

    type: int
    target: str
    arguments: list[Any]
    invocation_id: str | None = None


@dataclass(slots=True)
class FrameSplitter:
    """Splits incoming text into records; a record may span messages, or share one with others."""

    _rest: str = field(default="", init=False)

    def feed(self, text: str) -> list[str]:
        """Return the records now complete; raise BadFrameError for one longer than MAX_RECORD."""
        *records, self._rest = (self._rest + text).split(SEPARATOR)
        if len(self._rest) > MAX_RECORD or any(len(record) > MAX_RECORD for record in records):
            raise BadFrameError(f"a record is longer than {MAX_RECORD} characters")
        return records


def check_handshake(record: str) -> None:
    """Accept a client that uses JSON of version 1 or lower; raise HandshakeRefusedError with the client's error text.

    [SIM] A lower version is accepted because signalrcore 1.0, a Python client in use, sends 0.
    """
    try:
        handshake = read_json(record, _HANDSHAKE_DECODER)
    except msgspec.MsgspecError as error:
        raise HandshakeRefusedError("An unexpected error occurred during connection handshake.") from error
    if handshake.protocol != "json":
        raise HandshakeRefusedError(f"The protocol '{handshake.protocol}' is not supported.")
    if handshake.version > 1:
        raise HandshakeRefusedError(f"The server does not support version {handshake.version} of the 'json' protocol.")


def parse_record(record: str) -> Invocation | SentMessageType | None:
    """Return a call, or PING or CLOSE, or None for a record to ignore.

    Raise BadFrameError for a record that breaks the protocol.
    """
    try:
        found = read_nested_json(record, MAX_RECORD_DEPTH)
        if not isinstance(found, dict) or type(found.get("type")) is not int:
            raise BadFrameError("a record needs a type")
        if found["type"] in {SentMessageType.INVOCATION, SentMessageType.STREAM_INVOCATION}:
            call = msgspec.convert(found, Invocation)
            if call.type == SentMessageType.STREAM_INVOCATION and call.invocation_id is None:
                raise BadFrameError("a stream invocation needs an id")
            return call
    except msgspec.MsgspecError as error:
        raise BadFrameError(str(error)) from error
    return SentMessageType(found["type"]) if found["type"] in {SentMessageType.PING, SentMessageType.CLOSE} else None


def encode_record(content: object) -> str:
    """Encode one record, with its separator."""
    return wire.encode(content).decode() + SEPARATOR


def encode_invocation(target: str, *arguments: object) -> str:
    """Return an event: an invocation without an id."""
    return encode_record({"type": SentMessageType.INVOCATION, "target": target, "arguments": arguments})


def encode_completion(invocation_id: str, error: str | None) -> str:
    """Return the answer to a call: success without a result, or an error."""
    answer: dict[str, object] = {"type": SentMessageType.COMPLETION, "invocationId": invocation_id}
    return encode_record(answer if error is None else {**answer, "error": error})


WELCOME = encode_record({})
PING = encode_record({"type": SentMessageType.PING})
ENDED = encode_record({"type": SentMessageType.CLOSE, "error": _CLOSED_WITH_ERROR, "allowReconnect": True})
LOGGED_OUT = encode_record({"type": SentMessageType.CLOSE})
GOODBYE = encode_record({"type": SentMessageType.CLOSE, "allowReconnect": True})


def encode_handshake_error(error: HandshakeRefusedError) -> str:
    """Return the record that refuses a handshake."""
    return encode_record({"error": str(error)})
